// Package aws wires the functions to DynamoDB, ElastiCache and the models' real
// endpoints, for Lambda.
//
// The mains under functions import it. Its one promise: no client is called
// before a request needs it, and what is not set up in the environment is an
// error at the start or is done without, never replaced by another's.
package aws

import (
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"switchboard/shared/admin"
	"switchboard/shared/app"
	"switchboard/shared/app/aws/internal/account"
	"switchboard/shared/app/aws/internal/usageplan"
	"switchboard/shared/app/providers"
	"switchboard/shared/audit"
	"switchboard/shared/chat"
	"switchboard/shared/company/catalog"
	"switchboard/shared/knowledge"
	"switchboard/shared/seal"
	"switchboard/shared/search"
	"switchboard/shared/search/memsearch"
	"switchboard/shared/session"
	"switchboard/shared/session/redissession"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
	"switchboard/shared/usage"
)

// Open reads the environment of the chat function: SWITCHBOARD_TABLE and
// SWITCHBOARD_KEYS_TABLE (names of DynamoDB tables),
// SWITCHBOARD_KMS_KEY (the ARN of the key that wraps the tenants' keys; none:
// [account.Stores.Sealer] wraps them under the master key), SWITCHBOARD_MASTER_KEY (at least
// 32 characters), SWITCHBOARD_DATA_ROLE (the ARN of the role whose sessions, one a
// tenant, touch tenants' data; [account.Open]), REDIS_URL (none: windows are read from the table), the models' keys,
// and what account.Config reads.
func Open(context.Context) (*app.Parts, error) {
	o, err := open(account.Chat())
	if err != nil {
		return nil, err
	}
	var window *session.Session // nil is one without windows
	if url := os.Getenv("REDIS_URL"); url != "" {
		if window, err = redissession.Dial(url, o.sealer); err != nil {
			return nil, err
		}
	}
	models, err := providers.Open(os.Getenv, func(context.Context) (aws.Config, error) { return o.cfg, nil })
	if err != nil {
		return nil, err
	}
	prices, err := usage.Shipped()
	if err != nil {
		return nil, err
	}
	// The directory is the authorizer's to read.
	gate, err := auth.NewGateBehind(o.master, o.data, o.sites(), audit.New(o.data))
	if err != nil {
		return nil, err
	}
	return &app.Parts{
		Gate: gate,
		Chat: &chat.Service{
			Companies: o.companies, Table: o.data, Session: window, Search: knowledgeOf(o.companies),
			Models: models, Prices: prices, Process: chat.NewProcess(),
		},
	}, nil
}

// OpenAdmin reads the environment of the operator's function: the tables, of which
// SWITCHBOARD_DIRECTORY_TABLE is one more, the keys of them, and what [usageplan.Open] reads.
func OpenAdmin(context.Context) (*app.Parts, error) {
	o, err := open(account.TenantAdmin())
	if err != nil {
		return nil, err
	}
	directory, err := o.stores.Directory(o.master, o.sealer)
	if err != nil {
		return nil, err
	}
	directory = directory.WithStandings(o.data) // chat has no directory to read
	gate := auth.NewGate(directory, o.sites(), audit.New(o.data))
	metered, err := usageplan.Open(o.cfg, os.Getenv, o.master)
	if err != nil {
		return nil, err
	}
	return &app.Parts{Gate: gate, Admin: &admin.Service{Directory: directory, Catalog: o.companies, Plans: metered}}, nil
}

// opened is what the functions have that serve tenants.
type opened struct {
	cfg       aws.Config
	master    []byte
	stores    *account.Stores
	data      *table.Table
	companies *catalog.Catalog
	sealer    *seal.Sealer
}

func (o *opened) sites() app.Sites { return app.Sites{Companies: o.companies} }

func open(access account.Access) (*opened, error) {
	cfg, err := account.Config(os.Getenv)
	if err != nil {
		return nil, err
	}
	master := []byte(os.Getenv("SWITCHBOARD_MASTER_KEY"))
	cursors, err := auth.Derive(master, "cursors")
	if err != nil {
		return nil, err
	}
	stores, err := account.Open(cfg, os.Getenv, access)
	if err != nil {
		return nil, err
	}
	sealer, err := stores.Sealer(master)
	if err != nil {
		return nil, err
	}
	data, err := stores.Data(cursors, sealer)
	return &opened{cfg, master, stores, data, catalog.New(data, heldCompanies), sealer}, err
}

// heldCompanies bounds the companies in memory, in bytes of their definitions: a
// function has 128 MB.
const heldCompanies = 16 << 20

// knowledgeOf searches the articles of the companies in memory, each one's as they were
// when they were last written.
func knowledgeOf(companies *catalog.Catalog) *search.Index {
	return memsearch.Filled(func(ctx context.Context, sc tenant.Scope) (string, error) {
		c, err := companies.Company(ctx, sc)
		return c.Learned, err
	}, func(ctx context.Context, sc tenant.Scope) ([]search.Document, error) {
		articles, err := companies.Articles(ctx, sc)
		if err != nil {
			return nil, err
		}
		var docs []search.Document
		for _, a := range articles {
			docs = append(docs, knowledge.Document(a))
		}
		return docs, nil
	})
}
