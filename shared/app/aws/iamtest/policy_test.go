package iamtest_test

import (
	"fmt"
	"testing"

	"switchboard/shared/app/aws/iamtest"
)

// TestConditions holds each operator to what AWS documents of it. %s is the condition.
func TestConditions(t *testing.T) {
	t.Parallel()
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"d:Get*","Resource":["arn:x/?1","arn:y"],"Condition":{%s}}]}`
	keys := map[string][]string{"one": {"acme"}, "many": {"acme#a", "acme#b"}, "mixed": {"acme#a", "other#b"}, "yes": {"true"}, "aws:PrincipalTag/p": {"acme"}, "star": {"*"}}
	for condition, want := range map[string]bool{
		``:                                                                    true,
		`"StringEquals":{"one":"acme"}`:                                       true,
		`"StringEquals":{"ONE":["x","acme"]}`:                                 true, // names of keys have no case; one of the values does
		`"StringEquals":{"one":"ACME"}`:                                       false,
		`"StringEquals":{"one":"acm*"}`:                                       false,
		`"StringEquals":{"none":"acme"}`:                                      false,
		`"StringEqualsIfExists":{"none":"acme"}`:                              true,
		`"StringNotEquals":{"none":"acme"}`:                                   true,
		`"StringNotEquals":{"one":"acme"}`:                                    false,
		`"StringLike":{"one":"a?m*"}`:                                         true,
		`"StringLike":{"one":"acme-*"}`:                                       false,
		`"StringLike":{"many":"acme#*"}`:                                      false, // without a set operator
		`"StringNotLike":{"one":["b*","c*"]}`:                                 true,
		`"ForAllValues:StringLike":{"many":"acme#*"}`:                         true,
		`"ForAllValues:StringLike":{"mixed":"acme#*"}`:                        false,
		`"ForAllValues:StringLike":{"none":"acme#*"}`:                         true, // the trap
		`"ForAllValues:StringLike":{"none":"acme#*"},"Null":{"none":"false"}`: false,
		`"ForAnyValue:StringLike":{"mixed":"acme#*"}`:                         true,
		`"ForAnyValue:StringLike":{"none":"acme#*"}`:                          false,
		`"Null":{"none":"true"}`:                                              true, `"Null":{"one":true}`: false,
		`"Bool":{"yes":true}`: true, `"Bool":{"yes":"false"}`: false, `"Bool":{"none":"true"}`: false,
		`"ForAllValues:StringLike":{"many":"${aws:PrincipalTag/p}#*"}`: true,
		`"ForAllValues:StringLike":{"many":"${aws:PrincipalTag/q}#*"}`: false,
		`"StringLike":{"one":"${star}"}`:                               false, // what a variable brings is a text
		`"StringLike":{"star":"${*}"}`:                                 true,
		`"StringLike":{"one":"${*}"}`:                                  false,
		`"StringEquals":{"one":"${none, 'acme'}"}`:                     true,
		`"StringLike":{"one":"a*"},"StringEquals":{"one":"b"}`:         false, // all of them
	} {
		p, err := iamtest.ParsePolicy(fmt.Sprintf(policy, condition))
		if err != nil {
			t.Errorf("%s: %v", condition, err)
			continue
		}
		who := &iamtest.Principal{Identity: []iamtest.Policy{p}}
		if got, _ := who.Allows(iamtest.Request{Action: "D:getitem", Resource: "arn:x/11", Keys: keys}); got != want {
			t.Errorf("%s is %v", condition, got)
		}
		for _, r := range []iamtest.Request{{Action: "d:Put", Resource: "arn:y", Keys: keys}, {Action: "d:Get", Resource: "arn:x/111", Keys: keys}} {
			if ok, _ := who.Allows(r); ok {
				t.Errorf("%s: %s on %s is allowed", condition, r.Action, r.Resource)
			}
		}
	}
}

// TestBothPoliciesDecide: what the role and the session both allow, and nobody denies.
func TestBothPoliciesDecide(t *testing.T) {
	t.Parallel()
	parse := func(effect, action string) iamtest.Policy {
		p, err := iamtest.ParsePolicy(fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Action":%q,"Resource":"*"}}`, effect, action))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	get, all, no := parse("Allow", "d:Get"), parse("Allow", "*"), parse("Deny", "d:Get")
	for _, c := range []struct {
		name     string
		identity []iamtest.Policy
		session  *iamtest.Policy
		want     bool
	}{
		{"the role's", []iamtest.Policy{get}, nil, true}, {"both", []iamtest.Policy{get}, &all, true}, {"both the other way", []iamtest.Policy{all}, &get, true},
		{"nothing", nil, nil, false}, {"the session's alone", nil, &all, false}, {"another action", []iamtest.Policy{get}, new(parse("Allow", "d:Put")), false},
		{"a deny beside", []iamtest.Policy{all, no}, nil, false}, {"a deny in the session", []iamtest.Policy{all}, &no, false},
	} {
		p := &iamtest.Principal{Identity: c.identity, Session: c.session}
		if got, why := p.Allows(iamtest.Request{Action: "d:Get", Resource: "arn:x"}); got != c.want {
			t.Errorf("%s: %v (%s)", c.name, got, why)
		}
	}
}

// What it does not know is no policy.
func TestUnknownIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"Version":"2012-10-17","Statement":[]}`, `{"Version":"2012-10-17"}`, `{`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Maybe","Action":"*","Resource":"*"}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"*","Resource":"*"}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","NotResource":"*"}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"a":"b"}}}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAllValues:Null":{"a":"true"}}}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":1,"Resource":"*"}}`,
	} {
		if _, err := iamtest.ParsePolicy(text); err == nil {
			t.Errorf("it takes %s", text)
		}
	}
}
