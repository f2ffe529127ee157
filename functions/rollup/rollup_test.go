package main_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/chat"
	"switchboard/shared/host/lambdahost/runtimetest"
	"switchboard/shared/seal"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// isClosed checks that the conversation shows the turn, interrupted, in an item that
// was written once.
func (r *rig) isClosed(t *testing.T, sc tenant.Scope, dead chat.Start) {
	t.Helper()
	turns, versions := r.stored(t, sc, dead.Conversation)
	if len(turns) != 1 || versions[0] != 1 {
		t.Errorf("the conversation holds %v in versions %v", turns, versions)
		return
	}
	if got := turns[0]; got.ID != dead.Turn || got.State != chat.Interrupted || got.Reason != "interrupted" ||
		got.Question != asked || got.Answer != "" || got.Try != 1 || got.Access.Actor != "internal:sweep" {
		t.Errorf("the turn is %+v", got)
	}
}

// isUntouched checks that the conversation holds what it did.
func (r *rig) isUntouched(t *testing.T, sc tenant.Scope, done *chat.Turn) {
	t.Helper()
	turns, versions := r.stored(t, sc, done.Conversation)
	if d := cmp.Diff([]chat.Turn{*done}, turns); d != "" || versions[0] != 1 {
		t.Errorf("a whole turn is in version %v (-was +is):\n%s", versions, d)
	}
}

// closedOnce has three turns: of a process that died, of one that may live, and a
// whole one. The stream tells of them twice.
func closedOnce(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap)
	var dead chat.Start
	r.longAgo(t, func(t *testing.T, s *chat.Service) { dead = begun(t, s, sc, "dead") })
	now := process(t, r.data)
	live, done := begun(t, now, sc, "live"), whole(t, now, sc, "done")
	all := r.records(t, 4)
	for round := range 2 {
		r.taken(t, all)
		if open := r.noted(t, sc); len(open) != 2-round || open[live.Turn].IsZero() {
			t.Errorf("round %d: noted %v", round, open)
		}
		if turns, _ := r.stored(t, sc, dead.Conversation); len(turns) != round {
			t.Errorf("round %d: before the tick there is %v", round, turns)
		}
		r.tick(t)
		r.tick(t)
		r.isClosed(t, sc, dead)
		r.isUntouched(t, sc, done)
		if turns, _ := r.stored(t, sc, live.Conversation); len(turns) != 0 {
			t.Errorf("a turn that may be running was closed: %v", turns)
		}
		if open := r.noted(t, sc); len(open) != 1 || open[live.Turn].IsZero() {
			t.Errorf("round %d: after the tick there is noted %v", round, open)
		}
	}
	r.taken(t, r.records(t, 6)) // the function's own writes
	r.tick(t)
	r.isClosed(t, sc, dead)
	// A retry takes the turn up.
	if again := whole(t, process(t, r.data), sc, "dead"); again.ID != dead.Turn || again.State != chat.Done || again.Conversation != dead.Conversation {
		t.Errorf("a retry is %+v", again)
	}
}

// outOfOrder delivers each record in a batch of its own, the last one first, as
// shards may.
func outOfOrder(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap)
	var dead chat.Start
	var done *chat.Turn
	r.longAgo(t, func(t *testing.T, s *chat.Service) {
		done = whole(t, s, sc, "done")
		dead = begun(t, s, sc, "dead")
	})
	all := r.records(t, 3)
	slices.Reverse(all)
	for _, rec := range all {
		r.taken(t, []json.RawMessage{rec})
		r.tick(t)
	}
	r.isClosed(t, sc, dead)
	r.isUntouched(t, sc, done)
	if open := r.noted(t, sc); len(open) != 0 {
		t.Errorf("noted %v", open)
	}
}

// deadRetry has a turn closed, and a retry of it die: what was stored stands, and
// another retry takes it up.
func deadRetry(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap)
	var dead chat.Start
	r.longAgo(t, func(t *testing.T, s *chat.Service) { dead = begun(t, s, sc, "k") })
	r.taken(t, r.records(t, 1))
	r.tick(t)
	r.longAgo(t, func(t *testing.T, s *chat.Service) {
		if again := begun(t, s, sc, "k"); again.Turn != dead.Turn {
			t.Errorf("a retry is %+v", again)
		}
	})
	all := r.records(t, 5)
	r.taken(t, all)
	if open := r.noted(t, sc); len(open) != 1 {
		t.Errorf("noted %v", open)
	}
	r.tick(t)
	r.isClosed(t, sc, dead)
	r.taken(t, r.records(t, len(all)+1))
	r.tick(t)
	r.isClosed(t, sc, dead)
	if again := whole(t, process(t, r.data), sc, "k"); again.ID != dead.Turn || again.State != chat.Done {
		t.Errorf("the next retry is %+v", again)
	}
}

