package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"switchboard/shared/company"
	"switchboard/shared/problem"
	"switchboard/shared/seal/fileseal"
	"switchboard/shared/tenant/auth"
)

// openKeys opens the tenants' keys and makes those of companies that are new, before
// any item of theirs is written: a table without a key is one that lost it.
func (l *Local) openKeys(ctx context.Context, data string, master []byte) (err error) {
	keys := filepath.Join(data, "keys")
	if err := checkSealed(data, keys, l.Companies); err != nil {
		return err
	}
	if l.sealer, err = fileseal.Open(keys, master, nil); err != nil {
		return err
	}
	l.closers = append(l.closers, l.sealer.Close)
	var mu sync.Mutex
	var failed []error
	var g errgroup.Group
	g.SetLimit(4)
	for _, c := range l.Companies {
		g.Go(func() error {
			err := problem.Guard("local.openKeys", func() error { return l.sealer.Prepare(ctx, auth.ForWork(c.ID, "keys")) })
			if err != nil {
				slog.ErrorContext(ctx, "keys cannot be had", slog.String("project", c.ID.String()), slog.Any("err", err))
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, fmt.Errorf("keys of %s: %w", c.ID, err))
			}
			return nil
		})
	}
	g.Wait()
	// One tenant's keys may be shredded or away and hurt nobody else. If it is
	// everybody's, the master key or the disk is not what it was.
	if len(failed) > 0 && len(failed) == len(l.Companies) {
		return errors.Join(failed...)
	}
	return nil
}

// checkSealed refuses a data directory with items that no key in it can open, before
// a new key is made for them.
func checkSealed(data, keys string, companies []company.Company) error {
	const begin = "it was made before items were sealed, or its keys were lost. Restore %s, or begin anew in another directory"
	if there, err := exists(keys); err != nil {
		return err
	} else if credentials, err := filepath.Glob(filepath.Join(data, "directory", "*", "table.db")); err != nil || !there && len(credentials) > 0 {
		return errors.Join(err, fmt.Errorf("%s holds credentials and no keys: "+begin, data, keys))
	}
	for _, c := range companies {
		items, err := exists(filepath.Join(data, "tenants", c.ID.String(), "table.db"))
		if err != nil {
			return err
		}
		has, err := fileseal.Has(keys, c.ID)
		if err != nil {
			return err
		}
		if items && !has {
			return fmt.Errorf("%s holds items of %s and no key of theirs: "+begin, data, c.ID, keys)
		}
	}
	return nil
}

func exists(name string) (bool, error) {
	_, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
