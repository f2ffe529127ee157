package lambdahost_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"switchboard/shared/host/lambdahost"
)

// scripted is a worker that does what a test says.
type scripted struct {
	records func(context.Context, []events.DynamoDBEventRecord) map[string]error
	tick    func(context.Context) error
}

func (s scripted) Records(ctx context.Context, r []events.DynamoDBEventRecord) map[string]error {
	return s.records(ctx, r)
}
func (s scripted) Tick(ctx context.Context) error { return s.tick(ctx) }

// work hands a worker an event and returns the answer as it goes out.
func work(t testing.TB, s scripted, event string) (string, error) {
	t.Helper()
	answer, err := lambdahost.Worked(func(context.Context) (scripted, error) { return s, nil })(t.Context(), json.RawMessage(event))
	if err != nil {
		return "", err
	}
	out, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), nil
}

const (
	tick  = `{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}`
	three = `{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"SequenceNumber":"1"}},
{"eventSource":"aws:dynamodb","dynamodb":{"SequenceNumber":"2","Keys":{"a":{"BS":[1]}}}},{"eventSource":"aws:dynamodb","dynamodb":{"SequenceNumber":"3"}}]}`
)

func TestAWorkersAnswers(t *testing.T) {
	t.Parallel()
	var got []string
	s := scripted{
		tick: func(context.Context) error { return nil },
		records: func(_ context.Context, rs []events.DynamoDBEventRecord) map[string]error {
			got = nil
			for _, r := range rs {
				got = append(got, r.Change.SequenceNumber)
			}
			return map[string]error{"3": errors.New("not yet"), "unknown": errors.New("of no record")}
		},
	}
	// The second cannot be read: the worker does not see it, and it comes again.
	if out, err := work(t, s, three); err != nil || out != `{"batchItemFailures":[{"itemIdentifier":"2"},{"itemIdentifier":"3"}]}` {
		t.Errorf("a batch: %s, %v", out, err)
	}
	if !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("the worker was given %v", got)
	}
	s.records = func(context.Context, []events.DynamoDBEventRecord) map[string]error { return nil }
	if out, err := work(t, s, strings.Replace(three, `"BS":[1]`, `"S":"b"`, 1)); err != nil || out != `{"batchItemFailures":[]}` {
		t.Errorf("a batch that was taken: %s, %v", out, err)
	}
	if out, err := work(t, s, tick); err != nil || out != "null" {
		t.Errorf("a tick: %s, %v", out, err)
	}
	wrong := errors.New("wrong")
	s.tick = func(context.Context) error { return wrong }
	if _, err := work(t, s, tick); !errors.Is(err, wrong) {
		t.Errorf("a tick that failed: %v", err)
	}
}

// A panic fails the event, so that it comes again, and says nothing outside.
func TestAWorkerThatPanics(t *testing.T) {
	t.Parallel()
	s := scripted{
		tick:    func(context.Context) error { panic("a client's words") },
		records: func(context.Context, []events.DynamoDBEventRecord) map[string]error { panic("a client's words") },
	}
	for _, event := range []string{tick, three} {
		if out, err := work(t, s, event); err == nil || strings.Contains(err.Error(), "words") {
			t.Errorf("%s, %v", out, err)
		}
	}
}

// A worker's context ends before Lambda would end the process.
func TestAWorkerIsToldOfTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		s := scripted{tick: func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}}
		_, err := lambdahost.Worked(func(context.Context) (scripted, error) { return s, nil })(ctx, json.RawMessage(tick))
		if took := time.Since(began); !errors.Is(err, lambdahost.ErrDeadline) || took != 57*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestAWorkerIsOpenedAgain(t *testing.T) {
	t.Parallel()
	attempts := 0
	handle := lambdahost.Worked(func(context.Context) (scripted, error) {
		switch attempts++; attempts {
		case 1:
			panic("the table's secret name")
		case 2:
			return scripted{}, errors.New("the table's secret name")
		}
		return scripted{tick: func(context.Context) error { return nil }}, nil
	})
	for i := range 4 {
		_, err := handle(t.Context(), json.RawMessage(tick))
		if (err != nil) != (i < 2) || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("attempt %d: %v", i, err)
		}
	}
	if attempts != 3 {
		t.Errorf("opened %d times", attempts)
	}
}

// FuzzWork hands a worker arbitrary events: what it is given has a number, and each
// number of the answer is one of the event's.
func FuzzWork(f *testing.F) {
	for _, s := range []string{tick, three, `{}`, `null`, `[]`, `{"Records":[{}]}`, `{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"SequenceNumber":"1","NewImage":null}}]}`} {
		f.Add(s)
	}
	s := scripted{
		tick: func(context.Context) error { return nil },
		records: func(_ context.Context, rs []events.DynamoDBEventRecord) map[string]error {
			failed := map[string]error{}
			for _, r := range rs {
				failed[r.Change.SequenceNumber] = errors.New("failed")
			}
			return failed
		},
	}
	f.Fuzz(func(t *testing.T, event string) {
		out, err := work(t, s, event)
		if err != nil || out == "null" {
			return
		}
		var answer events.DynamoDBEventResponse
		if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer.BatchItemFailures) == 0 {
			t.Fatalf("%s: %v", out, err)
		}
		for _, b := range answer.BatchItemFailures {
			if b.ItemIdentifier == "" { // which Lambda takes for the whole batch
				t.Errorf("%s", out)
			}
		}
	})
}
