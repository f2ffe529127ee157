// Package awstest gives tests of the functions the keys that a function under test
// has, so that both read what the other wrote, and the account that it runs in.
//
// Tests import it. Its one promise: what it opens is what shared/app/aws opens, with
// stand-ins for KMS, STS and the evaluation of policies.
package awstest

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"switchboard/shared/app/aws/internal/account"
	"switchboard/shared/seal"
	"switchboard/shared/seal/kmsseal/kmstest"
)

// Keys are the tenants' keys of functions under test.
type Keys struct {
	Table    string // of their rings; the test makes it
	KMS      *kmstest.Server
	key      string
	endpoint string
}

// NewKeys starts a KMS until the test ends.
func NewKeys(t testing.TB, table string) *Keys {
	endpoint, server := kmstest.Start(t)
	return &Keys{table, server, server.NewKey(), endpoint}
}

// Env is what a function's environment says of them.
func (k *Keys) Env() []string {
	return []string{"AWS_ENDPOINT_URL_KMS=" + k.endpoint, "SWITCHBOARD_KEYS_TABLE=" + k.Table, "SWITCHBOARD_KMS_KEY=" + k.key}
}

// Sealer opens them in the test's process, until the test ends.
func (k *Keys) Sealer(t testing.TB, client *dynamodb.Client) *seal.Sealer {
	t.Helper()
	s, err := account.Keys{Table: k.Table, KMSKey: k.key, KMS: k.KMS.Client()}.Open(client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
