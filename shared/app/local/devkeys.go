package local

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/tenant/auth"
)

// DevKeys are the keys of a development server, as they stand in dev-keys.json.
type DevKeys struct {
	Operator string                 `json:"operator"`
	Projects map[string]ProjectKeys `json:"projects"`
}

// ProjectKeys are one project's.
type ProjectKeys struct {
	Secret      string `json:"secret"`
	Publishable string `json:"publishable"`
}

// DevKeys makes, once, an operator key and a secret and a publishable key for each
// company, and keeps them in the file (0600). Keys in the file that do not hold
// any more are replaced.
func (l *Local) DevKeys(ctx context.Context, file string) (DevKeys, error) {
	var have DevKeys
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &have)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return DevKeys{}, err
	}
	keys := DevKeys{Projects: make(map[string]ProjectKeys)}
	changed := false
	issue := func(kind auth.Kind, project, old string) string {
		of, ok, verr := l.Directory.Verify(ctx, kind, old)
		if verr != nil {
			err = verr
		}
		if ok && of == project {
			return old
		}
		changed = true
		_, secret, ierr := l.Directory.Issue(ctx, auth.Credential{Kind: kind, Project: project, Name: "development"})
		if ierr != nil {
			err = ierr
		}
		return secret.Reveal()
	}
	err = nil
	keys.Operator = issue(auth.OperatorKey, "", have.Operator)
	for _, c := range l.Companies {
		id := c.ID.String()
		old := have.Projects[id]
		keys.Projects[id] = ProjectKeys{issue(auth.SecretKey, id, old.Secret), issue(auth.Publishable, id, old.Publishable)}
	}
	if err != nil || !changed {
		return keys, err
	}
	data, err = json.Marshal(keys, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		return keys, err
	}
	return keys, WriteFile(file, append(data, '\n'))
}
