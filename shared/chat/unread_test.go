package chat_test

import (
	"context"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"switchboard/shared/host/lambdahost"
	"switchboard/shared/model"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// talker is a model that says more than a stream holds and then thinks.
type talker struct{}

func (talker) Stream(ctx context.Context, _ tenant.Scope, _ model.Request) iter.Seq2[model.Part, error] {
	return func(yield func(model.Part, error) bool) {
		for range 2000 {
			if !yield(model.Part{Text: "six words in every one chunk "}, nil) || !yield(model.Part{Pause: true}, nil) {
				return
			}
		}
		<-ctx.Done()
		yield(model.Part{}, ctx.Err())
	}
}

// TestAnUnreadTurnIsStoredBeforeLambdaStops: a client that does not read costs
// nobody the turn, whose provider has counted.
func TestAnUnreadTurnIsStoredBeforeLambdaStops(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		h := c.process(t, nil)
		h.Models = model.New(map[string]model.Model{"openai": talker{}}, model.Ref{Provider: "openai", Name: "m"}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		conversation, body := c.ask(t, ctx, h)
		<-ctx.Done() // here Lambda would kill the process
		page, err := c.data.List(t.Context(), alpha, table.Query{Kind: "turn", Parent: conversation})
		if err != nil || len(page.Items) != 1 {
			t.Errorf("%d turns are stored, %v", len(page.Items), err)
		}
		body.Close()
	})
}

// ask asks over Lambda and reads no more than the conversation's id.
func (c crowd) ask(t *testing.T, ctx context.Context, h *house) (conversation string, body io.Closer) {
	t.Helper()
	dir, err := auth.NewDirectory(c.data, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := dir.Issue(t.Context(), auth.Credential{Project: alpha.Project().String(), Kind: auth.SecretKey, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := lambdahost.Handler(auth.Handler(auth.NewGate(dir, nil, nil), h.Routes()))(ctx, events.APIGatewayProxyRequest{
		HTTPMethod: "POST", Path: chatPath, Body: strings.Replace(visit, "{", `{"stream":true,`, 1),
		MultiValueHeaders: map[string][]string{"Authorization": {"Bearer " + secret.Reveal()}, "Content-Type": {"application/json"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 200)
	n, err := io.ReadAtLeast(res.Body, head, 120)
	_, conversation, ok := strings.Cut(string(head[:n]), `"conversation_id":"`)
	if err != nil || !ok {
		t.Fatalf("%v: %q", err, head[:n])
	}
	return conversation[:26], res.Body.(io.Closer)
}
