package iamtest

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// refusal is why a request is not even looked at.
type refusal struct{ code, message string }

// signed returns whose request it is, once its signature was made again and is the
// same.
func (a *Account) signed(r *http.Request, body []byte, service string) (*login, *refusal) {
	fields := map[string]string{}
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if scheme != "AWS4-HMAC-SHA256" || len(scope) != 5 || scope[3] != service {
		return nil, &refusal{"MissingAuthenticationToken", "Request is missing Authentication Token"}
	}
	a.mu.Lock()
	l := a.logins[scope[0]]
	a.mu.Unlock()
	if l == nil || subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Amz-Security-Token")), []byte(l.credentials.SessionToken)) == 0 {
		return nil, &refusal{"UnrecognizedClientException", "The security token included in the request is invalid."}
	}
	if l.credentials.CanExpire && !time.Now().Before(l.credentials.Expires) {
		return nil, &refusal{"ExpiredTokenException", "The security token included in the request is expired"}
	}
	if !same(r, body, l.credentials, scope, strings.Split(fields["SignedHeaders"], ";")) {
		return nil, &refusal{"InvalidSignatureException", "The request signature we calculated does not match the signature you provided."}
	}
	return l, nil
}

// same signs the request again.
func same(r *http.Request, body []byte, c aws.Credentials, scope, headers []string) bool {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || !slices.Contains(headers, "host") || !slices.Contains(headers, "x-amz-security-token") {
		return false
	}
	host := cmp.Or(r.Host, r.URL.Host) // the latter where no network was between
	again, err := http.NewRequest(r.Method, "http://"+host+r.URL.RequestURI(), nil)
	if err != nil {
		return false
	}
	for _, h := range headers {
		switch h {
		case "host", "x-amz-date", "x-amz-security-token":
		case "content-length":
			again.ContentLength, again.Body = int64(len(body)), io.NopCloser(strings.NewReader(string(body)))
		default:
			again.Header[http.CanonicalHeaderKey(h)] = r.Header.Values(h)
		}
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), c, again, hex.EncodeToString(sum[:]), scope[3], scope[2], at); err != nil {
		return false
	}
	return again.Header.Get("Authorization") == r.Header.Get("Authorization")
}
