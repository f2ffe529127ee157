package auth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"switchboard/shared/tenant/auth"
)

// maxVouched is what an authenticated request behind an authorizer may cost, in all: the
// figure of a slow machine with another's work on it. It measures some 20 us.
const maxVouched = 50 * time.Microsecond

// BenchmarkVouched is BenchmarkAdmit behind an authorizer: instead of a lookup in memory
// there is a token to open. It fails beyond maxVouched. BenchmarkAuthorize beside it is
// what the authorizer does for it, its memory warm.
func BenchmarkVouched(b *testing.B) {
	d, gw := newBehind(b, sites{"acme": {Origins: []string{home}, Assistants: []string{"website"}}}, nil, whoami(), auth.WidgetToken())
	_, sk := d.issue(b, auth.Credential{})
	_, pk := d.issue(b, auth.Credential{Kind: auth.Publishable})
	p := &page{door: d, pk: pk}
	for name, credential := range map[string]string{"secret key": sk, "widget token": p.give(b, pk, website).Token} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			word, until := gw.word(b, credential), time.Now().Add(30*time.Second)
			for b.Loop() {
				if time.Now().After(until) { // a long run outlasts a word
					word, until = gw.word(b, credential), time.Now().Add(30*time.Second)
				}
				r := httptest.NewRequest("POST", "/who", nil)
				r.Header.Set("Authorization", "Bearer "+credential)
				r.Header.Set("Origin", home)
				w := httptest.NewRecorder()
				if gw.ServePrincipal(w, r, word); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
			if each := b.Elapsed() / time.Duration(b.N); b.N > 1000 && each > maxVouched {
				b.Errorf("%v a request, %v at most", each, maxVouched)
			}
		})
	}
}

func BenchmarkAuthorize(b *testing.B) {
	d, gw := newBehind(b, nil, nil)
	_, sk := d.issue(b, auth.Credential{})
	h := http.Header{"Authorization": {"Bearer " + sk}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := gw.authorizer.Authorize(b.Context(), h); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAdmit is what the way in costs a request, from the headers to the scope:
// the whole of a request to a route that does nothing, routing and answer included.
func BenchmarkAdmit(b *testing.B) {
	d := newSite(b, sites{"acme": {Origins: []string{home}, Assistants: []string{"website"}}}, nil, whoami(), auth.WidgetToken())
	_, sk := d.issue(b, auth.Credential{})
	_, pk := d.issue(b, auth.Credential{Kind: auth.Publishable})
	p := &page{door: d, pk: pk}
	for name, credential := range map[string]string{"secret key": sk, "widget token": p.give(b, pk, website).Token} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", "/who", nil)
				r.Header.Set("Authorization", "Bearer "+credential)
				r.Header.Set("Origin", home)
				w := httptest.NewRecorder()
				if d.ServeHTTP(w, r); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
