package vend

import (
	"encoding/json"
	"fmt"
	"strings"

	"switchboard/shared/problem"
	"switchboard/shared/table"
)

// Tag is the session tag that names the tenant. template.yaml has it in the data
// role's trust and in its policy.
const Tag = "projectId"

// leading is what the partition keys of a tenant begin with: a project's id holds no
// '#', so no tenant's prefix is another's, nor a kind's another kind's.
const leading = "${aws:PrincipalTag/" + Tag + "}#"

// Grant is what a session may do with one table.
type Grant struct {
	Table   string       // the table's name
	Actions []string     // of DynamoDB, without the prefix: "GetItem"
	Kinds   []table.Kind // of the items; none = every kind
}

// leading are the patterns of the partition keys that the grant is for.
func (g Grant) leading() []string {
	if len(g.Kinds) == 0 {
		return []string{leading + "*"}
	}
	var keys []string
	for _, k := range g.Kinds {
		keys = append(keys, leading+string(k)+"#*")
	}
	return keys
}

// role is a role's ARN, taken apart.
type role struct{ arn, partition, account string }

func parseRole(arn string) (role, error) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] != "iam" || p[3] != "" || len(p[4]) != 12 || !strings.HasPrefix(p[5], "role/") {
		return role{}, problem.New(problem.Internal, "vend.New", "%q is not the ARN of a role", arn)
	}
	return role{arn, p[1], p[4]}, nil
}

// A policy is marshalled with its fields in this order, without a blank: a session's
// policy has 2,048 characters, and what it packs to counts too.
type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect    string
	Action    []string
	Resource  string
	Condition condition
}

type condition struct {
	// Every leading key of the request is the tenant's.
	Leading map[string][]string `json:"ForAllValues:StringLike"`
	// ForAllValues holds for a request without a leading key, such as a Scan.
	Absent map[string]string `json:"Null"`
}

// policy is the session policy: the actions of the grants, each on its table, on keys
// of the tenant in the session's tag. What a session may do is what this and the data
// role's own policy both allow.
func (r role) policy(region string, grants []Grant) (string, error) {
	const key = "dynamodb:LeadingKeys"
	doc := document{Version: "2012-10-17"}
	for _, g := range grants {
		kinds := ""
		for _, k := range g.Kinds {
			kinds += string(k)
		}
		if g.Table == "" || len(g.Actions) == 0 || strings.ContainsAny(g.Table+strings.Join(g.Actions, "")+kinds, "*?$:/#") {
			return "", problem.New(problem.Internal, "vend.New", "a grant of %q on the table %q", g.Actions, g.Table)
		}
		actions := make([]string, len(g.Actions))
		for i, a := range g.Actions {
			actions[i] = "dynamodb:" + a
		}
		doc.Statement = append(doc.Statement, statement{
			Effect: "Allow", Action: actions,
			Resource: fmt.Sprintf("arn:%s:dynamodb:%s:%s:table/%s", r.partition, region, r.account, g.Table),
			Condition: condition{
				Leading: map[string][]string{key: g.leading()},
				Absent:  map[string]string{key: "false"},
			},
		})
	}
	if len(doc.Statement) == 0 { // STS would take no policy for no limit
		return "", problem.New(problem.Internal, "vend.New", "no grants")
	}
	text, err := json.Marshal(doc)
	return string(text), err
}
