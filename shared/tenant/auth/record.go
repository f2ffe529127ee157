package auth

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant/internal/scope"
)

// record is what the directory keeps. Its own id is in it, so that one in another's
// place is found out.
type record interface {
	Credential | Project
	id() string
}

func (c Credential) id() string { return c.ID }
func (p Project) id() string    { return p.ID }

// load returns the record under the key, with its item; a zero one if there is none.
func load[R record](ctx context.Context, d *Directory, key table.Key) (table.Item, R, error) {
	var none R
	it, err := d.table.Get(ctx, scope.Directory(), key)
	if err != nil || it.Version == 0 {
		return it, none, err
	}
	r, err := decode[R](it)
	return it, r, err
}

// decode reads the record that an item holds.
func decode[R record](it table.Item) (R, error) {
	const op = "auth.decode"
	var r, none R
	if err := json.Unmarshal(it.Body, &r); err != nil {
		return none, problem.Wrap(problem.Internal, op, err)
	}
	if r.id() != it.Key.ID {
		return none, problem.Wrap(problem.Internal, op, errors.New("a record of the directory is stored under another's id"))
	}
	return r, nil
}

// rewrite changes the record under the key as it is now, and looks again where
// somebody else changed it meanwhile. edit is given the zero record where there is
// none, and reports whether there is anything to write. The record is as it is then.
func rewrite[R record](ctx context.Context, d *Directory, key table.Key, edit func(*R) (bool, error)) (R, error) {
	for {
		it, r, err := load[R](ctx, d, key)
		if err != nil {
			return r, err
		}
		if change, err := edit(&r); err != nil || !change {
			return r, err
		}
		body, err := json.Marshal(r, json.Deterministic(true))
		if err != nil {
			return r, problem.Wrap(problem.Internal, "auth.rewrite", err)
		}
		write := table.Create(key, body)
		if it.Version > 0 {
			write = table.Replace(it, body)
		}
		err = d.table.Write(ctx, scope.Directory(), write)
		if _, raced := errors.AsType[*table.Conflict](err); !raced {
			return r, err
		}
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
	}
}
