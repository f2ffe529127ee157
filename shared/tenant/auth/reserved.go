package auth

import (
	"net/http"
	"strings"
)

// Reserved reports whether only the inside may set the header: a client that could would
// choose its own tenant, say that a proxy has let it in, or put its words into another's
// log lines. Nothing here reads an identity from any of them; hosts drop them all the
// same, before a handler sees the request, so that nothing that is added ever can.
func Reserved(name string) bool {
	key := http.CanonicalHeaderKey(name)
	switch key {
	case requestIDHeader, "X-Amz-Tenant-Id", "X-Tenant-Id", "X-Project-Id", "X-Request-From", "X-Internal",
		"X-Apigateway-Event", "X-Apigateway-Context", "Remote-User", "X-Remote-User", "X-User-Id",
		"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token":
		return true
	}
	for _, prefix := range [...]string{"X-Amzn-", "X-Switchboard-", "X-Principal", "X-Authorizer-", "X-Auth-Request-", "X-Forwarded-Claim", "X-Jwt-Claim-", "X-Goog-Authenticated-User-", "X-Ms-Client-Principal"} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}
