package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/go-json-experiment/json"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/internal/scope"
)

// credentials is where the directory keeps them. The directory is a table of its
// own (its own file, on AWS its own DynamoDB table and role) under a scope whose
// id no project can have.
const credentials = table.Kind("credential")

// projectKeys lists the ids of a project's credentials, so that they can be found.
const projectKeys = table.Kind("projectkey")

// Directory keeps credentials. It is the one store outside every tenant.
type Directory struct {
	table *table.Table
	hash  hasher
	visitors
	// tenants is where the standing of each project is kept for those who do not read
	// the directory; nil where everybody does. See WithStandings.
	tenants *table.Table
}

// NewDirectory keeps credentials in t, hashed under a key derived from master, and
// sealed by t under the directory's own key. A table of which nobody said how it
// keeps bodies is refused.
func NewDirectory(t *table.Table, master []byte) (*Directory, error) {
	if !t.Decided() {
		return nil, problem.New(problem.Internal, "auth.NewDirectory", "the directory's table has no sealer")
	}
	h, err := newHasher(master)
	if err != nil {
		return nil, err
	}
	v, err := newVisitors(master)
	return &Directory{table: t, hash: h, visitors: v}, err
}

// Issue makes a credential like c, with a new ID, and returns it with its text,
// which is not kept. c.Kind says what it is; c.Project is empty for an operator
// key alone. The zero Can means all that the kind may do.
func (d *Directory) Issue(ctx context.Context, c Credential) (Credential, Secret, error) {
	const op = "auth.Issue"
	if err := completeGrant(&c); err != nil {
		return Credential{}, Secret{}, err
	}
	c.ID, c.Revoked = random(keyIDLen), time.Time{}
	c.Created = time.Now().UTC().Truncate(time.Second)
	text := d.textOf(c)
	c.Hash = d.hash.sum(text)
	body, err := json.Marshal(c)
	if err != nil {
		return Credential{}, Secret{}, problem.Wrap(problem.Internal, op, err)
	}
	ops := []table.Op{table.Create(credentialKey(c.ID), body)}
	if c.Project != "" {
		ops = append(ops, table.Create(table.Key{Kind: projectKeys, Parent: c.Project, ID: c.ID}, nil))
	}
	if err := d.table.Write(ctx, scope.Directory(), ops...); err != nil {
		return Credential{}, Secret{}, err
	}
	if c.Kind == IdentityKey { // the one kind that is looked for, rather than shown
		if err := d.tell(ctx, c); err != nil {
			return Credential{}, Secret{}, err
		}
	}
	return c, Secret{&text}, nil
}

// textOf makes the text of a new credential.
func (d *Directory) textOf(c Credential) string {
	switch c.Kind {
	case Publishable:
		return string(c.Kind) + "_" + c.ID
	case IdentityKey:
		return d.idkeys.text(c.ID)
	}
	return string(c.Kind) + "_" + c.ID + "_" + random(secretLen)
}

// visitors is what it takes to know a company's visitors: by our tokens, and by what a
// company's own server signs.
type visitors struct {
	tokens *tokens
	idkeys identityKeys
}

func newVisitors(master []byte) (visitors, error) {
	tk, err := newTokens(master)
	if err != nil {
		return visitors{}, err
	}
	ids, err := Derive(master, "identity keys")
	return visitors{tk, ids}, err
}

// identityKeys is what the texts of identity keys are derived from.
type identityKeys []byte

// text returns an identity key's text. It is derived, not stored: we have to know it to
// check a signature, and what is not stored cannot be read.
func (k identityKeys) text(id string) string {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(id))
	return string(IdentityKey) + "_" + id + "_" + hex.EncodeToString(mac.Sum(nil)[:secretLen/2])
}

// completeGrant fills in what a kind of credential always has.
func completeGrant(c *Credential) error {
	const op = "auth.Issue"
	switch c.Kind {
	case SecretKey:
		if c.Can == 0 {
			c.Can = scope.All
		}
		if c.Role == scope.NoRole {
			c.Role = scope.Owner
		}
	case Publishable, IdentityKey:
		c.Can, c.Role = 0, scope.NoRole
	case OperatorKey:
		if c.Project != "" {
			return problem.Bad(op, "project", "an operator key belongs to no project")
		}
		return nil
	default:
		return problem.Bad(op, "kind", "a credential is sk, pk, is or op")
	}
	_, err := tenant.ParseID(c.Project)
	return err
}

