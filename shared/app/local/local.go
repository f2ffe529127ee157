// Package local wires the functions to embedded stores: SQLite files, sessions in
// memory, keys in files; no cloud account.
//
// functions/switchboard and tests import it. Its one promise: everything that has
// to last is under one directory that one process owns, and whatever else is used
// (a real Redis, a model's provider) is named by the environment.
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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"golang.org/x/sync/errgroup"

	"switchboard/shared/admin"
	"switchboard/shared/app"
	"switchboard/shared/app/providers"
	"switchboard/shared/audit"
	"switchboard/shared/chat"
	"switchboard/shared/company"
	"switchboard/shared/company/catalog"
	"switchboard/shared/knowledge"
	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/search"
	"switchboard/shared/search/sqlitesearch"
	"switchboard/shared/session"
	"switchboard/shared/session/memsession"
	"switchboard/shared/session/redissession"
	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
	"switchboard/shared/usage"
	"switchboard/shared/web/demo"
)

// Options say what to open.
type Options struct {
	Data      string              // directory of all that lasts; made if need be
	Companies fs.FS               // the companies' folders
	Getenv    func(string) string // nil: an empty environment
	Dev       bool                // demo pages
	Origins   []string            // of this server's own pages, which may stand for any company's site
	Open      int                 // how many companies' files are kept open; 0 = what [OpenFiles] says
	Models    *model.Models       // nil: those the environment names
}

// Local is an open set of stores and the functions on them.
type Local struct {
	app.Parts
	Directory *auth.Directory
	Audit     *audit.Log
	Catalog   *catalog.Catalog
	Companies []company.Company // those whose folders were read

	sealer  *seal.Sealer
	table   *table.Table
	search  *search.Index
	session *session.Session
	closers []func() error
	sweeps  sync.WaitGroup
	stop    context.CancelFunc
}

// Open opens the data directory and brings the companies' folders into it. A mistake in
// any company's folder is an error, and nothing was changed.
func Open(ctx context.Context, o Options) (_ *Local, err error) {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Open == 0 {
		o.Open = OpenFiles()
	}
	l := &Local{stop: func() {}}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	folders, err := company.Load(o.Companies)
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		l.Companies = append(l.Companies, f.Company)
	}
	master, err := l.openData(o.Data)
	if err != nil {
		return nil, err
	}
	if err = l.openKeys(ctx, o.Data, master); err != nil {
		return nil, err
	}
	if err = l.openStores(o, master); err != nil {
		return nil, err
	}
	l.Catalog = catalog.New(l.table, heldCompanies)
	l.Admin = &admin.Service{Directory: l.Directory, Catalog: l.Catalog, Learn: l.learn}
	if err = l.bring(ctx, folders); err != nil {
		return nil, err
	}
	models := o.Models
	if models == nil {
		if models, err = providers.Open(o.Getenv, awsConfig); err != nil {
			return nil, err
		}
	}
	warn(l.Companies, models)
	prices, err := usage.Shipped()
	if err != nil {
		return nil, err
	}
	l.Audit = audit.New(l.table)
	l.Gate = auth.NewGate(l.Directory, app.Sites{Companies: l.Catalog, Own: o.Origins}, l.Audit)
	l.Chat = &chat.Service{
		Companies: l.Catalog, Table: l.table, Session: l.session, Search: l.search,
		Models: models, Prices: prices, Process: chat.NewProcess(), Alone: true,
	}
	if o.Dev {
		l.Demo = demo.New(l.Catalog, func(id tenant.ID) tenant.Scope { return auth.ForWork(id, "demo") })
	}
	l.startSweeping()
	return l, nil
}

// warn says what was read, is no mistake in itself, and will disappoint.
func warn(companies []company.Company, models *model.Models) {
	for _, c := range companies {
		if len(c.Assistants) == 0 {
			slog.Warn("a company has no assistant, so nobody answers", slog.String("project", c.ID.String()))
		}
		for _, a := range c.Assistants {
			for _, name := range append([]string{a.Model}, a.Fallback...) {
				if ref, err := model.ParseRef(name); err == nil && !models.Has(ref.Provider) {
					slog.Warn("an assistant names a model whose provider has no key", slog.String("project", c.ID.String()),
						slog.String("assistant", a.ID), slog.String("model", name), slog.Bool("has_fallback", len(a.Fallback) > 0))
				}
			}
		}
	}
}

