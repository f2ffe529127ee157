package vend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

const (
	sessionLife = 15 * time.Minute // the shortest that STS gives
	attempts    = 2                // a connection that was kept may be dead after a freeze
	maxPause    = 50 * time.Millisecond
	maxAnswer   = 64 << 10
)

// sts calls AssumeRole. The SDK's client of STS would bring its every other operation
// and an XML decoder into a binary that each cold start downloads; this is its one
// request, signed by the SDK's signer.
type sts struct {
	role     role
	policy   string
	region   string
	endpoint string
	own      aws.CredentialsProvider // the function's
	http     aws.HTTPClient
	signer   *v4.Signer
}

// assume returns the credentials of a session that is tagged with the tenant.
func (s *sts) assume(ctx context.Context, id tenant.ID) (aws.Credentials, error) {
	const op = "vend.assume"
	own, err := s.own.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, away(op, problem.ReasonAuth, err)
	}
	form := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"},
		"RoleArn": {s.role.arn}, "RoleSessionName": {id.String()},
		"DurationSeconds":     {strconv.Itoa(int(sessionLife / time.Second))},
		"Policy":              {s.policy},
		"Tags.member.1.Key":   {Tag},
		"Tags.member.1.Value": {id.String()},
	}.Encode()
	for attempt := 1; ; attempt++ {
		c, again, err := s.post(ctx, own, form)
		if err == nil || !again || attempt == attempts || !pause(ctx, rand.N(maxPause)) {
			return c, err
		}
	}
}

// pause waits; false means that ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// post sends the request once; again says whether another try makes sense.
func (s *sts) post(ctx context.Context, own aws.Credentials, form string) (c aws.Credentials, again bool, err error) {
	const op = "vend.assume"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint+"/", strings.NewReader(form))
	if err != nil {
		return c, false, away(op, "", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	sum := sha256.Sum256([]byte(form))
	if err := s.signer.SignHTTP(ctx, own, req, hex.EncodeToString(sum[:]), "sts", s.region, time.Now()); err != nil {
		return c, false, away(op, "", err)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return c, true, unanswered(op, err) // it names the endpoint; the policy is in the body
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c, true, unanswered(op, err)
	}
	if resp.StatusCode != http.StatusOK {
		return c, retryable(resp.StatusCode, string(body)), refused(resp, string(body))
	}
	c, err = read(string(body))
	return c, false, err
}

// retryable reports whether STS was in trouble, or asked to be left alone.
func retryable(status int, body string) bool {
	code := element(body, "Code")
	return status >= http.StatusInternalServerError || strings.HasPrefix(code, "Throttling") || code == "RequestLimitExceeded"
}

// refused says in which class STS refused. Its message is left out: it can quote the
// policy.
func refused(resp *http.Response, body string) error {
	code, reason := element(body, "Code"), problem.ReasonAuth
	switch {
	case resp.StatusCode >= http.StatusInternalServerError:
		reason = problem.ReasonServerError
	case retryable(resp.StatusCode, body):
		reason = problem.ReasonOverloaded
	}
	return away("vend.assume", reason, fmt.Errorf("STS answered %d %.40q, request %.40q", resp.StatusCode, code, element(body, "RequestId")))
}

// read reads the answer.
func read(body string) (aws.Credentials, error) {
	const op = "vend.assume"
	c := aws.Credentials{
		AccessKeyID: element(body, "AccessKeyId"), SecretAccessKey: element(body, "SecretAccessKey"),
		SessionToken: element(body, "SessionToken"), CanExpire: true, Source: "switchboard",
	}
	var err error
	if c.Expires, err = time.Parse(time.RFC3339, element(body, "Expiration")); err != nil || !c.HasKeys() || c.SessionToken == "" {
		return aws.Credentials{}, away(op, problem.ReasonProtocol, fmt.Errorf("STS answered %d bytes without credentials", len(body)))
	}
	return c, nil
}

// element returns the text of the only element of that name, "" where there is none
// or several. STS writes its answers by machine: no attribute, no CDATA.
func element(body, name string) string {
	_, rest, ok := strings.Cut(body, "<"+name+">")
	text, rest, closed := strings.Cut(rest, "</"+name+">")
	if !ok || !closed || strings.Contains(text, "<") || strings.Contains(rest, "<"+name+">") {
		return ""
	}
	return unescape(strings.TrimSpace(text))
}

// unescape knows XML's own entities; package html would bring thousands.
func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#34;", `"`, "&apos;", "'", "&#39;", "'", "&amp;", "&").Replace(s)
}

func unanswered(op string, err error) error {
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		return away(op, problem.ReasonTimeout, err)
	}
	return away(op, problem.ReasonNetwork, err)
}

// away is every failure: the tenant's data cannot be reached now.
func away(op, reason string, err error) error {
	return &problem.Error{Kind: problem.Unavailable, Reason: reason, RetryAfter: time.Second, Op: op, Err: err}
}
