package auth_test

import (
	"net/http/httptest"
	"testing"

	"switchboard/shared/tenant/auth"
)

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
