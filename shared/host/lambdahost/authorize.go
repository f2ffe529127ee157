package lambdahost

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"switchboard/shared/problem"
	"switchboard/shared/tenant/auth"
)

// Authorize runs a gateway's authorizer until the process ends. It opens it once, before
// the first event; if that fails, each event tries again, and fails if that does.
func Authorize(open func(context.Context) (*auth.Authorizer, error)) {
	slog.SetDefault(lambdacontext.NewLogger())
	o := &opening[*auth.Authorizer]{open: open}
	if _, err := o.opened(); err != nil {
		logUnopened(context.Background(), err)
	}
	lambda.Start(authorizing(o))
}

// The two errors that leave an authorizer. The gateway takes the first, by its text, for
// a 401, and any other for a failure of the authorizer.
var (
	errUnauthorized = errors.New("Unauthorized")
	errNoAnswer     = errors.New("lambdahost: the authorizer has no answer")
)

type (
	authorizerEvent  = events.APIGatewayCustomAuthorizerRequestTypeRequest
	authorizerAnswer = events.APIGatewayCustomAuthorizerResponse
)

// Authorizer returns a as a function for lambda.Start that answers the events of a REST
// API's authorizer of type REQUEST.
//
// It allows the whole stage: whether a route lets the principal in is for the function
// behind it to say, and an answer that a gateway has cached for one path is right for
// every other. It never denies: a credential that does not hold is the error
// "Unauthorized", and a directory that does not answer another.
func Authorizer(a *auth.Authorizer) func(context.Context, authorizerEvent) (authorizerAnswer, error) {
	return authorizing(&opening[*auth.Authorizer]{done: true, value: a})
}

func authorizing(o *opening[*auth.Authorizer]) func(context.Context, authorizerEvent) (authorizerAnswer, error) {
	return func(ctx context.Context, ev authorizerEvent) (authorizerAnswer, error) {
		var got auth.Authorization
		stage, err := stageOf(ev.MethodArn)
		if err == nil {
			err = problem.Guard("lambdahost.Authorizer", func() error {
				a, err := o.opened()
				if err != nil {
					return err
				}
				ctx, stop := requestContext(ctx)
				defer stop(context.Canceled)
				got, err = authorize(ctx, a, &ev)
				return err
			})
		}
		if err != nil {
			return authorizerAnswer{}, refused(ctx, &ev, err)
		}
		return authorizerAnswer{
			PrincipalID: got.KeyID,
			PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{Version: "2012-10-17", Statement: []events.IAMPolicyStatement{
				{Effect: "Allow", Action: []string{"execute-api:Invoke"}, Resource: []string{stage + "/*/*"}},
			}},
			Context:            map[string]any{principalKey: string(got.Principal)},
			UsageIdentifierKey: got.UsageKey,
		}, nil
	}
}

func authorize(ctx context.Context, a *auth.Authorizer, ev *authorizerEvent) (auth.Authorization, error) {
	h, err := headers(ev.Headers, ev.MultiValueHeaders)
	if err != nil { // the function behind would refuse it, too, and more kindly; it is not reached without a principal
		return auth.Authorization{}, problem.Wrap(problem.Unauthenticated, "lambdahost.authorize", err)
	}
	return a.Authorize(ctx, h)
}

// stageOf is the stage that a method is of: arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE,
// of a method's ARN, which goes on with /METHOD/PATH.
func stageOf(method string) (string, error) {
	arn := strings.SplitN(method, ":", 6)
	if len(arn) == 6 && arn[0] == "arn" && arn[2] == "execute-api" {
		if path := strings.SplitN(arn[5], "/", 3); len(path) == 3 && path[0] != "" && path[1] != "" && !strings.ContainsAny(path[0]+path[1], "*?") {
			return strings.TrimSuffix(method, "/"+path[2]), nil
		}
	}
	return "", errors.New("lambdahost: not an event of a REST API's authorizer")
}

// refused is the error that leaves the process: an error's own text is the operator's.
func refused(ctx context.Context, ev *authorizerEvent, err error) error {
	attrs := []slog.Attr{slog.String("request_id", ev.RequestContext.RequestID), slog.String("kind", problem.From(err).Kind.String())}
	if problem.Is(err, problem.Unauthenticated) {
		slog.LogAttrs(ctx, slog.LevelInfo, "not authorized", attrs...)
		return errUnauthorized
	}
	slog.LogAttrs(ctx, slog.LevelError, "an authorization failed", append(attrs, slog.Any("err", err))...)
	return errNoAnswer
}