func withinABatch(t *testing.T, bootstrap string) {
	r := newFakeRig(t, bootstrap)
	for _, key := range []string{"a", "b", "c"} {
		whole(t, process(t, r.data), sc, key)
	}
	all := r.records(t, 6)
	r.taken(t, all) // the tenant's key is held from here on
	before := r.server.Units()
	r.taken(t, all)
	if after := r.server.Units(); after != before {
		t.Errorf("units: %+v before, %+v after", before, after)
	}
}

func twoShards(t *testing.T, bootstrap string) {
	r := newFakeRig(t, bootstrap)
	whole(t, process(t, r.data), sc, "a")
	all := r.records(t, 2)
	r.taken(t, all) // the tenant's key is held from here on
	before := r.server.Units()
	for _, rec := range all {
		r.taken(t, []json.RawMessage{rec})
	}
	after := r.server.Units()
	if after.Write != before.Write || after.Read-before.Read != 1 {
		t.Errorf("units: %+v before, %+v after", before, after)
	}
}

func companies(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap)
	neighbour := tenanttest.Scope(other)
	var mine, theirs chat.Start
	r.longAgo(t, func(t *testing.T, s *chat.Service) {
		mine, theirs = begun(t, s, sc, "k"), begun(t, s, neighbour, "k")
	})
	r.taken(t, r.records(t, 2))
	r.tick(t)
	r.isClosed(t, sc, mine)
	r.isClosed(t, neighbour, theirs)
	if turns, _ := r.stored(t, sc, theirs.Conversation); len(turns) != 0 {
		t.Errorf("a neighbour's turn is there: %v", turns)
	}
}

// storeFails has the note's write refused, then the closing's: what was not done is
// reported, and done when it comes again.
func storeFails(t *testing.T, bootstrap string) {
	r := newFakeRig(t, bootstrap)
	var dead chat.Start
	r.longAgo(t, func(t *testing.T, s *chat.Service) { dead = begun(t, s, sc, "k") })
	whole(t, process(t, r.data), sc, "done")
	all := r.records(t, 3)
	r.taken(t, all[1:]) // the tenant's key is held from here on
	down := func(op string) func(dynamotest.Call) dynamotest.Fault {
		return func(c dynamotest.Call) dynamotest.Fault {
			if c.Op == op {
				return dynamotest.Fault{Code: "ResourceNotFoundException"} // which is not tried again
			}
			return dynamotest.Fault{}
		}
	}
	for _, op := range []string{"GetItem", "PutItem"} {
		r.server.OnCall(down(op))
		if again := r.deliver(t, all); len(again) != 1 || again[0] != number(t, all[0]) {
			t.Errorf("without %s there come again %v", op, again)
		}
		r.server.OnCall(nil)
		if open := r.noted(t, sc); len(open) != 0 {
			t.Errorf("without %s: noted %v", op, open)
		}
	}
	r.taken(t, all)

	r.server.OnCall(down("TransactWriteItems"))
	_, err := r.Invoke(t.Context(), sample(t, "rollup-schedule"))
	if fe, ok := errors.AsType[*runtimetest.FunctionError](err); !ok || strings.Contains(fe.Message, asked) {
		t.Errorf("a tick that could not close: %v", err)
	}
	r.server.OnCall(nil)
	r.tick(t)
	r.isClosed(t, sc, dead)
}

func number(t *testing.T, rec json.RawMessage) string {
	t.Helper()
	var r struct {
		Change struct{ SequenceNumber string } `json:"dynamodb"`
	}
	if err := json.Unmarshal(rec, &r); err != nil {
		t.Fatal(err)
	}
	return r.Change.SequenceNumber
}

// unreadable puts records into a batch that no decoder takes: they alone come again,
// and what is behind them was done.
func unreadable(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap)
	var dead chat.Start
	r.longAgo(t, func(t *testing.T, s *chat.Service) { dead = begun(t, s, sc, "k") })
	good := r.records(t, 1)[0]
	var batch []json.RawMessage
	for i, change := range [][2]string{
		{project + "#reservation", "Nobody#reservation"},
		{project + "#reservation", other + "#reservation"}, // Keys alone
		{`"b":{"B":"`, `"b":{"B":"AAAA`},                   // a body that is no JSON
		{`"b":{"B":"`, `"b":{"B":"*`},                      // and no base64
		{`"b":{"B":`, `"b":{"BS":[1],"B":`},                // aws-lambda-go panics
	} {
		text := strings.Replace(string(good), change[0], change[1], 1)
		text = strings.Replace(text, number(t, good), "10000000000000000000"+string(rune('0'+i)), 1)
		if text == string(good) {
			t.Fatalf("%s is not in %s", change[0], good)
		}
		batch = append(batch, json.RawMessage(text))
	}
	again := r.deliver(t, append(batch, good))
	want := []string{"100000000000000000000", "100000000000000000001", "100000000000000000002", "100000000000000000003", "100000000000000000004"}
	if d := cmp.Diff(want, again); d != "" {
		t.Errorf("to come again (-want +got):\n%s", d)
	}
	r.tick(t)
	r.isClosed(t, sc, dead)
}

