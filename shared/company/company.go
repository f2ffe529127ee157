// Package company is what a company integration says: who the company is, which
// assistants it has, what it knows. [Load] reads it from a tree of folders, one
// for each company, in the format of section 7 of the design; [Parse] from the same
// files wherever they are kept.
//
// Everything that serves or administers a company may import it: app, admin,
// chat, knowledge and the command line. It touches no store. Its one promise: a
// Company that they return is whole and right. Every field was checked and
// every default is filled in, and if anything in any folder was wrong, nothing
// was returned and every mistake was named with its file, line and column.
package company

import (
	"crypto/ed25519"
	"encoding/base64"
	"slices"
	"strings"

	"switchboard/shared/tenant"
)

// Company is what one company's files say. It is read, never changed: its
// slices and maps are shared by all who hold it.
type Company struct {
	ID         tenant.ID // the folder's name
	Name       string    // the one field without a default
	Kind       Kind
	Group      string   // companies of one owner, for joint reports, never joint data; "" = none
	Tier       Tier     // rates, quotas and usage plan
	Origins    []string // exact origins, as a browser sends them, that may embed the widget
	Identity   Identity
	Locale     string // BCP 47
	Timezone   string // IANA name that time.LoadLocation knows
	Brand      Brand
	Budget     Budget
	Retention  Retention
	Memory     Memory
	Storage    Storage
	Webhooks   []Webhook
	Members    []Member
	Assistants []Assistant // by ID
	Knowledge  []Article   // by ID
}

// Entry is a company as it is served, without its articles.
type Entry struct {
	Company
	Version string // names what answers are made from, articles included; see [Version]
	Learned string // another one whenever an article was written
}

// Kind is what a project is to the platform's owner.
type Kind string

// The kinds of company; a folder that does not say is a KindCompany.
const (
	KindCompany  Kind = "company"
	KindClient   Kind = "client"
	KindPersonal Kind = "personal"
)

// Tier is what a project may use.
type Tier string

// The tiers; a folder that does not say has TierStandard.
const (
	TierFree       Tier = "free"
	TierStandard   Tier = "standard"
	TierPro        Tier = "pro"
	TierEnterprise Tier = "enterprise"
)

// Identity is how the company says who the visitors of its site are.
type Identity struct {
	PublicKeys []string // Ed25519, base64: what its server signs with
}

// Keys returns the public keys.
func (i Identity) Keys() []ed25519.PublicKey {
	var keys []ed25519.PublicKey
	for _, k := range i.PublicKeys {
		if b, err := base64.StdEncoding.DecodeString(k); err == nil { // the manifest was checked
			keys = append(keys, b)
		}
	}
	return keys
}

// Brand is how the widget looks.
type Brand struct {
	Color  string // #rrggbb
	Logo   string // path of an image in the company's folder, not checked to exist; "" = none
	Corner Corner
}

// Corner is the side of the page on which the widget sits.
type Corner string

// The corners; a folder that does not say has CornerRight.
const (
	CornerLeft  Corner = "left"
	CornerRight Corner = "right"
)

// Budget is what a company wants to spend at most.
type Budget struct {
	MonthlyUSD float64 // 0 = the company set none; a manifest cannot say 0, which could be read as "nothing"
	Alerts     []int   // percentages of the budget at which to warn, ascending
}

// Retention is how long things are kept.
type Retention struct {
	ConversationsDays int
	AuditDays         int
}

// Memory is who is remembered. The zero value remembers least.
type Memory struct {
	Visitors               bool // also visitors who did not sign in
	SharedAcrossAssistants bool // what one assistant learned, the others know
}

// Storage is where a company's data lives. Everything but Mode is empty unless
// Mode is ModeSilo.
type Storage struct {
	Mode      Mode
	Table     string            // DynamoDB table
	RoleARN   string            // role to assume for every data call
	KMSKey    string            // key id, alias or ARN
	Redis     string            // address without a password, or the name of a secret that holds one
	Pinecone  string            // https address of an index, or the name of a secret
	Bucket    string            // S3 bucket
	ModelKeys map[string]string // provider -> name of the secret with the company's own key
}

// Mode is whether a company shares the platform's stores.
type Mode string

// The modes; a folder that does not say has ModePool.
const (
	ModePool Mode = "pool"
	ModeSilo Mode = "silo"
)

// Webhook is a place of the company's own that is told of events.
type Webhook struct {
	URL    string
	Events []Event
	Secret string // name of the secret that signs the calls, never the secret itself
}

// Event is something a webhook can be told of.
type Event string

// The events.
const (
	EventLead        Event = "lead"
	EventAppointment Event = "appointment"
	EventHandoff     Event = "handoff"
	EventFeedback    Event = "feedback"
	EventBudget      Event = "budget"
	EventError       Event = "error"
)

// Member is a person who may sign in for the company.
type Member struct {
	Email string
	Role  Role
}

// Role is what a member may do. It names a tenant.Role but grants nothing: only
// shared/tenant/auth turns it into one.
type Role string

// The roles, each of which may do all that the one before it may.
const (
	RoleViewer Role = "viewer"
	RoleEditor Role = "editor"
	RoleAdmin  Role = "admin"
	RoleOwner  Role = "owner"
)

// Assistant returns the company's assistant with that id, and whether it has one.
func (c Company) Assistant(id string) (Assistant, bool) {
	i, found := slices.BinarySearchFunc(c.Assistants, id, func(a Assistant, id string) int {
		return strings.Compare(a.ID, id)
	})
	if !found {
		return Assistant{}, false
	}
	return c.Assistants[i], true
}
