package runtimetest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"switchboard/shared/host/lambdahost"
	"switchboard/shared/tenant/auth"
)

// Authorize does to a function's event what API Gateway does before it calls the
// function: it asks the authorizer, and adds what that says. The event of a request
// that the authorizer refuses stays as it is, which is more than the gateway does: so it
// can be sent to a function that has to refuse it by itself.
func Authorize(tb testing.TB, a *auth.Authorizer, event []byte) []byte {
	tb.Helper()
	var ev events.APIGatewayProxyRequest
	if err := json.Unmarshal(event, &ev); err != nil {
		tb.Fatal(err)
	}
	c := &ev.RequestContext
	said, err := lambdahost.Authorizer(a)(context.Background(), events.APIGatewayCustomAuthorizerRequestTypeRequest{
		Type:      "REQUEST",
		MethodArn: strings.Join([]string{"arn:aws:execute-api:us-east-1", c.AccountID, c.APIID + "/" + c.Stage + "/" + ev.HTTPMethod + ev.Path}, ":"),
		Path:      ev.Path, HTTPMethod: ev.HTTPMethod, Headers: ev.Headers, MultiValueHeaders: ev.MultiValueHeaders,
	})
	if err != nil {
		return event
	}
	c.Authorizer = map[string]any{"principalId": said.PrincipalID, "integrationLatency": 12}
	for name, value := range said.Context {
		c.Authorizer[name] = value
	}
	out, err := json.Marshal(ev)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}
