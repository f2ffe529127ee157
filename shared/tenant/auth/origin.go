package auth

import (
	"net/http"
	"net/url"
	"strings"

	"switchboard/shared/problem"
)

// originOf returns the one origin that the browser says the request is from; "" if it
// says none, several, or "null".
func originOf(h http.Header) string {
	v := h.Values("Origin")
	if len(v) != 1 || !isOrigin(v[0]) {
		return ""
	}
	return v[0]
}

// isOrigin reports whether s is an origin as a browser spells it.
func isOrigin(s string) bool {
	if len(s) > 300 {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.Scheme+"://"+strings.ToLower(u.Host) == s
}

// admitOrigin refuses a token that came from another origin than the one it was given
// to, and lets the right one read the answer. A browser leaves the origin out of what
// a page reads from its own server, and then says so.
func (v *visitor) admitOrigin(out http.Header, r *http.Request) error {
	origin := originOf(r.Header)
	if len(r.Header.Values("Origin")) == 0 && r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		origin = v.Origin
	}
	if origin != v.Origin {
		return wrongOrigin()
	}
	mayRead(out, origin)
	return nil
}

// wrongOrigin is the one answer to an origin that is missing, "null" or another.
func wrongOrigin() error {
	return problem.New(problem.Forbidden, "auth.origin", "This origin may not do that.")
}

// mayRead lets pages of the origin read the answer.
func mayRead(out http.Header, origin string) {
	out.Set("Access-Control-Allow-Origin", origin)
	out.Add("Vary", "Origin")
	out.Set("Access-Control-Expose-Headers", requestIDHeader+", Retry-After")
}

// preflight answers a browser's question whether it may send the request at all. The
// answer is the same to every origin, since it carries no credential: what matters is
// whether the answer to the request itself may be read, and admitOrigin says that.
func preflight(w http.ResponseWriter, r *http.Request, allowed bool) {
	origin := originOf(r.Header)
	if origin == "" || !allowed {
		writeProblem(w, problem.From(wrongOrigin()), false)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, X-Api-Key")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
