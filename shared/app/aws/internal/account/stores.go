package account

import (
	"context"
	"crypto/rand"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"switchboard/shared/app/aws/internal/vend"
	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Access is what a function does with tenants' data, and so what its sessions may:
// actions of DynamoDB by name.
type Access struct {
	Data, Keys []string     // of the table of data, of that of keys
	Kinds      []table.Kind // of the items of data; none = every kind
}

// Grants are what its sessions are given of the two tables, by their names.
func (a Access) Grants(data, keys string) []vend.Grant {
	return []vend.Grant{{Table: data, Actions: a.Data, Kinds: a.Kinds}, {Table: keys, Actions: a.Keys}}
}

// The functions' accesses. The data role's policy in template.yaml allows what they
// have together. No list has Scan, a batch or PartiQL in it. A tenant's first key is
// made by whoever writes first; Rotate and Shred replace a ring, and are nobody's
// here.
func Chat() Access {
	return Access{
		Data: []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "ConditionCheckItem"},
		Keys: []string{"GetItem", "PutItem"},
	}
}

// TenantAdmin is the access of the operator's function: it adds entries to companies'
// audit logs, reads and writes what they are, and keeps their standing. Of the rest it
// can reach nothing.
func TenantAdmin() Access {
	return Access{
		Data: []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"},
		// Those of catalog.Kinds, audit.Kind and auth.StandingKind, by name: the authorizer
		// has this package in it and none of theirs.
		Kinds: []table.Kind{"definition", "article", "revision", "audit", "standing"},
		Keys:  []string{"GetItem", "PutItem"},
	}
}

// Rollup is the access of the function behind the stream. What it writes is of tenants
// whose items it has read, so they have a key.
func Rollup() Access {
	return Access{Data: []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"}, Keys: []string{"GetItem"}}
}

// Stores open the tables that the environment names.
type Stores struct {
	cfg    aws.Config
	getenv func(string) string
	// client has no credentials of its own: each table says what its calls are signed
	// with. Its connections serve all.
	client *dynamodb.Client
	vend   func(tenant.Scope) aws.CredentialsProvider
}

// Open reads SWITCHBOARD_DATA_ROLE, the ARN of the role whose sessions tenants' data is
// touched with. Without it there are no stores, unless SWITCHBOARD_UNVENDED=1 says that
// the function's own credentials are to do: that is for what is not AWS.
func Open(cfg aws.Config, getenv func(string) string, access Access) (*Stores, error) {
	const op = "account.Open"
	s := &Stores{cfg: cfg, getenv: getenv}
	s.client = dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.Credentials = aws.CredentialsProviderFunc(none) })
	role, unvended := getenv("SWITCHBOARD_DATA_ROLE"), getenv("SWITCHBOARD_UNVENDED")
	switch {
	case role != "" && unvended != "":
		return nil, problem.New(problem.Internal, op, "SWITCHBOARD_DATA_ROLE and SWITCHBOARD_UNVENDED are both set")
	case role == "" && unvended == "1":
		slog.Warn("SWITCHBOARD_UNVENDED=1: tenants' data is touched with the function's own credentials")
		s.vend = s.own
		return s, nil
	case role == "":
		return nil, problem.New(problem.Internal, op, "SWITCHBOARD_DATA_ROLE is not set (SWITCHBOARD_UNVENDED=1 does without it, where there is no AWS)")
	}
	data, err := s.name("SWITCHBOARD_TABLE")
	if err != nil {
		return nil, err
	}
	keys, err := s.name("SWITCHBOARD_KEYS_TABLE")
	if err != nil {
		return nil, err
	}
	v, err := vend.New(cfg, role, access.Grants(data, keys))
	if err != nil {
		return nil, err
	}
	s.vend = v.For
	return s, nil
}

// Unvended are the stores of a function that touches no tenant's data: it reads the
// directory, and of the keys the directory's own, with its own credentials. What those
// allow is its role's to say.
func Unvended(cfg aws.Config, getenv func(string) string) *Stores {
	s := &Stores{cfg: cfg, getenv: getenv, client: dynamodb.NewFromConfig(cfg)}
	s.vend = s.own
	return s
}

// none are the credentials of a call for no tenant.
func none(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, problem.New(problem.Internal, "account.none", "a call of tenants' data without a tenant's credentials")
}

// own are the function's own credentials.
func (s *Stores) own(tenant.Scope) aws.CredentialsProvider { return s.cfg.Credentials }

// Data opens the tenants' table, SWITCHBOARD_TABLE. cursors is the key of its cursors,
// and the sealer seals its bodies.
func (s *Stores) Data(cursors []byte, sealer *seal.Sealer) (*table.Table, error) {
	name, err := s.name("SWITCHBOARD_TABLE")
	if err != nil {
		return nil, err
	}
	return dynamotable.Open(dynamotable.Config{Client: s.client, Table: name, CursorKey: cursors, Sealer: sealer, Credentials: s.vend})
}

// Directory opens SWITCHBOARD_DIRECTORY_TABLE, the one store outside any tenant, on the
// function's own credentials.
func (s *Stores) Directory(master []byte, sealer *seal.Sealer) (*auth.Directory, error) {
	cursors, err := auth.Derive(master, "cursors")
	if err != nil {
		return nil, err
	}
	t, err := s.directory(cursors, sealer)
	if err != nil {
		return nil, err
	}
	return auth.NewDirectory(t, master)
}

// Roster opens the same table for [auth.Projects] alone, which needs no key.
func (s *Stores) Roster(sealer *seal.Sealer) (*table.Table, error) {
	cursors := make([]byte, 32) // no cursor leaves this process
	rand.Read(cursors)
	return s.directory(cursors, sealer)
}

func (s *Stores) directory(cursors []byte, sealer *seal.Sealer) (*table.Table, error) {
	name, err := s.name("SWITCHBOARD_DIRECTORY_TABLE")
	if err != nil {
		return nil, err
	}
	return dynamotable.Open(dynamotable.Config{Client: s.client, Table: name, CursorKey: cursors, Sealer: sealer, Credentials: s.own})
}

// name is the table that the variable names.
func (s *Stores) name(variable string) (string, error) {
	if name := s.getenv(variable); name != "" {
		return name, nil
	}
	return "", problem.New(problem.Internal, "account.Open", "%s is not set", variable)
}
