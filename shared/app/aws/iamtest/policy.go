package iamtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Policy is a policy document.
type Policy struct {
	Version   string
	Statement Statements
}

// Statements are one or several.
type Statements []Statement

// UnmarshalJSON implements json.Unmarshaler.
func (s *Statements) UnmarshalJSON(b []byte) error {
	if b[0] == '{' {
		b = slices.Concat([]byte("["), b, []byte("]"))
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode((*[]Statement)(s))
}

// Statement is one of its statements. NotAction, NotResource and NotPrincipal are not
// known, and refused.
type Statement struct {
	Sid       string
	Effect    string
	Principal map[string]List
	Action    List
	Resource  List
	Condition map[string]map[string]List // operator, key, values
}

// List is one text or several, as JSON has them in policies; "true" may be true.
type List []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *List) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	many, ok := v.([]any)
	if !ok {
		many = []any{v}
	}
	for _, one := range many {
		switch one.(type) {
		case string, bool:
			*l = append(*l, fmt.Sprint(one))
		default:
			return fmt.Errorf("iamtest: %s is neither a text nor a list of them", b)
		}
	}
	return nil
}

// ParsePolicy reads a document. What it does not know it refuses: a test must not pass
// on a condition that nobody evaluated.
func ParsePolicy(text string) (Policy, error) {
	var p Policy
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("iamtest: %w", err)
	}
	if p.Version != "2012-10-17" || len(p.Statement) == 0 { // the older one knows no variables
		return Policy{}, fmt.Errorf("iamtest: version %q with %d statements", p.Version, len(p.Statement))
	}
	for _, s := range p.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" || len(s.Action) == 0 {
			return Policy{}, fmt.Errorf("iamtest: effect %q of %v", s.Effect, s.Action)
		}
		for _, op := range slices.Sorted(maps.Keys(s.Condition)) {
			if _, err := parseOperator(op); err != nil {
				return Policy{}, err
			}
		}
	}
	return p, nil
}

// Request is what a policy is asked about.
type Request struct {
	Action   string
	Resource string
	// Keys are the condition keys, with several values where a key has them. A key
	// that the request lacks is not in it.
	Keys map[string][]string
}

// Principal is who asks.
type Principal struct {
	ARN      string
	Identity []Policy          // of the role
	Session  *Policy           // of the session; nil = none was given
	Tags     map[string]string // of the session
}

// Allows reports whether the principal may do it, and if not, why not.
func (p *Principal) Allows(r Request) (bool, string) {
	asked := p.with(r)
	allowed := false
	for _, doc := range p.Identity {
		allow, deny := doc.says(asked)
		if deny {
			return false, "an explicit deny in an identity-based policy"
		}
		allowed = allowed || allow
	}
	if !allowed {
		return false, "no identity-based policy allows the action"
	}
	if p.Session == nil {
		return true, ""
	}
	switch allow, deny := p.Session.says(asked); {
	case deny:
		return false, "an explicit deny in a session policy"
	case !allow:
		return false, "no session policy allows the action"
	}
	return true, ""
}

// with adds what is known of the principal to the request's keys.
func (p *Principal) with(r Request) Request {
	keys := maps.Clone(r.Keys)
	if keys == nil {
		keys = map[string][]string{}
	}
	keys["aws:PrincipalArn"] = []string{p.ARN}
	for k, v := range p.Tags {
		keys["aws:PrincipalTag/"+k] = []string{v}
	}
	r.Keys = keys
	return r
}

// says whether a statement of the document allows the request, and whether one denies
// it.
func (p Policy) says(r Request) (allow, deny bool) {
	for _, s := range p.Statement {
		if !s.applies(r) {
			continue
		}
		allow, deny = allow || s.Effect == "Allow", deny || s.Effect == "Deny"
	}
	return allow && !deny, deny
}

func (s Statement) applies(r Request) bool {
	if !slices.ContainsFunc(s.Action, func(a string) bool { return matchFold(a, r.Action) }) {
		return false
	}
	// A role's trust has no Resource: it is about the role.
	if s.Principal == nil && !slices.ContainsFunc(s.Resource, func(pattern string) bool {
		return matches(pattern, r.Resource, r.Keys)
	}) {
		return false
	}
	for op, keys := range s.Condition {
		for key, values := range keys {
			if !holds(op, values, r.Keys, key) {
				return false
			}
		}
	}
	return true
}

// Trusts reports whether the trust policy lets the principal do the action.
func (p Policy) Trusts(arn, action string, keys map[string][]string) bool {
	named := Policy{Version: p.Version}
	for _, s := range p.Statement {
		if slices.Contains(s.Principal["AWS"], arn) {
			named.Statement = append(named.Statement, s)
		}
	}
	allow, _ := named.says(Request{Action: action, Keys: keys})
	return allow
}
