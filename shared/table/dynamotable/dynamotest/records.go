package dynamotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Records reads a table's stream from its oldest record to its end, over the wire,
// and returns the records as an event source mapping hands them to a Lambda: parents
// before their children, each shard in its order. The endpoint may be DynamoDB
// Local's, whose stream lags behind its table: it is read until least are there.
func Records(t testing.TB, endpoint, table string, least int) []json.RawMessage {
	t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for late := time.After(time.Minute); ; {
		all := records(t, endpoint, table)
		if len(all) >= least {
			return all
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("the stream has %d records, not %d", len(all), least)
		}
	}
}

func records(t testing.TB, endpoint, table string) []json.RawMessage {
	t.Helper()
	c := caller{t, endpoint}
	var streams struct{ Streams []struct{ StreamArn string } }
	c.call("ListStreams", map[string]any{"TableName": table}, &streams)
	if len(streams.Streams) != 1 {
		t.Fatalf("table %s has %d streams", table, len(streams.Streams))
	}
	arn := streams.Streams[0].StreamArn
	var all []json.RawMessage
	for _, id := range c.shards(arn) {
		for _, r := range c.records(arn, id) {
			r["eventSourceARN"] = fmt.Appendf(nil, "%q", arn)
			raw, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, raw)
		}
	}
	return all
}

// caller makes requests by hand, so that what comes is the wire's own.
type caller struct {
	t        testing.TB
	endpoint string
}

func (c caller) call(op string, in, out any) {
	c.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDBStreams_20120810."+op)
	// DynamoDB Local wants to be told of a key, and checks nothing.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(answer, out)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %d %s %v", op, resp.StatusCode, answer, err)
	}
}

// shards lists the stream's shards, older ones first: their names begin with the
// time they were made.
func (c caller) shards(arn string) (ids []string) {
	c.t.Helper()
	in := map[string]any{"StreamArn": arn}
	for {
		var out struct {
			StreamDescription struct {
				Shards               []struct{ ShardId string }
				LastEvaluatedShardId string
			}
		}
		c.call("DescribeStream", in, &out)
		for _, sh := range out.StreamDescription.Shards {
			ids = append(ids, sh.ShardId)
		}
		last := out.StreamDescription.LastEvaluatedShardId
		if last == "" {
			slices.SortFunc(ids, strings.Compare)
			return ids
		}
		in["ExclusiveStartShardId"] = last
	}
}

func (c caller) records(arn, shard string) (all []map[string]json.RawMessage) {
	c.t.Helper()
	var at struct{ ShardIterator string }
	c.call("GetShardIterator", map[string]any{"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}, &at)
	for {
		var page struct {
			Records           []map[string]json.RawMessage
			NextShardIterator string
		}
		c.call("GetRecords", map[string]any{"ShardIterator": at.ShardIterator}, &page)
		all = append(all, page.Records...)
		if len(page.Records) == 0 || page.NextShardIterator == "" {
			return all
		}
		at.ShardIterator = page.NextShardIterator
	}
}
