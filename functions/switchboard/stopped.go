package main

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/admin"
	"switchboard/shared/app/local"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// stopped is the keyring of a server that is stopped: the directory in its data.
type stopped struct{ directory *auth.Directory }

// withDirectory opens the data directory, which no server may have open. why says that
// a server was asked for first; nil if none was.
func (o *operator) withDirectory(why error, do func(keyring) (jsontext.Value, error)) (jsontext.Value, error) {
	d, closeAll, err := local.OpenDirectory(o.data)
	if err != nil && why != nil {
		return nil, fmt.Errorf("%w; and its data directory does not open: %w", why, err)
	}
	if err != nil {
		return nil, fmt.Errorf("this is done in the data directory, while no server has it open: %w", err)
	}
	answer, err := do(stopped{d})
	if closed := closeAll(); err == nil {
		err = closed
	}
	return answer, err
}

// knows refuses a project that there is not.
func (s stopped) knows(ctx context.Context, id tenant.ID) error {
	p, err := s.directory.Project(ctx, id)
	if err == nil && !p.Exists() {
		err = problem.New(problem.NotFound, "main.knows", "There is no project %s.", id)
	}
	return err
}

func (s stopped) list(ctx context.Context, id tenant.ID) (jsontext.Value, error) {
	if err := s.knows(ctx, id); err != nil {
		return nil, err
	}
	whole := page{Data: []jsontext.Value{}}
	for cursor := ""; ; {
		keys, next, err := s.directory.Keys(ctx, id, 100, cursor)
		if err != nil {
			return nil, err
		}
		for _, c := range keys {
			v, err := json.Marshal(admin.KeyOf(c, time.Now()))
			if err != nil {
				return nil, err
			}
			whole.Data = append(whole.Data, v)
		}
		if cursor = next; cursor == "" {
			return json.Marshal(whole)
		}
	}
}

func (s stopped) create(ctx context.Context, w wanted) (jsontext.Value, error) {
	c, err := w.credential(time.Now())
	if err != nil {
		return nil, err
	}
	if !w.project.IsZero() {
		if err := s.knows(ctx, w.project); err != nil {
			return nil, err
		}
	}
	c, secret, err := s.directory.Issue(ctx, c)
	if err != nil {
		return nil, err
	}
	k := admin.KeyOf(c, time.Now())
	k.Text = secret.Reveal()
	return json.Marshal(k)
}

func (s stopped) revoke(ctx context.Context, id tenant.ID, key string) (jsontext.Value, error) {
	if id.IsZero() {
		if err := s.directory.Revoke(ctx, key); err != nil {
			return nil, err
		}
		return json.Marshal(admin.Key{ID: key, Status: "revoked"})
	}
	if err := s.knows(ctx, id); err != nil {
		return nil, err
	}
	c, err := s.directory.RevokeOf(ctx, id, key)
	if err != nil {
		return nil, err
	}
	return json.Marshal(admin.KeyOf(c, time.Now()))
}
