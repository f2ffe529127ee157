package dynamotable

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"switchboard/shared/problem"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// maxPage is the most records that GetRecords returns. Pages of a shard begin with
// what is still wanted, so that nothing is read for nothing, and double while it
// is other tenants' records that come.
const maxPage = 1000

// Changes implements driver.Driver over the table's stream. A stream holds 24
// hours; "" is the oldest record it still has, and a position older than that is
// a Conflict problem: what was derived has to be made again from the items.
//
// A change carries the image that DynamoDB recorded with it, so reading the feed
// costs no read units; of several changes of a key in one answer the last stands
// for all. An image can be older than the item is by now, and a later change then
// brings the newer one.
//
// The stream is the whole table's. It is read on the platform's credentials, and
// every record of another tenant is passed over unread, which is fit for one
// process and for tests. On Lambda nobody calls Changes: the event source mapping
// hands the stream to functions/rollup, which reads it with [Decode].
func (s *store) Changes(ctx context.Context, sc tenant.Scope, after string, limit int) ([]driver.Change, string, error) {
	const op = "dynamotable.Changes"
	if err := sc.Check(op); err != nil {
		return nil, "", err
	}
	if s.cfg.Streams == nil {
		return nil, "", problem.New(problem.Internal, op, "no streams client is configured")
	}
	pos, err := parsePosition(after)
	if err != nil {
		return nil, "", err
	}
	w := walk{streams: s.cfg.Streams, retry: s.retryStreams, sc: sc, now: s.now, spots: &s.spots, pos: pos, limit: limit, at: map[driver.Key]int{}}
	if w.arn, err = s.streamARN(ctx); err == nil {
		err = w.run(ctx)
	}
	if err != nil {
		return nil, "", s.streamError(ctx, err)
	}
	return w.changes, pos.String(), nil
}

// retryStreams puts requests for the stream under the table's retry policy.
func (s *store) retryStreams(o *dynamodbstreams.Options) { o.Retryer = s.retryer }

// streamError classifies, and forgets the stream if it is no longer there.
func (s *store) streamError(ctx context.Context, err error) error {
	const op = "dynamotable.Changes"
	if _, ok := errors.AsType[*streamtypes.TrimmedDataAccessException](err); ok {
		return tooOld(err)
	}
	if _, ok := errors.AsType[*streamtypes.ResourceNotFoundException](err); ok {
		s.mu.Lock()
		s.stream = ""
		s.mu.Unlock()
	}
	return classify(ctx, op, err)
}

// tooOld says that changes are lost to this reader. Going on in silence would
// break the promise that every change is delivered.
func tooOld(cause error) error {
	return &problem.Error{Kind: problem.Conflict, Op: "dynamotable.Changes", Err: cause,
		Detail: "The position is older than the change feed."}
}

// streamARN finds the table's stream. A table whose stream was replaced still
// lists the old one; labels are timestamps, and the latest is written to.
func (s *store) streamARN(ctx context.Context) (string, error) {
	s.mu.Lock()
	known := s.stream
	s.mu.Unlock()
	if known != "" {
		return known, nil
	}
	out, err := s.cfg.Streams.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: &s.cfg.Table}, s.retryStreams)
	if err != nil {
		return "", err
	}
	var latest streamtypes.Stream
	for _, st := range out.Streams {
		if aws.ToString(st.StreamLabel) >= aws.ToString(latest.StreamLabel) {
			latest = st
		}
	}
	if latest.StreamArn == nil {
		return "", problem.New(problem.Internal, "dynamotable.Changes", "table %s has no stream", s.cfg.Table)
	}
	s.mu.Lock()
	s.stream = *latest.StreamArn
	s.mu.Unlock()
	return *latest.StreamArn, nil
}

// walk is one reading of the stream.
type walk struct {
	streams Streams
	retry   func(*dynamodbstreams.Options)
	arn     string
	sc      tenant.Scope
	now     func() time.Time
	spots   *spots
	pos     position // moved forward as records are taken
	limit   int
	changes []driver.Change
	at      map[driver.Key]int // index in changes
}

func (w *walk) full() bool { return len(w.changes) >= w.limit }

// run reads every shard whose parent has been read to its end, because a key's
// changes go on in the child where the parent closed.
func (w *walk) run(ctx context.Context) error {
	shards, err := w.shards(ctx)
	if err != nil {
		return err
	}
	if err := w.prune(shards); err != nil {
		return err
	}
	read := map[string]bool{}
	for again := true; again; {
		again = false
		for id, sh := range shards {
			if read[id] || w.pos[id] == finished || !w.ready(sh, shards) {
				continue
			}
			if w.full() {
				return nil
			}
			read[id], again = true, true
			if err := w.shard(ctx, id, sh); err != nil {
				return err
			}
		}
	}
	return nil
}

// ready reports whether the shard may be read; a parent that the stream no
// longer lists has nothing left to say.
func (w *walk) ready(sh streamtypes.Shard, shards map[string]streamtypes.Shard) bool {
	parent := aws.ToString(sh.ParentShardId)
	_, listed := shards[parent]
	return !listed || w.pos[parent] == finished
}

