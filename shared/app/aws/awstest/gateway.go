package awstest

import (
	"testing"

	"switchboard/shared/app/aws/internal/usageplan/gatewaytest"
)

// Gateway is the control plane of a gateway, with the usage plans of a stack.
type Gateway struct{ *gatewaytest.Server }

// NewGateway serves until the test ends.
func NewGateway(t testing.TB) Gateway {
	t.Helper()
	return Gateway{gatewaytest.Start(t, "test-free", "test-standard", "test-pro", "test-enterprise")}
}

// Env is what the environment of a function says of it.
func (g Gateway) Env() []string {
	return []string{"AWS_ENDPOINT_URL_API_GATEWAY=" + g.URL, "SWITCHBOARD_USAGE_PLANS=test"}
}

// PlanOf is the one plan of the project's key; "" if it is in none, or in more.
func (g Gateway) PlanOf(project string) string {
	for _, k := range g.Keys() {
		if k.Name == "test/"+project {
			if plans := g.PlansOf(k.ID); len(plans) == 1 {
				return plans[0]
			}
		}
	}
	return ""
}
