// Package kmsseal wraps tenants' data keys with AWS KMS.
//
// Only shared/app/aws and tests import it. Its one promise: no data key is unwrapped
// without KMS, which is told each time whose it is, in the encryption context
// {project, purpose}: a role's policy can name both, and CloudTrail shows them.
//
// KMS is asked when a tenant has no key yet, when a process needs one that it does
// not hold, and each four minutes while it is used; a turn that finds its key held
// asks for nothing.
package kmsseal

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/internal/driver"
	"switchboard/shared/tenant"
)

// Client is the part of *kms.Client that is used, and what a role has to allow.
type Client interface {
	GenerateDataKey(context.Context, *kms.GenerateDataKeyInput, ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error)
	Decrypt(context.Context, *kms.DecryptInput, ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

// Purpose is what the encryption context says of every data key. template.yaml has
// it in the roles' conditions.
const Purpose = "switchboard-data-key"

// Config is what [Open] needs.
type Config struct {
	Client Client
	// Key is the ARN of the KMS key. No alias: Decrypt names the key too, and an
	// alias that is turned to another key would leave all that was wrapped behind.
	Key   string
	Rings seal.Rings // where wrapped keys are kept
	// Keys are the ARNs of tenants who have a KMS key of their own. The platform's
	// never stands in for one of these.
	Keys map[tenant.ID]string
}

// Open returns a Sealer whose data keys KMS makes and unwraps.
func Open(cfg Config) (*seal.Sealer, error) {
	const op = "kmsseal.Open"
	if cfg.Client == nil || cfg.Rings == nil {
		return nil, problem.New(problem.Internal, op, "a client and a place for keys are needed")
	}
	cfg.Keys = maps.Clone(cfg.Keys)
	for _, key := range append([]string{cfg.Key}, values(cfg.Keys)...) {
		if key == "" || strings.Contains(key, "alias/") {
			return nil, problem.New(problem.Internal, op, "the KMS key is named by its ARN, not as %q", key)
		}
	}
	return seal.New(cfg.Rings, &wrapper{cfg, newRetryer()}), nil
}

func values(m map[tenant.ID]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// baseDelay is the longest pause before the second attempt; it doubles. The asking
// has a few seconds in all.
const baseDelay = 50 * time.Millisecond

func newRetryer() aws.RetryerV2 {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return rand.N(baseDelay << min(attempt-1, 10)), nil
		})
	})
}

// wrapper implements driver.Wrapper.
type wrapper struct {
	cfg     Config
	retryer aws.RetryerV2 // shared, so that a failing KMS meets few retries from all tenants together
}

var _ driver.Wrapper = (*wrapper)(nil)

// Generate implements [driver.Wrapper].
func (w *wrapper) Generate(ctx context.Context, sc tenant.Scope, _ uint32) (secret, wrapped []byte, err error) {
	const op = "kmsseal.Generate"
	if err := sc.Check(op); err != nil {
		return nil, nil, err
	}
	out, err := w.cfg.Client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: w.key(sc), KeySpec: types.DataKeySpecAes256, EncryptionContext: bound(sc),
	}, w.options)
	if err != nil {
		return nil, nil, classify(ctx, op, err)
	}
	return out.Plaintext, out.CiphertextBlob, nil
}

// Unwrap implements [driver.Wrapper].
func (w *wrapper) Unwrap(ctx context.Context, sc tenant.Scope, _ uint32, wrapped []byte) ([]byte, error) {
	const op = "kmsseal.Unwrap"
	if err := sc.Check(op); err != nil {
		return nil, err
	}
	out, err := w.cfg.Client.Decrypt(ctx, &kms.DecryptInput{
		KeyId: w.key(sc), CiphertextBlob: wrapped, EncryptionContext: bound(sc),
	}, w.options)
	if err != nil {
		return nil, classify(ctx, op, err)
	}
	return out.Plaintext, nil
}

func (w *wrapper) key(sc tenant.Scope) *string {
	if own, ok := w.cfg.Keys[sc.Project()]; ok {
		return &own
	}
	return &w.cfg.Key
}

func (w *wrapper) options(o *kms.Options) { o.Retryer = w.retryer }

// bound is the encryption context. The version is not in it: a version's key in
// another's place opens nothing, and the policy need not know versions.
func bound(sc tenant.Scope) map[string]string {
	return map[string]string{"project": sc.Project().String(), "purpose": Purpose}
}

// classify turns an error of the SDK into a problem. A key that somebody disabled
// is away, not lost: its owner can switch it on again, so it is Unavailable too.
func classify(ctx context.Context, op string, err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return away(op, problem.ReasonNetwork, err)
	}
	throttles := retry.IsErrorThrottles(retry.DefaultThrottles)
	switch {
	case throttles.IsErrorThrottle(err).Bool():
		return away(op, problem.ReasonOverloaded, err)
	case api.ErrorFault() == smithy.FaultServer:
		return away(op, problem.ReasonServerError, err)
	}
	switch api.ErrorCode() {
	case "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException", "KMSInvalidStateException", "DisabledException":
		return away(op, problem.ReasonServerError, err)
	case "LimitExceededException":
		return away(op, problem.ReasonOverloaded, err)
	}
	// AccessDenied, a wrong encryption context, no such key: the deployment's mistake
	// or a forged ring. Trying again changes nothing.
	return problem.Wrap(problem.Internal, op, err)
}

func away(op, reason string, err error) error {
	return &problem.Error{Kind: problem.Unavailable, Reason: reason, RetryAfter: time.Second, Op: op, Err: err}
}