// prune forgets finished shards that the stream has dropped. One dropped before
// it was finished took changes with it.
func (w *walk) prune(shards map[string]streamtypes.Shard) error {
	for id, mark := range w.pos {
		if _, listed := shards[id]; listed {
			continue
		}
		if mark != finished {
			return tooOld(errors.New("shard " + id + " is gone"))
		}
		delete(w.pos, id)
	}
	return nil
}

// shards lists the stream's shards by id.
func (w *walk) shards(ctx context.Context) (map[string]streamtypes.Shard, error) {
	shards := map[string]streamtypes.Shard{}
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &w.arn}
	for {
		out, err := w.streams.DescribeStream(ctx, in, w.retry)
		if err != nil {
			return nil, err
		}
		for _, sh := range out.StreamDescription.Shards {
			shards[aws.ToString(sh.ShardId)] = sh
		}
		if out.StreamDescription.LastEvaluatedShardId == nil {
			return shards, nil
		}
		in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId
	}
}

// shard takes records of one shard until it ends or the answer is full. An empty
// page of a shard that is still written to ends it for now, though another page
// behind it can have records: the next Changes goes on from there.
func (w *walk) shard(ctx context.Context, id string, sh streamtypes.Shard) error {
	open := sh.SequenceNumberRange == nil || sh.SequenceNumberRange.EndingSequenceNumber == nil
	for page := int32(w.limit - len(w.changes)); ; page = min(2*page, maxPage) {
		out, err := w.records(ctx, id, page)
		if err != nil {
			return err
		}
		for _, r := range out.Records {
			if w.full() {
				return nil
			}
			if err := w.take(id, r); err != nil {
				return err
			}
		}
		if out.NextShardIterator == nil {
			w.pos[id] = finished
			return nil
		}
		w.spots.keep(id, w.pos[id], *out.NextShardIterator, w.now())
		if w.full() || open && len(out.Records) == 0 {
			return nil
		}
	}
}

// records reads a page from where the page before it ended, or else from behind
// the last record taken. DynamoDB Local calls an iterator trimmed that was made
// before the shard's first record, so only a new one decides what is too old.
func (w *walk) records(ctx context.Context, id string, page int32) (*dynamodbstreams.GetRecordsOutput, error) {
	mark := w.pos[id]
	if it, ok := w.spots.find(id, mark, w.now()); ok {
		out, err := w.streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: &it, Limit: &page}, w.retry)
		if !stale(err) {
			return out, err
		}
	}
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &w.arn, ShardId: &id,
		ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon}
	if mark != "" {
		in.ShardIteratorType, in.SequenceNumber = streamtypes.ShardIteratorTypeAfterSequenceNumber, &mark
	}
	it, err := w.streams.GetShardIterator(ctx, in, w.retry)
	if err != nil {
		return nil, err
	}
	return w.streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: it.ShardIterator, Limit: &page}, w.retry)
}

// stale reports whether an iterator is of no use any more.
func stale(err error) bool {
	_, expired := errors.AsType[*streamtypes.ExpiredIteratorException](err)
	_, trimmed := errors.AsType[*streamtypes.TrimmedDataAccessException](err)
	return expired || trimmed
}

// take moves the position behind the record, and keeps its change if it is the
// tenant's.
func (w *walk) take(shard string, r streamtypes.Record) error {
	if r.Dynamodb == nil || r.Dynamodb.SequenceNumber == nil {
		return problem.New(problem.Internal, "dynamotable.Changes", "a stream record without a sequence number")
	}
	w.pos[shard] = *r.Dynamodb.SequenceNumber
	keys := reader{av: fromStream(r.Dynamodb.Keys)}
	kind, parent, ours := driver.ParsePartition(w.sc, keys.str("pk"))
	if !ours {
		return nil
	}
	key := driver.Key{Kind: kind, Parent: parent, ID: keys.str("sk")}
	it, err := decode(w.sc, fromStream(r.Dynamodb.NewImage))
	if err != nil {
		return err
	}
	change := driver.Change{Key: key, Item: live(it, w.now())}
	if i, ok := w.at[key]; ok {
		w.changes[i] = change
		return nil
	}
	w.at[key] = len(w.changes)
	w.changes = append(w.changes, change)
	return nil
}

// fromStream translates attributes to the types of the table's own API. Types
// that our items do not have are left out, so that decode misses them.
func fromStream(in map[string]streamtypes.AttributeValue) attributes {
	out := make(attributes, len(in))
	for name, v := range in {
		switch v := v.(type) {
		case *streamtypes.AttributeValueMemberS:
			out[name] = &types.AttributeValueMemberS{Value: v.Value}
		case *streamtypes.AttributeValueMemberN:
			out[name] = &types.AttributeValueMemberN{Value: v.Value}
		case *streamtypes.AttributeValueMemberB:
			out[name] = &types.AttributeValueMemberB{Value: v.Value}
		}
	}
	return out
}
