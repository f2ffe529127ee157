package awstest

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"switchboard/shared/app/aws/iamtest"
)

// Deployed is an account with template.yaml in it: an STS, and a guard before DynamoDB
// that lets through what the policies allow.
type Deployed struct {
	*iamtest.Account
	guard, sts string
}

// Deploy starts both until the test ends. next is DynamoDB; tables are the names of the
// template's tables, by logical id.
func Deploy(t testing.TB, templateFile string, next http.Handler, tables map[string]string) *Deployed {
	t.Helper()
	d := &Deployed{Account: iamtest.New(t, templateFile, tables)}
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(func() {
			s.CloseClientConnections()
			s.Close()
		})
		return s.URL
	}
	d.guard, d.sts = serve(d.Guard(next)), serve(d.STS())
	return d
}

// Env is what the environment of a function of that role says of them, e.g. "ChatRole".
func (d *Deployed) Env(role string) []string {
	own := d.Login(role)
	return []string{
		"AWS_ACCESS_KEY_ID=" + own.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + own.SecretAccessKey, "AWS_SESSION_TOKEN=" + own.SessionToken,
		"AWS_ENDPOINT_URL_DYNAMODB=" + d.guard, "AWS_ENDPOINT_URL_STS=" + d.sts, "SWITCHBOARD_DATA_ROLE=" + iamtest.DataRole(),
	}
}

// To passes requests on to an endpoint, such as DynamoDB Local's.
func To(t testing.TB, endpoint string) http.Handler {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}
}
