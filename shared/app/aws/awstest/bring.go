package awstest

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
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

// Tables makes the tables and returns a client of where they are.
func Tables(t testing.TB, endpoint string, names ...string) *dynamodb.Client {
	t.Helper()
	client := dynamodb.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	for _, name := range names {
		if err := dynamotable.CreateTable(t.Context(), client, name); err != nil {
			t.Fatal(err)
		}
	}
	return client
}

// Open opens a table as the functions do that have that master key.
func Open(t testing.TB, client *dynamodb.Client, sealer *seal.Sealer, name, master string) *table.Table {
	t.Helper()
	cursors, err := auth.Derive([]byte(master), "cursors")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := dynamotable.Open(dynamotable.Config{Client: client, Table: name, CursorKey: cursors, Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// Bring brings shipped companies into the tables, as `switchboard sync` does, and returns
// the directory.
func Bring(t testing.TB, client *dynamodb.Client, sealer *seal.Sealer, data, directory, master string, projects ...string) *auth.Directory {
	t.Helper()
	d, err := auth.NewDirectory(Open(t, client, sealer, directory, master), []byte(master))
	if err != nil {
		t.Fatal(err)
	}
	folders, err := company.Load(integrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	s := &admin.Service{Directory: d, Catalog: catalog.New(Open(t, client, sealer, data, master), 1<<20)}
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
