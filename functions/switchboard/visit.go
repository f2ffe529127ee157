package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/admin"
	"switchboard/shared/company"
	"switchboard/shared/company/catalog"
	"switchboard/shared/tenant/auth"
)

// visit is what becomes of one company's folder.
type visit struct {
	client *client
	folder company.Folder
	force  bool

	create  bool             // there is no such company yet
	changes []catalog.Change // that are to be made, then that were
	err     error            // why they were not, or not all
}

// files is the body of PUT .../files. All hashes go with each, so that the server sees
// the whole folder; the texts go in as many as it takes.
type files struct {
	Hashes map[string]string `json:"hashes"`
	Files  company.Files     `json:"files"`
	Force  bool              `json:"force"`
	DryRun bool              `json:"dry_run"`
}

func (v *visit) id() string { return v.folder.ID.String() }

// body is what is sent of the folder, without a text.
func (v *visit) body(dry bool) files {
	return files{catalog.FolderOf(v.folder.Files).Hashes, company.Files{}, v.force, dry}
}

// plan asks what would change. That every text fits a request is found here, before any
// is sent.
func (v *visit) plan(ctx context.Context) error {
	body := v.body(true)
	answer, err := v.put(ctx, body)
	r, refused := errors.AsType[*refusal](err)
	switch {
	case refused && r.Status == http.StatusNotFound:
		v.create = true
		for _, path := range slices.Sorted(maps.Keys(v.folder.Files)) {
			v.changes = append(v.changes, catalog.Change{Path: path, What: catalog.Added, Wanted: true})
		}
	case err != nil:
		return err
	default:
		v.changes = answer.Changes
	}
	_, err = pack(body, v.folder.Files, textsOf(v.changes))
	return err
}

// textsOf are the paths of the files whose texts are to be sent.
func textsOf(changes []catalog.Change) (paths []string) {
	for _, ch := range changes {
		if ch.Wanted {
			paths = append(paths, ch.Path)
		}
	}
	return paths
}

// apply does what was planned. It asks the server again with each request, and sends
// what that wants.
func (v *visit) apply(ctx context.Context) error {
	if v.create {
		body, err := fieldsOf(company.Manifest, plain(v.folder.Files[company.Manifest]), v.id())
		if err == nil {
			_, err = v.client.ask(ctx, http.MethodPost, projects, body)
		}
		if err != nil {
			return err
		}
	}
	texts := textsOf(v.changes)
	for {
		body, err := pack(v.body(false), v.folder.Files, texts)
		if err != nil {
			return err
		}
		// Also where nothing changed, and without a text: the server notes that the
		// folder has what it has.
		answer, err := v.put(ctx, body)
		if err != nil {
			return err
		}
		v.learn(answer.Changes)
		rest := textsOf(answer.Changes)
		if len(rest) == 0 {
			return nil
		}
		if slices.Equal(rest, texts) {
			return errors.New("the server asks again for what it was sent")
		}
		texts = rest
	}
}

// learn notes what the server did that was not planned: somebody else was at work too.
func (v *visit) learn(changes []catalog.Change) {
	for _, ch := range changes {
		if !slices.ContainsFunc(v.changes, func(known catalog.Change) bool { return known.Path == ch.Path }) {
			v.changes = append(v.changes, ch)
		}
	}
}

func (v *visit) put(ctx context.Context, body files) (a admin.SyncAnswer, err error) {
	answer, err := v.client.ask(ctx, http.MethodPut, projectPath(v.id(), "files"), body)
	if err != nil {
		return a, err
	}
	if json.Unmarshal(answer, &a) != nil {
		return a, v.client.strange()
	}
	return a, nil
}

// pack returns the body with as many of the texts at paths as a request takes, from the
// first on. A text that fits none is an error.
func pack(body files, texts company.Files, paths []string) (files, error) {
	frame, err := json.Marshal(body)
	if err != nil {
		return body, err
	}
	room := auth.MaxAdminBody - len(frame)
	if room < 0 {
		return body, fmt.Errorf("the folder's %d files are more than a request can name", len(body.Hashes))
	}
	body.Files = company.Files{}
	left := room
	full := false
	for _, path := range paths {
		size, err := sizeOf(path, texts[path])
		switch {
		case err != nil:
			return body, err
		case size > room:
			return body, fmt.Errorf("%s takes %d bytes of a request, which has room for %d beside what it says of the folder", path, size, room)
		}
		if full = full || size > left; !full {
			body.Files[path], left = texts[path], left-size
		}
	}
	return body, nil
}

// sizeOf is what a text takes as a member of a JSON object.
func sizeOf(path, text string) (int, error) {
	name, err := jsontext.AppendQuote(nil, path)
	if err != nil {
		return 0, err
	}
	value, err := jsontext.AppendQuote(nil, text)
	return len(name) + len(value) + len(":,"), err
}

func (v *visit) count(what catalog.What) (n int) {
	for _, ch := range v.changes {
		if ch.What == what {
			n++
		}
	}
	return n
}

// outcome is how it ended for a company.
type outcome struct {
	ID      string           `json:"id"`
	State   string           `json:"state"` // create, change: to be done; created, changed: done; unchanged | failed
	Changes []catalog.Change `json:"changes"`
	Error   string           `json:"error,omitempty"`
}

func (v *visit) outcome(dry bool) outcome {
	o := outcome{ID: v.id(), Changes: []catalog.Change{}}
	for _, ch := range v.changes {
		ch.Wanted = false // the protocol's, not a person's
		o.Changes = append(o.Changes, ch)
	}
	switch {
	case v.err != nil:
		o.State, o.Error = "failed", sentence(v.err)
		return o
	case v.create:
		o.State = "create"
	case len(v.changes) > v.count(catalog.Kept):
		o.State = "change"
	default:
		o.State = "unchanged"
		return o
	}
	if !dry {
		o.State += "d"
	}
	return o
}

// line says it in one line.
func (o outcome) line() string {
	switch o.State {
	case "failed":
		return fmt.Sprintf("%s: failed: %s", o.ID, o.Error)
	case "created":
		return fmt.Sprintf("%s: created. Next: switchboard key create %s", o.ID, o.ID)
	}
	return o.ID + ": " + o.State
}
