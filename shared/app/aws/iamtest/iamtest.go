// Package iamtest evaluates IAM policies where tests have no AWS: an STS that hands out
// sessions, and a guard before DynamoDB that refuses what their policies do not allow.
//
// Tests of vended credentials and of the functions import it. Its one promise: no
// policy is repeated here. The roles' are read out of template.yaml, a session's is
// what AssumeRole was given, and a policy that it cannot evaluate is an error, never a
// yes.
//
// It is a stand-in: what it knows of IAM is what its operators say, from AWS's
// documentation. Not there: managed policies, boundaries, resource policies of tables,
// organisations' policies, quotas of packed policies.
package iamtest

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Account is an account in which template.yaml is deployed.
type Account struct {
	roles map[string]*deployed // by ARN

	mu       sync.Mutex
	logins   map[string]*login // by access key
	assumed  map[string]int    // project -> how often AssumeRole was asked, refused or not
	onAssume func(Assumed) Answer
	allowed  map[string]int // "project action"
	denied   []string
}

// deployed is a role.
type deployed struct {
	arn      string
	trust    Policy
	policies []Policy
}

// login is what an access key stands for.
type login struct {
	credentials aws.Credentials
	who         *Principal
	role        string // ARN
}

// Assumed is one call of AssumeRole, before it is answered.
type Assumed struct{ Project string }

// Answer says how STS answers instead; the zero Answer is as it does.
type Answer struct {
	Status int
	Code   string // e.g. "Throttling"
	// Hold has the answer wait until it is closed, or the caller has gone.
	Hold <-chan struct{}
	// Life is how long the session lasts; 0 = as asked.
	Life time.Duration
}

// New deploys the template. tables are the names that the test has given to the
// template's tables, by logical id.
func New(tb testing.TB, templateFile string, tables map[string]string) *Account {
	tb.Helper()
	a := &Account{roles: map[string]*deployed{}, logins: map[string]*login{}, assumed: map[string]int{}, allowed: map[string]int{}}
	t, err := readTemplate(templateFile, tables)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range []string{"AuthorizerRole", "ChatRole", "TenantAdminRole", "RollupRole", "DataRole"} {
		d := &deployed{arn: roleARN(name)}
		if d.trust, d.policies, err = t.role(name); err != nil {
			tb.Fatal(err)
		}
		a.roles[d.arn] = d
	}
	return a
}

// DataRole is the ARN of the role whose sessions touch tenants' data.
func DataRole() string { return roleARN("DataRole") }

// Login returns credentials of a function's role, e.g. "ChatRole", as Lambda puts them
// into its environment.
func (a *Account) Login(role string) aws.Credentials {
	return a.issue(a.roles[roleARN(role)], &Principal{}, time.Time{})
}

// Principal is a session of a role with a policy, for questions without requests.
func (a *Account) Principal(role, project string, session *Policy) *Principal {
	d := a.roles[roleARN(role)]
	return &Principal{ARN: d.arn, Identity: d.policies, Session: session, Tags: map[string]string{"projectId": project}}
}

func (a *Account) issue(role *deployed, who *Principal, expires time.Time) aws.Credentials {
	who.ARN, who.Identity = role.arn, role.policies
	c := aws.Credentials{AccessKeyID: "ASIA" + rand.Text()[:16], SecretAccessKey: rand.Text(), SessionToken: rand.Text() + "+/=", CanExpire: !expires.IsZero(), Expires: expires}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.logins[c.AccessKeyID] = &login{c, who, role.arn}
	return c
}

// OnAssume has a function decide how each AssumeRole is answered; nil = all as asked.
func (a *Account) OnAssume(hook func(Assumed) Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onAssume = hook
}

// Assumed is how often AssumeRole was called for the project.
func (a *Account) Assumed(project string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.assumed[project]
}

// Allowed is how many requests of a session of the data role were let through, by
// project and action: "acme GetItem".
func (a *Account) Allowed() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]int{}
	for k, v := range a.allowed {
		out[k] = v
	}
	return out
}

// Denied is what was refused, and why.
func (a *Account) Denied() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.denied...)
}

// Secrets are what must be in no log: every session's secret and token.
func (a *Account) Secrets() (out []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.logins {
		out = append(out, l.credentials.SecretAccessKey, l.credentials.SessionToken)
	}
	return out
}

func (a *Account) note(who *Principal, actions []access, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	project := who.Tags["projectId"]
	for _, x := range actions {
		if reason == "" {
			a.allowed[strings.TrimPrefix(project+" "+strings.TrimPrefix(x.action, "dynamodb:"), " ")]++
		}
	}
	if reason != "" {
		a.denied = append(a.denied, fmt.Sprintf("%s (%s): %s", who.ARN, project, reason))
	}
}
