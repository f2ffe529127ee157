package extractmodel_test

import (
	"context"
	"strings"
	"testing"

	"switchboard/shared/model"
	"switchboard/shared/model/extractmodel"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

var sources = []model.Source{
	{Number: 1, Title: "Prices", Heading: "Visits", Text: "A diagnostic visit costs $149.", Score: 9},
	{Number: 2, Title: "Hours", Text: "We are open from 7 to 5.", Score: 2},
}

func say(t *testing.T, ctx context.Context, sc tenant.Scope, q string, sources []model.Source) (string, model.Stop, error) {
	t.Helper()
	var text strings.Builder
	var stop model.Stop
	for p, err := range extractmodel.New().Stream(ctx, sc, model.Request{Sources: sources, Messages: []model.Message{
		{Role: model.User, Text: "earlier"}, {Role: model.Assistant, Text: "yes"}, {Role: model.User, Text: q},
	}}) {
		if err != nil {
			return text.String(), stop, err
		}
		text.WriteString(p.Text)
		stop = p.Stop
	}
	return text.String(), stop, nil
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	sc := tenanttest.Scope("abc")
	long := strings.Repeat("Filler that says nothing. ", 20)
	for _, c := range []struct {
		name, q   string
		sources   []model.Source
		want, not []string
	}{
		{"quotes and cites", "What does a diagnostic visit cost?", sources, []string{"$149", "[1]", "our own information"}, []string{"[2]", "could not"}},
		{"does not know", "Do you sell tropical fish?", sources, []string{"could not find"}, []string{"[1]", "[2]", "$149"}},
		{"half a match is none", "visit the volcano museum tomorrow", sources, []string{"could not find"}, []string{"$149"}},
		{"no sources", "What does a visit cost?", nil, []string{"could not find"}, nil},
		{"nothing asked", "what is it?", sources, []string{"Ask me"}, []string{"[1]"}},
		{"long passages are cut to what answers", "warranty on motors",
			[]model.Source{{Number: 1, Title: "T", Text: long + "\n\n" + long + "\n\nThe warranty on motors is two years.\n\n" + long, Score: 1}},
			[]string{"two years"}, []string{long + "\n\n" + long}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, stop, err := say(t, t.Context(), sc, c.q, c.sources)
			if err != nil || stop != model.StopEnd {
				t.Fatalf("ended with %q, %v", stop, err)
			}
			for _, s := range c.want {
				if !strings.Contains(got, s) {
					t.Errorf("%q is not in %q", s, got)
				}
			}
			for _, s := range c.not {
				if strings.Contains(got, s) {
					t.Errorf("%q is in %q", s, got)
				}
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	if _, _, err := say(t, t.Context(), tenant.Scope{}, "visit cost", sources); !problem.Is(err, problem.Internal) {
		t.Errorf("zero scope: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := say(t, ctx, tenanttest.Scope("abc"), "visit cost", sources); !problem.Is(err, problem.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
