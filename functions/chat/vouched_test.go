package main_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json"

	"switchboard/shared/app/apptest"
	"switchboard/shared/host/lambdahost/runtimetest"
	"switchboard/shared/model/modeltest"
	"switchboard/shared/tenant/auth"
)

// vouched sends what the function may not believe: the authorizer's word in any other
// place than its own, for another credential, or not the authorizer's.
func vouched(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, apptest.Echo)
	mine, theirs := r.key(t, project), r.key(t, other)
	f := r.start(t, longest)
	word := func(key string) string {
		var ev events.APIGatewayProxyRequest
		if err := json.Unmarshal(runtimetest.Authorize(t, r.authorizer, event(t, "chat", key)), &ev); err != nil {
			t.Fatal(err)
		}
		return ev.RequestContext.Authorizer["principal"].(string)
	}
	good := word(mine)
	says := func(context map[string]any) func(*events.APIGatewayProxyRequest) {
		return func(ev *events.APIGatewayProxyRequest) { ev.RequestContext.Authorizer = context }
	}
	header := func(name string) func(*events.APIGatewayProxyRequest) {
		return func(ev *events.APIGatewayProxyRequest) {
			ev.Headers[name], ev.MultiValueHeaders[name] = good, []string{good}
			ev.QueryStringParameters, ev.StageVariables = map[string]string{"principal": good}, map[string]string{"principal": good}
		}
	}
	for name, c := range map[string]struct {
		change func(*events.APIGatewayProxyRequest)
		status int
	}{
		"control":                    {says(map[string]any{"principal": good}), 200},
		"nothing":                    {says(nil), 401},
		"another credential's":       {says(map[string]any{"principal": word(theirs)}), 401},
		"cut":                        {says(map[string]any{"principal": good[:len(good)-1]}), 401},
		"no text":                    {says(map[string]any{"principal": map[string]any{"principal": good}}), 401},
		"by another name":            {says(map[string]any{"principalId": good, "Principal": good, "token": good}), 401},
		"claims of somebody's pool":  {says(map[string]any{"claims": map[string]any{"project": project, "principal": good}}), 401},
		"in a header":                {header("Principal"), 401},
		"in a header of ours":        {header("X-Switchboard-Principal"), 401},
		"in a header of the context": {header("X-Amzn-Request-Context"), 401},
		"in place of the credential": {func(ev *events.APIGatewayProxyRequest) { says(map[string]any{"principal": good})(ev); show(ev, good) }, 401},
		"beside a second credential": {func(ev *events.APIGatewayProxyRequest) {
			says(map[string]any{"principal": good})(ev)
			second(ev, theirs)
		}, 401},
		"for a credential not shown":  {func(ev *events.APIGatewayProxyRequest) { says(map[string]any{"principal": good})(ev); show(ev, theirs) }, 401},
		"beside what else was vended": {says(map[string]any{"principal": good, "project": other, "sub": theirs}), 200},
	} {
		resp, err := f.Invoke(t.Context(), event(t, "models", mine, c.change)) // around the authorizer
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, c.status)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
	}
}

// show puts another credential in the place of the event's.
func show(ev *events.APIGatewayProxyRequest, credential string) {
	ev.Headers["Authorization"], ev.MultiValueHeaders["Authorization"] = "Bearer "+credential, []string{"Bearer " + credential}
}

func second(ev *events.APIGatewayProxyRequest, credential string) {
	ev.Headers["X-Api-Key"], ev.MultiValueHeaders["X-Api-Key"] = credential, []string{credential}
}

// untilRevoked revokes a key while a model is at its answer. The function has no
// directory; it learns of it from the project's standing in the company's own table.
func untilRevoked(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, func(modeltest.Call) modeltest.Script {
		return modeltest.Script{{Text: "It begins "}, {Hang: true}}
	})
	issued, secret, err := r.directory.Issue(t.Context(), auth.Credential{Kind: auth.SecretKey, Project: project})
	if err != nil {
		t.Fatal(err)
	}
	f := r.start(t, 2*time.Minute)
	began := time.Now()
	next := apptest.Events(f.begin(t, event(t, "chat_stream", secret.Reveal())).Body)
	start, _ := next()
	if first, _ := next(); start.Name != "start" || first.Name != "delta" {
		t.Fatalf("control: %v, %v", start, first)
	}
	if err := r.directory.WithStandings(r.data).Revoke(t.Context(), issued.ID); err != nil {
		t.Fatal(err)
	}
	for e, ok := next(); ok; e, ok = next() {
		if e.Name != "error" {
			continue
		}
		if apptest.Get([]byte(e.Data), "status") != "401" || time.Since(began) > time.Minute {
			t.Errorf("after %v: %v", time.Since(began), e)
		}
		if strings.Contains(e.Data, "standing") {
			t.Errorf("%v", e)
		}
		return
	}
	t.Error("the stream ended without an error")
}
