// Package usageplan keeps a company's API key in the usage plan of its tier, at API
// Gateway.
//
// shared/app/aws imports it for the operator's function. Its one promise: after Ensure
// has returned nil the gateway counts the project's requests against the plan of that
// tier and no other of ours, whatever was there before and however often it is called.
//
// A gateway that has its keys from an authorizer refuses whoever's key is in no plan, so
// a company is served only after its first Ensure. The key's value is derived
// ([auth.UsageKeys]): the authorizer names it without asking anybody, nobody sends it,
// and it opens nothing.
package usageplan

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"switchboard/shared/company"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Plans are the usage plans of one stack. Its methods are safe for concurrent use, also
// from several processes.
type Plans struct {
	client *apigateway.Client
	stack  string // what the plans' names begin with
	keys   auth.UsageKeys
}

// Open reads the environment: SWITCHBOARD_USAGE_PLANS is what the plans' names begin
// with, which is the stack's name; -free, -standard, -pro or -enterprise follows.
func Open(cfg aws.Config, getenv func(string) string, master []byte) (*Plans, error) {
	stack := getenv("SWITCHBOARD_USAGE_PLANS")
	if stack == "" {
		return nil, problem.New(problem.Internal, "usageplan.Open", "SWITCHBOARD_USAGE_PLANS is not set")
	}
	keys, err := auth.NewUsageKeys(master)
	return &Plans{apigateway.NewFromConfig(cfg), stack, keys}, err
}

// Ensure puts the project's API key, which it makes if need be, into the plan of the
// tier, and takes it out of those of other tiers. A key can be in one plan of a stage
// alone, so a project that changes its tier is in none for a moment.
func (p *Plans) Ensure(ctx context.Context, project tenant.ID, tier string) error {
	if project.IsZero() {
		return problem.New(problem.Internal, "usageplan.Ensure", "zero project")
	}
	return p.ensure(ctx, p.stack+"/"+project.String(), p.keys.Project(project), company.Tier(tier))
}

// EnsureOperators does the same for the platform's own key, under which operators act as
// a company without being counted against it.
func (p *Plans) EnsureOperators(ctx context.Context) error {
	return p.ensure(ctx, p.stack+"/_operators", p.keys.Operators(), company.TierEnterprise) // no project's id begins so
}

// tries is how often a step is taken anew because somebody else has just taken one.
const tries = 4

func (p *Plans) ensure(ctx context.Context, name, value string, tier company.Tier) error {
	const op = "usageplan.Ensure"
	plans, err := p.plans(ctx)
	if err != nil {
		return away(op, err)
	}
	want, ok := plans[tier]
	if !ok {
		return problem.New(problem.Internal, op, "there is no usage plan %s-%s", p.stack, tier)
	}
	for range tries {
		if err = p.step(ctx, name, value, want, plans); !conflict(err) {
			break
		}
	}
	return away(op, err)
}

// step brings key and plan together. A conflict is somebody else's step.
func (p *Plans) step(ctx context.Context, name, value, want string, plans map[company.Tier]string) error {
	key, err := p.key(ctx, name, value)
	if err != nil {
		return err
	}
	in, err := p.plansOf(ctx, key)
	if err != nil {
		return err
	}
	for _, id := range plans {
		if id == want || !in[id] {
			continue
		}
		_, err := p.client.DeleteUsagePlanKey(ctx, &apigateway.DeleteUsagePlanKeyInput{UsagePlanId: &id, KeyId: &key})
		if err != nil && !notFound(err) {
			return err
		}
	}
	if in[want] {
		return nil
	}
	_, err = p.client.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: &want, KeyId: &key, KeyType: aws.String("API_KEY")})
	return err
}

// plans are the ids of the stack's plans, by tier.
func (p *Plans) plans(ctx context.Context) (map[company.Tier]string, error) {
	tiers := map[string]company.Tier{}
	for _, t := range [...]company.Tier{company.TierFree, company.TierStandard, company.TierPro, company.TierEnterprise} {
		tiers[p.stack+"-"+string(t)] = t
	}
	out := map[company.Tier]string{}
	err := p.eachPlan(ctx, nil, func(plan types.UsagePlan) {
		if t, ours := tiers[aws.ToString(plan.Name)]; ours {
			out[t] = aws.ToString(plan.Id)
		}
	})
	return out, err
}

// plansOf are the ids of the plans that a key is in.
func (p *Plans) plansOf(ctx context.Context, key string) (map[string]bool, error) {
	out := map[string]bool{}
	err := p.eachPlan(ctx, &key, func(plan types.UsagePlan) { out[aws.ToString(plan.Id)] = true })
	return out, err
}

func (p *Plans) eachPlan(ctx context.Context, key *string, do func(types.UsagePlan)) error {
	pages := apigateway.NewGetUsagePlansPaginator(p.client, &apigateway.GetUsagePlansInput{KeyId: key, Limit: aws.Int32(500)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, plan := range page.Items {
			do(plan)
		}
	}
	return nil
}

// key returns the id of the API key with the value, and makes one if there is none. A
// value can be in a region once; under which name is of no account.
func (p *Plans) key(ctx context.Context, name, value string) (string, error) {
	id, err := p.find(ctx, &name, value)
	if err != nil || id != "" {
		return id, err
	}
	made, err := p.client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{
		Name: &name, Value: &value, Enabled: true, Description: aws.String("What a company's requests count against. It opens nothing."),
	})
	if err == nil {
		return aws.ToString(made.Id), nil
	}
	if !conflict(err) {
		return "", err
	}
	id, missing := p.find(ctx, nil, value) // somebody else's, or a name of before
	if missing != nil {
		return "", missing
	}
	if id == "" {
		return "", err
	}
	return id, nil
}

// find returns the id of the key with the value among those whose name begins with name.
func (p *Plans) find(ctx context.Context, name *string, value string) (string, error) {
	pages := apigateway.NewGetApiKeysPaginator(p.client, &apigateway.GetApiKeysInput{NameQuery: name, IncludeValues: aws.Bool(true), Limit: aws.Int32(500)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, k := range page.Items {
			if aws.ToString(k.Value) == value {
				return aws.ToString(k.Id), nil
			}
		}
	}
	return "", nil
}

func conflict(err error) bool {
	_, ok := errors.AsType[*types.ConflictException](err)
	return ok
}

func notFound(err error) bool {
	_, ok := errors.AsType[*types.NotFoundException](err)
	return ok
}

// away classifies what API Gateway answered: none of it is the operator's doing.
func away(op string, err error) error {
	if err == nil {
		return nil
	}
	return &problem.Error{Kind: problem.Unavailable, Op: op, RetryAfter: time.Second, Err: err}
}
