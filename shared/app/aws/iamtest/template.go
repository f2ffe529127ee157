package iamtest

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Where everything is.
const (
	Partition = "aws"
	Region    = "us-east-1"
	AccountID = "123456789012"
)

// template is a CloudFormation template. It is read, not run: what a policy needs of
// it is resolved, and nothing else.
type template struct {
	resources map[string]any
	tables    map[string]string // logical id -> the table's name in the test
}

func readTemplate(file string, tables map[string]string) (*template, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return nil, err
	}
	t := &template{tables: tables}
	root, ok := t.value(f.Docs[0].Body).(map[string]any)
	if ok {
		t.resources, ok = root["Resources"].(map[string]any)
	}
	if !ok {
		return nil, fmt.Errorf("iamtest: %s has no Resources", file)
	}
	return t, nil
}

// value turns a node into what JSON would have.
func (t *template) value(n ast.Node) any {
	switch n := n.(type) {
	case *ast.MappingNode:
		m := map[string]any{}
		for _, v := range n.Values {
			m[key(v.Key)] = t.value(v.Value)
		}
		return m
	case *ast.MappingValueNode:
		return map[string]any{key(n.Key): t.value(n.Value)}
	case *ast.SequenceNode:
		var s []any
		for _, v := range n.Values {
			s = append(s, t.value(v))
		}
		return s
	case *ast.TagNode:
		return t.tag(n)
	case *ast.StringNode:
		return n.Value
	case ast.ScalarNode:
		return fmt.Sprint(n.GetValue())
	}
	return nil
}

func key(n ast.MapKeyNode) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	return n.String()
}

// tag resolves !Ref, !GetAtt and !Sub. Of another tag it says that it is one: a policy
// that has it matches nothing.
func (t *template) tag(n *ast.TagNode) any {
	text, _ := t.value(n.Value).(string)
	switch n.Start.Value {
	case "!Ref":
		return t.ref(text)
	case "!GetAtt":
		return t.arn(text)
	case "!Sub":
		for name := range strings.SplitSeq(text, "${") {
			name, _, ok := strings.Cut(name, "}")
			if !ok || strings.HasPrefix(name, "!") {
				continue
			}
			v := t.arn(name)
			if !strings.Contains(name, ".") {
				v = t.ref(name)
			}
			text = strings.ReplaceAll(text, "${"+name+"}", v)
		}
		return text
	}
	return "unresolved:" + n.Start.Value
}

func (t *template) ref(name string) string {
	pseudo := map[string]string{"AWS::Partition": Partition, "AWS::Region": Region, "AWS::AccountId": AccountID, "AWS::URLSuffix": "amazonaws.com"}
	if v, ok := pseudo[name]; ok {
		return v
	}
	if v, ok := t.tables[name]; ok {
		return v
	}
	return name
}

// arn is what an attribute of a resource is.
func (t *template) arn(attribute string) string {
	name, attr, _ := strings.Cut(attribute, ".")
	base := fmt.Sprintf("arn:%s:dynamodb:%s:%s:table/%s", Partition, Region, AccountID, t.ref(name))
	switch {
	case t.tables[name] != "" && attr == "Arn":
		return base
	case t.tables[name] != "" && attr == "StreamArn":
		return base + "/stream/latest"
	case strings.HasSuffix(name, "Role") && attr == "Arn":
		return roleARN(name)
	}
	return fmt.Sprintf("arn:%s:of-a-test:%s:%s:%s/%s", Partition, Region, AccountID, name, attr)
}

func roleARN(name string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", Partition, AccountID, name)
}

// role returns a role's trust and its policies, those that are attached to it from
// beside included.
func (t *template) role(name string) (trust Policy, policies []Policy, err error) {
	r, ok := t.resources[name].(map[string]any)
	if !ok || r["Type"] != "AWS::IAM::Role" {
		return trust, nil, fmt.Errorf("iamtest: the template has no role %s", name)
	}
	props, _ := r["Properties"].(map[string]any)
	if props["ManagedPolicyArns"] != nil || props["PermissionsBoundary"] != nil {
		return trust, nil, fmt.Errorf("iamtest: %s has policies that are not in the template", name)
	}
	if trust, err = document(props["AssumeRolePolicyDocument"]); err != nil {
		return trust, nil, err
	}
	texts, _ := props["Policies"].([]any)
	for _, other := range t.resources {
		o, _ := other.(map[string]any)
		if o["Type"] != "AWS::IAM::Policy" {
			continue
		}
		beside, _ := o["Properties"].(map[string]any)
		roles, _ := beside["Roles"].([]any)
		for _, to := range roles {
			if to == name {
				texts = append(texts, beside)
			}
		}
	}
	for _, text := range texts {
		m, _ := text.(map[string]any)
		p, err := document(m["PolicyDocument"])
		if err != nil {
			return trust, nil, fmt.Errorf("%s, %v: %w", name, m["PolicyName"], err)
		}
		policies = append(policies, p)
	}
	return trust, policies, nil
}

func document(v any) (Policy, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return Policy{}, err
	}
	return ParsePolicy(string(text))
}
