package awstest

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	integrations "switchboard/company-integrations"
	"switchboard/shared/admin"
	"switchboard/shared/company"
	"switchboard/shared/company/catalog"
	"switchboard/shared/seal"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/tenant/auth"
)

// Bring brings shipped companies into the tables, as `switchboard sync` does, and returns
// the directory.
func Bring(t testing.TB, client *dynamodb.Client, sealer *seal.Sealer, data, directory, master string, projects ...string) *auth.Directory {
	t.Helper()
	cursors, err := auth.Derive([]byte(master), "cursors")
	if err != nil {
		t.Fatal(err)
	}
	open := func(name string) *table.Table {
		tb, err := dynamotable.Open(dynamotable.Config{Client: client, Table: name, CursorKey: cursors, Sealer: sealer})
		if err != nil {
			t.Fatal(err)
		}
		return tb
	}
	d, err := auth.NewDirectory(open(directory), []byte(master))
	if err != nil {
		t.Fatal(err)
	}
	folders, err := company.Load(integrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	s := &admin.Service{Directory: d, Catalog: catalog.New(open(data), 1<<20)}
	for _, f := range folders {
		if !slices.Contains(projects, f.ID.String()) {
			continue
		}
		if _, err := s.Apply(t.Context(), auth.ForWork(f.ID, "sync"), catalog.FolderOf(f.Files), false); err != nil {
			t.Fatal(err)
		}
	}
	return d
}
