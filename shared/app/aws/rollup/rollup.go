// Package rollup derives from the data table's stream what follows from turns. So
// far that is one thing: it closes turns whose process died, so that their
// conversations show them. Totals, seals and alerts belong here too, each another
// reader of the same batch.
//
// functions/rollup is what runs it, under lambdahost.Work. Its one promise: a turn
// that a dead process left open is closed, once, at the first tick after the time by
// which that process must have ended it, however often, late or out of order the
// stream tells of it; and no other turn is touched.
//
// # How it is known that a process died
//
// A reservation says by when its process has ended the turn. Its record comes once,
// right after the write, so something has to remember it until then. In question were:
//
//   - A marker with a TTL: another write in every turn, which may write 4 units in
//     all, and DynamoDB deletes what has expired hours later.
//   - A queue that delays a message to the time (SQS): nothing to store, but one more
//     service, whose message would be sent for each turn that runs past its batch.
//   - A note in the table of each tenant's turns that are open, and a schedule that
//     looks at those whose time is up. This is what is done: it is the note that the
//     sweeper of one process keeps too, and shared/chat owns both.
//
// The note is a list of times to look, not of facts. Records only add to it; a turn
// leaves it when it was looked at, which is to ask the table. So neither order nor
// repetition matters: what comes twice is noted once or dropped once more, and a turn
// whose end came before its beginning is found to have ended. A crash between any two
// writes leaves a note too long, never one too short. Writers of the note (each shard
// has its own invocation, and the schedule) carry the version that they read.
//
// # What it costs
//
// The mapping waits for a minute's records. A turn reserved and stored within one
// batch costs nothing but, once a tenant and process, the tenant's key: a read of its
// ring each half minute of use and a call of KMS each four, and the tenant's session:
// a call of STS each ten minutes of use. The two records of a turn can be in different shards; then
// the turn's item is looked for: one read. Only turns that are still running are
// written down, all of a tenant in one write a batch. A record of the note itself
// does not come here: the mapping's filter leaves out its ID (chat.NoteID).
//
// Who has open turns is asked of every project on the directory's list: one read a project
// a minute, a query of the list for each thousand, and no Scan. Of the directory the
// function may read that list alone, whose items say nothing but ids.
//
// # What fails
//
// A store, or a provider of keys, that does not answer fails the records of the
// tenants it did not answer for; they come again, with those behind them. A record that cannot be read comes
// again until the mapping gives it up to its dead-letter queue; those behind it were
// taken each time.
package rollup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"

	"switchboard/shared/app/aws/internal/account"
	"switchboard/shared/chat"
	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Rollup is what the stream and the schedule call.
type Rollup struct {
	turns     *chat.Service
	directory *table.Table // of which only the list of projects is looked at
}

// Open reads the environment: SWITCHBOARD_TABLE, SWITCHBOARD_KEYS_TABLE and
// SWITCHBOARD_DIRECTORY_TABLE (names of DynamoDB tables), SWITCHBOARD_KMS_KEY or, where there is none,
// SWITCHBOARD_MASTER_KEY, as [account.Stores.Sealer] says, SWITCHBOARD_DATA_ROLE, as
// [account.Open] says, and what account.Config reads.
func Open(context.Context) (*Rollup, error) {
	cfg, err := account.Config(os.Getenv)
	if err != nil {
		return nil, err
	}
	cursors := make([]byte, 32) // no cursor leaves this process
	rand.Read(cursors)
	stores, err := account.Open(cfg, os.Getenv, account.Rollup())
	if err != nil {
		return nil, err
	}
	sealer, err := stores.Sealer([]byte(os.Getenv("SWITCHBOARD_MASTER_KEY")))
	if err != nil {
		return nil, err
	}
	data, err := stores.Data(cursors, sealer)
	if err != nil {
		return nil, err
	}
	directory, err := stores.Roster(sealer)
	if err != nil {
		return nil, err
	}
	return &Rollup{turns: &chat.Service{Table: data, Process: chat.NewProcess()}, directory: directory}, nil
}

// work mints the scope of this package's work for a tenant.
func work(id tenant.ID) tenant.Scope { return auth.ForWork(id, "sweep") }

// atOnce is how many tenants are worked for at a time.
const atOnce = 8

// part is what a batch holds of one tenant.
type part struct {
	changes []table.Change
	first   string // sequence number
}

// Records takes a batch of the stream. A tenant whose part fails fails alone.
func (r *Rollup) Records(ctx context.Context, records []events.DynamoDBEventRecord) map[string]error {
	parts, failed := r.split(ctx, records)
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(atOnce)
	for id, p := range parts {
		g.Go(func() error {
			if err := problem.Guard("rollup.Records", func() error { return r.turns.Watch(ctx, work(id), p.changes) }); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[p.first] = fmt.Errorf("%s: %w", id, err)
			}
			return nil
		})
	}
	g.Wait()
	return failed
}

// split sorts a batch by tenant, and says what of it is no tenant's or does not open.
func (r *Rollup) split(ctx context.Context, records []events.DynamoDBEventRecord) (map[tenant.ID]*part, map[string]error) {
	parts, failed := make(map[tenant.ID]*part), make(map[string]error)
	for _, rec := range records {
		number := rec.Change.SequenceNumber
		id, err := dynamotable.Owner(rec)
		if err != nil {
			failed[number] = err
			continue
		}
		c, err := dynamotable.Decode(work(id), rec)
		if err == nil {
			c, err = r.turns.Table.OpenChange(ctx, work(id), c)
		}
		if errors.Is(err, seal.ErrShredded) {
			continue // a tenant who is gone has no turns to close, and holds up nobody's shard
		}
		if err != nil {
			failed[number] = err
			continue
		}
		if parts[id] == nil {
			parts[id] = &part{first: number}
		}
		parts[id].changes = append(parts[id].changes, c)
	}
	return parts, failed
}

// Tick closes every tenant's turns whose time is up. A tenant for whom that fails
// is looked at again in a minute, and keeps no other from being looked at.
func (r *Rollup) Tick(ctx context.Context) error {
	var failed []error
	for cursor := ""; ; {
		ids, next, err := auth.Projects(ctx, r.directory, table.MaxPage, cursor)
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		failed = append(failed, r.tick(ctx, ids)...)
		if cursor = next; cursor == "" {
			return errors.Join(failed...)
		}
	}
}

// tick closes the turns of some tenants, and returns what failed.
func (r *Rollup) tick(ctx context.Context, ids []tenant.ID) (failed []error) {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, id := range ids {
		g.Go(func() error {
			if err := problem.Guard("rollup.Tick", func() error { return r.closeDue(ctx, id) }); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, fmt.Errorf("%s: %w", id, err))
			}
			return nil
		})
	}
	g.Wait()
	return failed
}

func (r *Rollup) closeDue(ctx context.Context, id tenant.ID) error {
	n, err := r.turns.CloseDue(ctx, work(id))
	if n > 0 {
		slog.LogAttrs(ctx, slog.LevelInfo, "closed turns of a process that ended", slog.String("project", id.String()), slog.Int("turns", n))
	}
	return err
}