// sealed returns the event with the bodies in it sealed, which in the sample are in
// the clear, to be read.
func (r *rig) sealed(t *testing.T, event []byte) []byte {
	t.Helper()
	sealer := r.keys.Sealer(t, r.client(t.Cleanup))
	var e map[string][]map[string]any
	if err := json.Unmarshal(event, &e); err != nil {
		t.Fatal(err)
	}
	for _, rec := range e["Records"] {
		for _, image := range []string{"NewImage", "OldImage"} {
			attributes, there := rec["dynamodb"].(map[string]any)[image].(map[string]any)
			if !there {
				continue
			}
			text := func(name, typ string) string { return attributes[name].(map[string]any)[typ].(string) }
			body, err := base64.StdEncoding.DecodeString(text("b", "B"))
			if err != nil {
				t.Fatal(err)
			}
			part := strings.SplitN(text("pk", "S"), "#", 3)
			body, err = sealer.Seal(t.Context(), sc, seal.Place{Store: seal.Table, Kind: part[1], Parent: part[2], ID: text("sk", "S")}, body)
			if err != nil {
				t.Fatal(err)
			}
			attributes["b"] = map[string]any{"B": base64.StdEncoding.EncodeToString(body)}
		}
	}
	event, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// largest delivers 6 MB, which is what Lambda hands on at most; that it fits into the
// function's memory is checked when the test ends.
func largest(t *testing.T, bootstrap string) {
	r := newFakeRig(t, bootstrap)
	var event struct{ Records []json.RawMessage }
	if err := json.Unmarshal(sample(t, "rollup-stream"), &event); err != nil {
		t.Fatal(err)
	}
	stored := event.Records[2]
	var turn chat.Turn
	it := struct {
		Change struct {
			NewImage struct {
				B struct{ B []byte } `json:"b"`
			}
		} `json:"dynamodb"`
	}{}
	if err := json.Unmarshal(stored, &it); err != nil {
		t.Fatal(err)
	}
	body := it.Change.NewImage.B.B
	if err := json.Unmarshal(body, &turn); err != nil || turn.Answer == "" {
		t.Fatal(err)
	}
	long, err := json.Marshal(strings.Repeat("A long answer. ", 4000/15))
	if err != nil {
		t.Fatal(err)
	}
	b := strings.Replace(string(body), `"Frederick and Carroll County."`, string(long), 1)
	rec := strings.Replace(string(stored), base64.StdEncoding.EncodeToString(body), base64.StdEncoding.EncodeToString([]byte(b)), 1)
	if err := json.Unmarshal(r.sealed(t, []byte(`{"Records":[`+rec+`]}`)), &event); err != nil {
		t.Fatal(err)
	}
	var batch []json.RawMessage
	for size := 0; size < 6_000_000-8_000; size += len(batch[0]) {
		rec := strings.Replace(string(event.Records[0]), number(t, stored), fmt.Sprint(20_000_000+len(batch)), 1)
		batch = append(batch, json.RawMessage(rec))
	}
	for range 3 {
		r.taken(t, batch)
	}
	t.Logf("%d records of %d bytes", len(batch), len(batch[0]))
}

// samples are the events that are shipped: of a turn that is not in this table.
func samples(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap)
	if body := r.invoke(t, r.sealed(t, sample(t, "rollup-stream"))); string(body) != `{"batchItemFailures":[]}` {
		t.Errorf("it answers %s", body)
	}
	if open := r.noted(t, sc); len(open) != 1 {
		t.Errorf("noted %v", open)
	}
	r.tick(t)
	if open := r.noted(t, sc); len(open) != 0 {
		t.Errorf("after the tick there is noted %v", open)
	}
}

func foreign(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap)
	for _, event := range []string{`{}`, `[]`, `null`, `"x"`, `{"Records":[]}`, `{"Records":[{}]}`, `{"Records":[null]}`, `{"Records":{}}`,
		`{"Records":[{"eventSource":"aws:sqs","dynamodb":{"SequenceNumber":"1"}}]}`, `{"source":"aws.s3","detail-type":"Scheduled Event"}`,
		string(sample(t, "chat"))} {
		_, err := r.Invoke(t.Context(), []byte(event))
		if _, ok := errors.AsType[*runtimetest.FunctionError](err); !ok {
			t.Errorf("%.40s: %v", event, err)
		}
	}
	r.tick(t) // control, of the same process
}

func unopened(t *testing.T, bootstrap string) {
	r := newFakeRig(t, bootstrap, "SWITCHBOARD_TABLE=")
	for _, event := range []string{"rollup-stream", "rollup-schedule"} {
		_, err := r.Invoke(t.Context(), sample(t, event))
		if fe, ok := errors.AsType[*runtimetest.FunctionError](err); !ok || strings.Contains(fe.Message, "SWITCHBOARD") {
			t.Errorf("%s: %v", event, err)
		}
	}
	r.Kill() // so that the log is whole
	if !strings.Contains(r.Logs(), "SWITCHBOARD_TABLE is not set") {
		t.Errorf("the log says\n%s", r.Logs())
	}
}
