package account_test

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"switchboard/shared/app/aws/internal/account"
	"switchboard/shared/seal"
	"switchboard/shared/seal/kmsseal/kmstest"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
)

// direct is an HTTP client without a network, for bubbles of testing/synctest.
type direct struct{ http.Handler }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestKeys runs the sealers' suite on what the functions use: rings in DynamoDB,
// wrapped by KMS or by the master key.
func TestKeys(t *testing.T) {
	t.Parallel()
	_, server := dynamotest.Start(t)
	client := func() *dynamodb.Client {
		return dynamodb.New(dynamodb.Options{
			BaseEndpoint: aws.String("http://dynamodb.test"), Region: "us-east-1", HTTPClient: direct{server},
			Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		})
	}
	for name, wrapped := range map[string]func() account.Keys{
		"by KMS": func() account.Keys {
			k := kmstest.New()
			return account.Keys{KMS: k.Client(), KMSKey: k.NewKey()}
		},
		"by the master key": func() account.Keys { return account.Keys{Master: bytes.Repeat([]byte("m"), 32)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sealtest.Run(t, func(t *testing.T) func() *seal.Sealer {
				k := wrapped()
				k.Table = "keys-" + rand.Text()
				if err := dynamotable.CreateTable(t.Context(), client(), k.Table); err != nil {
					t.Fatal(err)
				}
				return func() *seal.Sealer {
					s, err := k.Open(client())
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
			})
		})
	}
	for name, k := range map[string]account.Keys{"without a table": {Master: make([]byte, 32)}, "without a master": {Table: "keys"}} {
		if _, err := k.Open(client()); err == nil {
			t.Errorf("%s it opens", name)
		}
	}
}
