// Package audit records who touched a tenant's data, in the tenant's own table.
//
// Whoever opens data that no turn's item speaks of imports it; a turn's access record
// rides in the turn's own item. Its one promise: [Log.Record] returned nil only if the
// entry is kept, so a caller that refuses on an error has let nothing go unrecorded.
package audit

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/oklog/ulid/v2"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// Kind is that of the entries' items; their IDs are ULIDs, so a tenant's are in order
// of time.
const Kind = table.Kind("audit")

// Entry is one access. The scope's part of it is filled in by Record.
type Entry struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Actor   string    `json:"actor"` // id of the credential
	As      string    `json:"as"`    // kind of the credential
	Role    string    `json:"role"`
	Action  string    `json:"action"`
	Kind    string    `json:"kind,omitempty"` // of what was touched
	IDs     []string  `json:"ids,omitempty"`
	Reason  string    `json:"reason,omitempty"` // an operator's, in their own words
	Outcome string    `json:"outcome"`
	Request string    `json:"request_id"`
}

// Log keeps entries in a table.
type Log struct{ table *table.Table }

// New returns a Log over the tenants' own table.
func New(t *table.Table) *Log { return &Log{t} }

// Record keeps the entry in the scope's own log.
func (l *Log) Record(ctx context.Context, sc tenant.Scope, e Entry) error {
	const op = "audit.Record"
	if err := sc.Check(op); err != nil {
		return err
	}
	now := time.Now().UTC()
	e.ID, e.Time = ulid.MustNew(ulid.Timestamp(now), rand.Reader).String(), now.Truncate(time.Millisecond)
	e.Actor, e.As, e.Role = sc.Actor(), sc.Kind().String(), sc.Role().String()
	body, err := json.Marshal(e)
	if err != nil {
		return problem.Wrap(problem.Internal, op, err)
	}
	return l.table.Write(ctx, sc, table.Create(table.Key{Kind: Kind, ID: e.ID}, body))
}

// ActsAs records that an operator is about to act in the tenant's place, and why.
func (l *Log) ActsAs(ctx context.Context, sc tenant.Scope, reason, request string) error {
	return l.Record(ctx, sc, Entry{Action: "act-as", Kind: "project", IDs: []string{sc.Project().String()}, Reason: reason, Outcome: "allowed", Request: request})
}

// Administers records what an operator is about to do to the tenant by the admin API.
func (l *Log) Administers(ctx context.Context, sc tenant.Scope, action, request string, ids ...string) error {
	return l.Record(ctx, sc, Entry{Action: action, Kind: "project", IDs: ids, Outcome: "allowed", Request: request})
}

// List returns a page of the tenant's entries, newest first, and the cursor of the
// next one ("" = there is none).
func (l *Log) List(ctx context.Context, sc tenant.Scope, limit int, cursor string) ([]Entry, string, error) {
	page, err := l.table.List(ctx, sc, table.Query{Kind: Kind, Reverse: true, Limit: limit, Cursor: cursor})
	if err != nil {
		return nil, "", err
	}
	entries := make([]Entry, len(page.Items))
	for i, it := range page.Items {
		if err := json.Unmarshal(it.Body, &entries[i]); err != nil {
			return nil, "", problem.Wrap(problem.Internal, "audit.List", err)
		}
	}
	return entries, page.Cursor, nil
}