// Revoke ends a credential. It is dead everywhere within 60 seconds. Revoking
// twice is no error, and repairs what the first time left undone; an unknown id is
// NotFound.
func (d *Directory) Revoke(ctx context.Context, keyID string) error {
	_, err := d.revoke(ctx, keyID, func(Credential) bool { return true })
	return err
}

// RevokeOf is Revoke of one of the project's own credentials, and returns it; another's
// is unknown. It is looked for among the project's own, so that it takes as long to find
// nothing whether another has it or nobody.
func (d *Directory) RevokeOf(ctx context.Context, id tenant.ID, keyID string) (Credential, error) {
	if !isKeyID(keyID) {
		return Credential{}, unknownKey()
	}
	it, err := d.table.Get(ctx, scope.Directory(), table.Key{Kind: projectKeys, Parent: id.String(), ID: keyID})
	if err == nil && it.Version == 0 {
		err = unknownKey()
	}
	if err != nil {
		return Credential{}, err
	}
	return d.revoke(ctx, keyID, func(c Credential) bool { return c.Project == id.String() })
}

func unknownKey() error {
	return problem.New(problem.NotFound, "auth.Revoke", "There is no such credential.")
}

func (d *Directory) revoke(ctx context.Context, keyID string, may func(Credential) bool) (Credential, error) {
	if !isKeyID(keyID) {
		return Credential{}, unknownKey()
	}
	c, err := rewrite(ctx, d, credentialKey(keyID), func(c *Credential) (bool, error) {
		if c.ID == "" || !may(*c) {
			return false, unknownKey()
		}
		if !c.Revoked.IsZero() {
			return false, nil
		}
		c.Revoked = time.Now().UTC()
		return true, nil
	})
	c.Hash = nil
	if err == nil {
		err = d.tell(ctx, c)
	}
	return c, err
}

// Keys returns a page of the project's credentials, oldest id first, and the cursor of
// the next ("" = there is none). None of them holds its secret.
func (d *Directory) Keys(ctx context.Context, id tenant.ID, limit int, cursor string) ([]Credential, string, error) {
	page, err := d.table.List(ctx, scope.Directory(), table.Query{Kind: projectKeys, Parent: id.String(), Limit: limit, Cursor: cursor})
	if err != nil {
		return nil, "", err
	}
	var out []Credential
	for _, it := range page.Items {
		c, err := d.read(ctx, it.Key.ID)
		if err != nil {
			return nil, "", err
		}
		if c.Project == id.String() {
			c.Hash = nil
			out = append(out, c)
		}
	}
	return out, page.Cursor, nil
}

// Verify reports whether text is a credential of the kind that holds now, and
// for which project. It asks the store; requests go through [Gate] instead.
func (d *Directory) Verify(ctx context.Context, kind Kind, text string) (project string, ok bool, err error) {
	k, id, ok := parse(text)
	if !ok || k != kind {
		return "", false, nil
	}
	c, err := d.read(ctx, id)
	if err != nil {
		return "", false, err
	}
	ok = d.hash.matches(text, c.Hash) && c.Kind == kind && c.live(time.Now())
	return c.Project, ok, nil
}

// read returns the credential, or a zero one if there is none.
func (d *Directory) read(ctx context.Context, keyID string) (Credential, error) {
	_, c, err := load[Credential](ctx, d, credentialKey(keyID))
	return c, err
}

// Close closes the directory's table.
func (d *Directory) Close() error { return d.table.Close() }

func credentialKey(id string) table.Key { return table.Key{Kind: credentials, ID: id} }

// ForWork mints a scope for the platform's own work on one project's data, such
// as closing turns whose process died. Only shared/app may call it (a test in
// shared/archtest keeps it so); purpose stands as the actor in access records.
func ForWork(id tenant.ID, purpose string) tenant.Scope {
	return scope.Mint(scope.Grant{
		Project: id, Credential: "internal:" + purpose, Kind: scope.Internal, Role: scope.Owner, Can: scope.All,
	})
}
