package dynamotest

import (
	"fmt"
	"hash/fnv"
	"sort"
	"strconv"
	"strings"
	"time"
)

// stream is a table's change stream. Every key is at home in one of its lines; a
// line is a chain of shards of which the last is open.
type stream struct {
	arn, label, view, table string
	lines                   [2][]*shard
	made                    int // shards, for their names
}

type shard struct {
	id, parent string
	first      int64 // sequence number of the oldest record there can be
	closed     bool
	records    []record
}

type record struct {
	seq       int64
	key       item
	old, next item
}

// maxRecords is what one answer holds at most.
const maxRecords = 1000

func newStream(table, view string, now time.Time) *stream {
	label := now.UTC().Format("2006-01-02T15:04:05.000")
	st := &stream{label: label, view: view, table: table,
		arn: "arn:aws:dynamodb:ddblocal:000000000000:table/" + table + "/stream/" + label}
	for i := range st.lines {
		st.open(i, "", 0)
	}
	return st
}

func (st *stream) open(line int, parent string, first int64) {
	st.made++
	id := fmt.Sprintf("shardId-%020d-%08x", st.made, line)
	st.lines[line] = append(st.lines[line], &shard{id: id, parent: parent, first: first})
}

func (st *stream) record(key, old, next item, seq int64) {
	h := fnv.New32a()
	h.Write([]byte(key["pk"].s))
	line := st.lines[h.Sum32()%uint32(len(st.lines))]
	sh := line[len(line)-1]
	sh.records = append(sh.records, record{seq, key, old, next})
}

// RollShards closes the open shards of a table's stream and opens a child of
// each, as DynamoDB does every few hours.
func (s *Server) RollShards(table string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.tables[table].stream
	for i, line := range st.lines {
		last := line[len(line)-1]
		last.closed = true
		st.open(i, last.id, s.seq+1)
	}
}

// TrimStream forgets every record so far and every closed shard, as DynamoDB does
// after 24 hours.
func (s *Server) TrimStream(table string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.tables[table].stream
	for i, line := range st.lines {
		last := line[len(line)-1]
		last.records, last.first = nil, s.seq+1
		st.lines[i] = []*shard{last}
	}
}

func (s *Server) streamOf(arn string) (*stream, error) {
	for _, t := range s.tables {
		if t.stream != nil && t.stream.arn == arn {
			return t.stream, nil
		}
	}
	return nil, &failure{Type: "ResourceNotFoundException", Message: "Requested resource not found: Stream: " + arn + " not found"}
}

func (st *stream) shard(id string) (*shard, error) {
	for _, line := range st.lines {
		for _, sh := range line {
			if sh.id == id {
				return sh, nil
			}
		}
	}
	return nil, &failure{Type: "ResourceNotFoundException", Message: "Requested resource not found: Shard does not exist"}
}

func (s *Server) listStreams(in *struct{ TableName string }) (any, error) {
	type listed struct{ StreamArn, StreamLabel, TableName string }
	out := struct{ Streams []listed }{[]listed{}}
	if t := s.tables[in.TableName]; t != nil && t.stream != nil {
		out.Streams = append(out.Streams, listed{t.stream.arn, t.stream.label, t.name})
	}
	return out, nil
}

type shardDescription struct {
	ShardID             string `json:"ShardId"`
	ParentShardID       string `json:"ParentShardId,omitempty"`
	SequenceNumberRange struct {
		StartingSequenceNumber string
		EndingSequenceNumber   string `json:",omitempty"`
	}
}

// describeStream answers two shards at a time, children first: callers have to
// page, and may not rely on an order.
func (s *Server) describeStream(in *struct{ StreamArn, ExclusiveStartShardId string }) (any, error) {
	st, err := s.streamOf(in.StreamArn)
	if err != nil {
		return nil, err
	}
	var all []shardDescription
	for _, line := range st.lines {
		for _, sh := range line {
			d := shardDescription{ShardID: sh.id, ParentShardID: sh.parent}
			d.SequenceNumberRange.StartingSequenceNumber = sequence(sh.first)
			if sh.closed {
				d.SequenceNumberRange.EndingSequenceNumber = sequence(sh.last())
			}
			all = append(all, d)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ShardID > all[j].ShardID })
	from := 0
	if in.ExclusiveStartShardId != "" {
		from = sort.Search(len(all), func(i int) bool { return all[i].ShardID < in.ExclusiveStartShardId })
	}
	page, next := all[from:], ""
	if len(page) > 2 {
		page = page[:2]
		next = page[1].ShardID
	}
	type streamDescription struct {
		StreamArn, StreamLabel, StreamStatus, StreamViewType, TableName string
		Shards                                                          []shardDescription
		LastEvaluatedShardID                                            string `json:"LastEvaluatedShardId,omitempty"`
	}
	return struct{ StreamDescription streamDescription }{
		streamDescription{st.arn, st.label, "ENABLED", st.view, st.table, page, next}}, nil
}