// OpenDirectory opens the credentials of a data directory alone, for the command
// line. No server may have it open.
func OpenDirectory(data string) (*auth.Directory, func() error, error) {
	if _, err := os.Stat(filepath.Join(data, "master.key")); err != nil {
		return nil, nil, fmt.Errorf("%s is no data directory; start `switchboard serve --data %s` once", data, data)
	}
	l := &Local{stop: func() {}}
	master, err := l.openData(data)
	if err == nil {
		err = l.openKeys(context.Background(), data, master)
	}
	if err == nil {
		err = l.openDirectory(data, master)
	}
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l.Directory, l.Close, nil
}

func (l *Local) openDirectory(data string, master []byte) error {
	cursors, err := auth.Derive(master, "cursors")
	if err != nil {
		return err
	}
	dir := filepath.Join(data, "directory")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	t, err := sqlitetable.Open(dir, cursors, nil)
	if err != nil {
		return err
	}
	l.closers = append(l.closers, t.Close)
	l.Directory, err = auth.NewDirectory(t.SealedBy(l.sealer), master)
	return err
}

// awsConfig reads the AWS SDK's own variables and files.
func awsConfig(ctx context.Context) (aws.Config, error) { return config.LoadDefaultConfig(ctx) }

// openData makes the data directory ours and returns the master key in it.
func (l *Local) openData(dir string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory (--data, SWITCHBOARD_DATA): %w", err)
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("the data directory %s is in use: %w", dir, err)
	}
	l.closers = append(l.closers, unlock)
	return masterKey(filepath.Join(dir, "master.key"))
}

func (l *Local) openStores(o Options, master []byte) error {
	cursors, err := auth.Derive(master, "cursors")
	if err != nil {
		return err
	}
	tenants := filepath.Join(o.Data, "tenants")
	if err := os.MkdirAll(tenants, 0o700); err != nil {
		return err
	}
	items, err := sqlitetable.Open(tenants, cursors, &sqlitetable.Options{MaxOpen: o.Open})
	if err != nil {
		return err
	}
	l.table = items.SealedBy(l.sealer)
	l.closers = append(l.closers, l.table.Close)
	if err := l.openDirectory(o.Data, master); err != nil {
		return err
	}
	if l.search, err = sqlitesearch.Open(tenants, &sqlitesearch.Options{Files: o.Open}); err != nil {
		return err
	}
	l.closers = append(l.closers, l.search.Close)
	l.session = memsession.New(0)
	if url := o.Getenv("REDIS_URL"); url != "" {
		if l.session, err = redissession.Dial(url, l.sealer); err != nil {
			return err
		}
	}
	l.closers = append(l.closers, l.session.Close)
	return nil
}

// heldCompanies bounds the companies in memory, in bytes of their definitions.
const heldCompanies = 64 << 20

// bring brings the folders here: what changed in them since they were here last.
func (l *Local) bring(ctx context.Context, folders []company.Folder) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, f := range folders {
		g.Go(func() error {
			err := problem.Guard("local.bring", func() error {
				changes, err := l.Admin.Apply(ctx, auth.ForWork(f.ID, "sync"), catalog.FolderOf(f.Files), false)
				for _, c := range changes {
					if c.What == catalog.Kept {
						slog.InfoContext(ctx, "a file was changed by the API since its folder was read; it stays as it is until the folder's changes",
							slog.String("project", f.ID.String()), slog.String("file", c.Path))
					}
				}
				return err
			})
			if problem.Is(err, problem.Conflict) && l.made(ctx, f.ID) {
				// What the API has made leaves no room for it: that company stays as it is,
				// and keeps no other from being served.
				slog.ErrorContext(ctx, "a company's folder was not brought", slog.String("project", f.ID.String()), slog.Any("err", err))
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f.ID, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// made reports whether there is such a project already.
func (l *Local) made(ctx context.Context, id tenant.ID) bool {
	p, err := l.Directory.Project(ctx, id)
	return err == nil && p.Exists()
}

// learn brings a company's index in step with its articles.
func (l *Local) learn(ctx context.Context, sc tenant.Scope) error {
	articles, err := l.Catalog.Articles(ctx, sc)
	if err != nil {
		return err
	}
	_, err = knowledge.Sync(ctx, sc, l.search, articles)
	return err
}

// Close stops the background work and closes the stores, the last one first.
func (l *Local) Close() error {
	l.stop()
	l.sweeps.Wait()
	var errs []error
	for i := len(l.closers) - 1; i >= 0; i-- {
		errs = append(errs, l.closers[i]())
	}
	l.closers = nil
	return errors.Join(errs...)
}
