package provider_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
)

// TestArgumentsAreBoundedTogether: many calls hold no more than one may.
func TestArgumentsAreBoundedTogether(t *testing.T) {
	t.Parallel()
	piece := strings.Repeat("x", 100<<10)
	input := jsontext.Value(`{"a":"` + piece + `"}`)
	for name, call := range map[string]func(*provider.Answer, int) error{
		"in pieces": func(a *provider.Answer, n int) error {
			return errors.Join(a.BeginCall(n, "t", "f", nil), a.Piece(n, piece))
		},
		"in one":     func(a *provider.Answer, n int) error { return a.BeginCall(n, "t", "f", input) },
		"as a name":  func(a *provider.Answer, n int) error { return a.BeginCall(n, "t", piece, nil) },
		"as an id":   func(a *provider.Answer, n int) error { defer a.EndBlock(n); return a.BeginCall(n, piece, "f", nil) },
		"one by one": func(a *provider.Answer, n int) error { defer a.EndBlock(n); return a.BeginCall(n, "t", "f", input) },
	} {
		a := provider.NewAnswer(func(model.Part, error) bool { return true })
		for n := 1; n <= 11; n++ {
			if err := call(a, n); (n > 10) != errors.Is(err, provider.ErrTooMuch) {
				t.Errorf("%s: call %d of 100 KiB: %v", name, n, err)
			}
		}
	}
}
