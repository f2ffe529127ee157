package dynamotable_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
)

// bodies keeps the bodies of the requests that it passes on.
type bodies struct{ sent []io.Reader }

func (b *bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	b.sent = append(b.sent, r.Body)
	return http.DefaultTransport.RoundTrip(r)
}

// TestABodyEndsQuietly: net/http may look for more of a body after the SDK has closed
// it, and takes an error for a request that failed.
func TestABodyEndsQuietly(t *testing.T) {
	t.Parallel()
	var b bodies
	r := newRig(t, func(c *dynamotable.Config) {
		c.Client = dynamodb.New(c.Client.(*dynamodb.Client).Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: &b} })
	})
	r.write(t, table.Create(key("a"), []byte(`{}`)))
	r.get(t, "a")
	if len(b.sent) != 2 {
		t.Fatalf("%d requests", len(b.sent))
	}
	for _, body := range b.sent {
		if n, err := io.Copy(io.Discard, body); n != 0 || err != nil {
			t.Errorf("a closed body has %d bytes and ends with %v", n, err)
		}
	}
}
