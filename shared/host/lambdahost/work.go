package lambdahost

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"switchboard/shared/problem"
)

// Worker is a function that no client waits for: a table's stream and a clock
// call it.
type Worker interface {
	// Records takes a batch of a shard, in its order. A record that is in the
	// answer, by its sequence number, comes again, and so do all behind it: what a
	// worker does has to come out the same when it is done twice.
	Records(context.Context, []events.DynamoDBEventRecord) (failed map[string]error)
	// Tick is called by the schedule.
	Tick(context.Context) error
}

// Work runs a worker until the process ends. It opens it once, before the first
// event; if that fails, each event tries again, and fails if that does, so that
// Lambda sends it again.
//
// The event source mapping has to have the function response type
// ReportBatchItemFailures: without it Lambda takes every batch for done.
func Work[W Worker](open func(context.Context) (W, error)) {
	slog.SetDefault(lambdacontext.NewLogger())
	o := &opening[W]{open: open}
	if _, err := o.opened(); err != nil {
		logUnopened(context.Background(), err)
	}
	lambda.Start(worker(o))
}

// errNotOurs is the answer to an event that no worker gets.
var errNotOurs = errors.New("lambdahost: neither a batch of a DynamoDB stream nor an event of a schedule")

// worker tells the events apart.
func worker[W Worker](o *opening[W]) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var ev struct {
			Source  string            `json:"source"`
			Detail  string            `json:"detail-type"`
			Records []json.RawMessage `json:"Records"` // each may be unreadable by itself
		}
		if json.Unmarshal(raw, &ev) != nil {
			return nil, errNotOurs
		}
		return o.with(ctx, func(ctx context.Context, w W) (any, error) {
			switch {
			case len(ev.Records) > 0:
				return batch(ctx, w, ev.Records)
			case ev.Source == "aws.events" && ev.Detail == "Scheduled Event":
				return nil, w.Tick(ctx)
			}
			return nil, errNotOurs
		})
	}
}

// batch hands the worker what can be read, and reports the rest with what it did
// not take.
func batch(ctx context.Context, w Worker, raw []json.RawMessage) (any, error) {
	var readable []events.DynamoDBEventRecord
	order := make([]string, len(raw))
	unreadable := make(map[string]error)
	for i, r := range raw {
		var err error
		if order[i], err = sequenceNumber(r); err != nil {
			return nil, err // it could not be named in the answer: all of the batch comes again
		}
		rec, err := readRecord(r)
		if err != nil {
			unreadable[order[i]] = err
			continue
		}
		readable = append(readable, rec)
	}
	failed := w.Records(ctx, readable)
	answer := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
	for _, n := range order {
		err := errors.Join(unreadable[n], failed[n])
		if err == nil {
			continue
		}
		slog.LogAttrs(ctx, slog.LevelError, "a record of the stream was not taken", slog.String("sequence_number", n), slog.Any("err", err))
		answer.BatchItemFailures = append(answer.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: n})
	}
	return answer, nil
}

func sequenceNumber(raw json.RawMessage) (string, error) {
	var r struct {
		Source string `json:"eventSource"`
		Change struct {
			SequenceNumber string
		} `json:"dynamodb"`
	}
	if json.Unmarshal(raw, &r) != nil || r.Source != "aws:dynamodb" || r.Change.SequenceNumber == "" {
		return "", errNotOurs
	}
	return r.Change.SequenceNumber, nil
}

// readRecord decodes one record. The decoder of its attributes panics on some that
// DynamoDB does not send.
func readRecord(raw json.RawMessage) (r events.DynamoDBEventRecord, err error) {
	err = problem.Guard("lambdahost.readRecord", func() error { return json.Unmarshal(raw, &r) })
	return r, err
}

// recovered makes an error of a panic. Left alone it would end the process, and its
// text, which may quote a client's data, would leave it.
func recovered(ctx context.Context, err *error) {
	v := recover()
	if v == nil {
		return
	}
	slog.LogAttrs(ctx, slog.LevelError, "panic in a worker", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	*err = errors.New("lambdahost: the worker failed")
}
