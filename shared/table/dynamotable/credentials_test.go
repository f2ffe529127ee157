package dynamotable_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// signers records which key signed each request.
type signers struct {
	mu  sync.Mutex
	ids []string
}

func (s *signers) RoundTrip(r *http.Request) (*http.Response, error) {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	id, _, _ := strings.Cut(rest, "/")
	s.mu.Lock()
	s.ids = append(s.ids, id)
	s.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// TestEveryRequestIsSignedForItsTenant holds the lock that AWS keeps for us: no
// request for a tenant goes out under another's credentials, or the platform's.
func TestEveryRequestIsSignedForItsTenant(t *testing.T) {
	t.Parallel()
	var seen signers
	r := newRig(t, func(c *dynamotable.Config) {
		c.Client = dynamodb.New(c.Client.(*dynamodb.Client).Options(), func(o *dynamodb.Options) {
			o.HTTPClient = &http.Client{Transport: &seen}
		})
		c.Credentials = func(sc tenant.Scope) aws.CredentialsProvider {
			return credentials.NewStaticCredentialsProvider("for-"+sc.Project().String(), "secret", "")
		}
	})
	for _, project := range []string{"lenhart-electric", "incharge-electric", "lenhart-electric"} {
		r.sc, seen.ids = tenanttest.Scope(project), nil
		r.write(t, table.Put(key("a"), nil))
		r.write(t, table.Put(key("a"), nil), table.Add(key("b"), map[string]int64{"n": 1}))
		it := r.get(t, "a")
		r.write(t, table.Replace(it, nil))
		r.write(t, table.Delete(r.get(t, "a")))
		if _, err := r.List(t.Context(), r.sc, table.Query{Kind: "test", Parent: "p"}); err != nil {
			t.Fatal(err)
		}
		if len(seen.ids) != 7 {
			t.Errorf("%d requests, want 7", len(seen.ids))
		}
		for _, id := range seen.ids {
			if id != "for-"+project {
				t.Errorf("a request for %s was signed by %s", project, id)
			}
		}
	}
}
