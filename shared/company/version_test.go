package company_test

import (
	"regexp"
	"testing"

	"switchboard/shared/company"
)

func TestVersionNamesWhatAnAnswerWasMadeFrom(t *testing.T) {
	t.Parallel()
	base := mustLoad(t, acme("", ""))[0]
	if !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(company.Version(base)) {
		t.Errorf("Version = %q, want 12 hex digits", company.Version(base))
	}
	rows := []struct {
		name, file, text        string
		sameVersion, sameDigest bool
	}{
		{"the same", "acme/company.yaml", "name:   Acme\n# a comment\n", true, true},
		{"a default written out", "acme/company.yaml", "name: Acme\ntier: standard\n", true, true},
		{"a member", "acme/company.yaml", "name: Acme\nmembers: [{email: a@b.example, role: owner}]\n", true, false},
		{"the name", "acme/company.yaml", "name: Acme2\n", false, false},
		{"an instruction", "acme/assistants/front.md", "---\nname: Front\n---\nAnswer!\n", false, false},
		{"a model", "acme/assistants/front.md", "---\nname: Front\nmodel: extract\n---\nAnswer.\n", false, false},
		{"an article", "acme/knowledge/prices.md", "# Prices\n\nTwelve dollars.\n", false, false},
		{"another article", "acme/knowledge/hours.md", "Always.\n", false, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := mustLoad(t, acme(row.file, row.text))[0]
			if same := company.Version(c) == company.Version(base); same != row.sameVersion {
				t.Errorf("same version: %v, want %v", same, row.sameVersion)
			}
			if same := c.Digest() == base.Digest(); same != row.sameDigest {
				t.Errorf("same digest: %v, want %v", same, row.sameDigest)
			}
		})
	}
}
