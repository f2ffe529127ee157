package provider_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/model/internal/provider"
)

func TestSampling(t *testing.T) {
	t.Parallel()
	n := func(f float64) *float64 { return &f }
	for _, tc := range []struct {
		model                           string
		temperature, topP, wantT, wantP *float64
	}{
		{"claude-haiku-4-5", nil, nil, nil, nil},
		{"claude-haiku-4-5", nil, n(.5), nil, n(.5)},
		{"claude-haiku-4-5", n(.3), n(.5), n(.3), nil},
		{"us.anthropic.claude-sonnet-4-5-20250929-v1:0", n(0), n(.5), n(0), nil},
		{"claude-3-5-haiku-20241022", n(.3), n(.5), n(.3), n(.5)},
		{"amazon.nova-lite-v1:0", n(1.7), n(.5), n(1), n(.5)},
	} {
		gotT, gotP := provider.Sampling(tc.model, tc.temperature, tc.topP)
		if d := cmp.Diff([]*float64{tc.wantT, tc.wantP}, []*float64{gotT, gotP}); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.model, d)
		}
	}
}
