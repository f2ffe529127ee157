package table

import (
	"context"

	"switchboard/shared/seal"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// SealedBy returns t with bodies sealed by s from here on. Whoever opens a table for
// a feature says so once, tests with [seal.Unsealed] if they like: what serves
// requests takes no table of which nobody has ([Table.Decided]).
func (t *Table) SealedBy(s *seal.Sealer) *Table {
	sealed := *t
	sealed.sealer, sealed.decided = s, true
	return &sealed
}

// Decided reports whether it was said how bodies are kept.
func (t *Table) Decided() bool { return t.decided }

// OpenChange returns the change with its item's body opened. It is for a change that
// did not come from [Table.Changes], which has done so.
func (t *Table) OpenChange(ctx context.Context, sc tenant.Scope, c Change) (Change, error) {
	if err := sc.Check("table.OpenChange"); err != nil {
		return Change{}, err
	}
	var err error
	if c.Item, err = t.open(ctx, sc, c.Item); err != nil {
		return Change{}, err
	}
	return c, nil
}

// place is what an item's body is bound to. The version is not in it: a Put does not
// know which it makes.
func place(k Key) seal.Place {
	return seal.Place{Store: seal.Table, Kind: string(k.Kind), Parent: k.Parent, ID: k.ID}
}

// seal seals the bodies of the operations that have one, an empty one included.
func (t *Table) seal(ctx context.Context, sc tenant.Scope, ops []driver.Op) (err error) {
	for i, o := range ops {
		if o.Type != driver.Create && o.Type != driver.Replace && o.Type != driver.Put {
			continue
		}
		if ops[i].Body, err = t.sealer.Seal(ctx, sc, place(o.Key), o.Body); err != nil {
			return err
		}
	}
	return nil
}

// open opens an item's body. The absent item has none, nor has one that only Add has
// written, which has counters; any other body that is missing was taken, and does not
// open.
func (t *Table) open(ctx context.Context, sc tenant.Scope, it Item) (Item, error) {
	if it.Version == 0 || len(it.Body) == 0 && (len(it.Counts) > 0 || !t.sealer.Seals()) {
		return it, nil
	}
	var err error
	if it.Body, err = t.sealer.Open(ctx, sc, place(it.Key), it.Body); err != nil {
		return Item{}, err
	}
	return it, nil
}
