package account

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/kmsseal"
	"switchboard/shared/seal/masterseal"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/tenant"
)

// Keys say where the tenants' keys are.
type Keys struct {
	Table  string         // name of the DynamoDB table of their rings
	KMSKey string         // ARN of the KMS key that wraps them; "" = the master key does
	KMS    kmsseal.Client // asked where there is one
	Master []byte
	// Credentials vends what a tenant's ring is read and written with; nil = the
	// client's own.
	Credentials func(tenant.Scope) aws.CredentialsProvider
}

// Sealer opens the keys that the environment names: rings in the DynamoDB table
// SWITCHBOARD_KEYS_TABLE, wrapped by the KMS key whose ARN is SWITCHBOARD_KMS_KEY.
// Where that is not set they are wrapped under a key derived from the master key, and
// who has that and the table has every tenant's keys.
func (s *Stores) Sealer(master []byte) (*seal.Sealer, error) {
	name, err := s.name("SWITCHBOARD_KEYS_TABLE")
	if err != nil {
		return nil, err
	}
	k := Keys{Table: name, KMSKey: s.getenv("SWITCHBOARD_KMS_KEY"), Master: master, Credentials: s.vend}
	if k.KMSKey != "" {
		k.KMS = kms.NewFromConfig(s.cfg)
	}
	return k.Open(s.client)
}

// Open opens the keys. The rings have a table of their own so that the data's stream
// does not carry them, and a role can be given one table without the other.
func (k Keys) Open(client *dynamodb.Client) (*seal.Sealer, error) {
	// What is in a ring is wrapped already, and nobody sees a cursor.
	t, err := dynamotable.Open(dynamotable.Config{
		Client: client, Table: k.Table, CursorKey: make([]byte, 32), Sealer: seal.Unsealed(), Credentials: k.Credentials})
	if err != nil {
		return nil, err
	}
	if k.KMSKey == "" {
		return masterseal.Open(k.Master, rings{t})
	}
	return kmsseal.Open(kmsseal.Config{Client: k.KMS, Key: k.KMSKey, Rings: rings{t}})
}

// rings keeps each tenant's ring in an item of a table.
type rings struct{ t *table.Table }

var _ seal.Rings = rings{}

// ringKey is the one item of a tenant in the table of keys.
func ringKey() table.Key { return table.Key{Kind: "ring", ID: "ring"} }

// Load implements [seal.Rings]. The mark is the item's version and token.
func (r rings) Load(ctx context.Context, sc tenant.Scope) ([]byte, string, error) {
	it, err := r.t.Get(ctx, sc, ringKey())
	if err != nil || it.Version == 0 {
		return nil, "", err
	}
	return it.Body, strconv.FormatInt(it.Version, 10) + "/" + it.Token, nil
}

// Save implements [seal.Rings].
func (r rings) Save(ctx context.Context, sc tenant.Scope, ring []byte, mark string) error {
	write := table.Create(ringKey(), ring)
	if mark != "" {
		version, token, _ := strings.Cut(mark, "/")
		n, err := strconv.ParseInt(version, 10, 64)
		if err != nil {
			return problem.Wrap(problem.Internal, "account.Save", err)
		}
		write = table.Replace(table.Item{Key: ringKey(), Version: n, Token: token}, ring)
	}
	err := r.t.Write(ctx, sc, write)
	if conflict(err) {
		return seal.ErrRaced
	}
	return err
}

// Close implements [seal.Rings]. The client is the caller's.
func (r rings) Close() error { return r.t.Close() }

func conflict(err error) bool {
	_, ok := errors.AsType[*table.Conflict](err)
	return ok
}