func (sh *shard) last() int64 {
	if len(sh.records) == 0 {
		return sh.first
	}
	return sh.records[len(sh.records)-1].seq
}

// sequence writes a sequence number as DynamoDB does: digits, of which nothing
// may be assumed but that they grow.
func sequence(n int64) string { return fmt.Sprintf("%021d", 100000000000000000+n) }

func parseSequence(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimLeft(s, "0"), 10, 64)
	if err != nil {
		return 0, invalid("Invalid SequenceNumber: %.50s", s)
	}
	return n - 100000000000000000, nil
}

// getShardIterator makes an iterator: stream, shard and the sequence number that
// the next record has at least.
func (s *Server) getShardIterator(in *struct{ StreamArn, ShardId, ShardIteratorType, SequenceNumber string }) (any, error) {
	st, err := s.streamOf(in.StreamArn)
	if err != nil {
		return nil, err
	}
	sh, err := st.shard(in.ShardId)
	if err != nil {
		return nil, err
	}
	from := sh.first
	switch in.ShardIteratorType {
	case "TRIM_HORIZON":
	case "LATEST":
		from = s.seq + 1
	case "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER":
		if from, err = parseSequence(in.SequenceNumber); err != nil {
			return nil, err
		}
		if in.ShardIteratorType == "AFTER_SEQUENCE_NUMBER" {
			from++
		}
		if from < sh.first {
			return nil, &failure{Type: "TrimmedDataAccessException", Message: "The operation attempted to read past the oldest stream record in a shard"}
		}
	default:
		return nil, invalid("ShardIteratorType %q", in.ShardIteratorType)
	}
	return struct{ ShardIterator string }{iterator(st, sh, from)}, nil
}

func iterator(st *stream, sh *shard, from int64) string {
	return fmt.Sprintf("%s|%s|%d", st.arn, sh.id, from)
}

type streamRecord struct {
	EventID        string `json:"eventID"`
	EventName      string `json:"eventName"`
	EventVersion   string `json:"eventVersion"`
	EventSource    string `json:"eventSource"`
	AwsRegion      string `json:"awsRegion"`
	StreamedChange any    `json:"dynamodb"`
}

func (s *Server) getRecords(in *struct {
	ShardIterator string
	Limit         *int
}) (any, error) {
	parts := strings.Split(in.ShardIterator, "|")
	if len(parts) != 3 {
		return nil, invalid("Invalid ShardIterator")
	}
	st, err := s.streamOf(parts[0])
	if err != nil {
		return nil, err
	}
	sh, err := st.shard(parts[1])
	if err != nil {
		return nil, err
	}
	from, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return nil, invalid("Invalid ShardIterator")
	}
	limit := maxRecords
	if in.Limit != nil {
		limit = min(limit, *in.Limit)
	}
	out := struct {
		Records           []streamRecord
		NextShardIterator string `json:",omitempty"`
	}{Records: []streamRecord{}}
	start := sort.Search(len(sh.records), func(i int) bool { return sh.records[i].seq >= from })
	for size := 0; start < len(sh.records) && len(out.Records) < limit && size < maxPage; start++ {
		r := sh.records[start]
		from = r.seq + 1
		size += r.next.size() + r.old.size()
		out.Records = append(out.Records, st.wire(r))
	}
	if !sh.closed || start < len(sh.records) {
		out.NextShardIterator = iterator(st, sh, from)
	}
	return out, nil
}

// wire is the record as it is sent.
func (st *stream) wire(r record) streamRecord {
	type change struct {
		ApproximateCreationDateTime int64
		Keys                        item
		NewImage                    item `json:",omitempty"`
		OldImage                    item `json:",omitempty"`
		SequenceNumber              string
		SizeBytes                   int
		StreamViewType              string
	}
	c := change{ApproximateCreationDateTime: time.Now().Unix(), Keys: r.key, NewImage: r.next,
		SequenceNumber: sequence(r.seq), SizeBytes: r.key.size() + r.next.size(), StreamViewType: st.view}
	if st.view == "NEW_AND_OLD_IMAGES" {
		c.OldImage = r.old
	}
	name := "MODIFY"
	switch {
	case r.old == nil:
		name = "INSERT"
	case r.next == nil:
		name = "REMOVE"
	}
	return streamRecord{sequence(r.seq), name, "1.1", "aws:dynamodb", "ddblocal", c}
}
