package vend_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"switchboard/shared/app/aws/iamtest"
	"switchboard/shared/app/aws/internal/account"
	"switchboard/shared/app/aws/internal/vend"
	"switchboard/shared/seal"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
)

const template = "../../../../../template.yaml"

// direct is an HTTP client without a network, for bubbles of testing/synctest.
type direct struct{ http.Handler }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// rig is an account, a vendor of the chat function's sessions, and a table behind the
// guard that is reached with those alone.
type rig struct {
	account *iamtest.Account
	own     aws.Credentials
	vendor  *vend.Vendor
	dynamo  *dynamotest.Server
	client  *dynamodb.Client // has no credentials
	*table.Table
}

func grants(data string, a account.Access) []vend.Grant {
	return a.Grants(data, "keys")
}

// newVendor makes the vendor of a function over the account's STS.
func newVendor(t *testing.T, a *iamtest.Account, own aws.Credentials, data string, access account.Access) *vend.Vendor {
	t.Helper()
	v, err := vend.New(configOf(&rig{account: a, own: own}), iamtest.DataRole(), grants(data, access))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// newRig has all of it in the process. change may alter the table's configuration.
func newRig(t *testing.T, change func(*dynamotable.Config)) *rig {
	t.Helper()
	r := &rig{account: iamtest.New(t, template, map[string]string{"DataTable": "data", "KeysTable": "keys", "DirectoryTable": "directory"})}
	_, r.dynamo = dynamotest.Start(t)
	for _, name := range []string{"data", "keys", "directory"} {
		makeTable(t, direct{r.dynamo}, "http://dynamodb.test", name)
	}
	r.own = r.account.Login("ChatRole")
	r.vendor = newVendor(t, r.account, r.own, "data", account.Chat())
	r.client = newClient(direct{r.account.Guard(r.dynamo)}, "http://dynamodb.test", nil)
	cfg := dynamotable.Config{Client: r.client, Table: "data", CursorKey: bytes.Repeat([]byte{7}, 32), Sealer: seal.Unsealed(), Credentials: r.vendor.For}
	if change != nil {
		change(&cfg)
	}
	var err error
	if r.Table, err = dynamotable.Open(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

func newClient(c aws.HTTPClient, endpoint string, creds aws.CredentialsProvider) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{Region: iamtest.Region, BaseEndpoint: &endpoint, HTTPClient: c, Credentials: creds})
}

// makeTable is the deployment's work: it does not go through the guard.
func makeTable(t *testing.T, c aws.HTTPClient, endpoint, name string) {
	t.Helper()
	admin := newClient(c, endpoint, credentials.NewStaticCredentialsProvider("test", "test", ""))
	if err := dynamotable.CreateTable(t.Context(), admin, name); err != nil {
		t.Fatal(err)
	}
}

// configOf is a configuration that a vendor can be made of.
func configOf(r *rig) aws.Config {
	return aws.Config{Region: iamtest.Region, HTTPClient: direct{r.account.STS()},
		Credentials: credentials.NewStaticCredentialsProvider(r.own.AccessKeyID, r.own.SecretAccessKey, r.own.SessionToken)}
}
