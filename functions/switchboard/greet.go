package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"

	"switchboard/shared/app/local"
	"switchboard/shared/company"
)

// greet prints what a developer needs: demo pages, keys, and a line to paste.
func greet(w io.Writer, url string, companies []company.Company, keys local.DevKeys) {
	fmt.Fprintf(w, "\nSwitchboard is ready on %s  (development; Ctrl-C stops it)\n", url)
	for _, c := range companies {
		k := keys.Projects[c.ID.String()]
		fmt.Fprintf(w, "\n  %s (%s)\n", c.Name, c.ID)
		fmt.Fprintf(w, "    demo page        %s/demo/%s#%s\n", url, c.ID, k.Publishable)
		fmt.Fprintf(w, "    secret key       %s\n", k.Secret)
		fmt.Fprintf(w, "    publishable key  %s  (for pages of its site, which ask with it for widget tokens)\n", k.Publishable)
	}
	fmt.Fprintf(w, "\n  operator key       %s  (opens a company's data as it, with a reason)\n", keys.Operator)
	for _, c := range companies {
		if len(c.Assistants) == 0 {
			continue
		}
		a := c.Assistants[len(c.Assistants)-1]
		question := "What do you charge?"
		if len(a.Suggestions) > 0 {
			question = a.Suggestions[0]
		}
		if c.ID.String() == "lenhart-electric" || len(companies) == 1 {
			fmt.Fprintf(w, "\nTry it:\n\n%s\n\n", curl(url, keys.Projects[c.ID.String()].Secret, a.ID, question))
		}
	}
}

// curl is a line that works when pasted into a shell.
func curl(url, key, assistant, message string) string {
	body, err := json.Marshal(struct {
		Assistant string `json:"assistant"`
		Message   string `json:"message"`
	}{assistant, message})
	if err != nil { // the manifest was checked: its text is UTF-8
		panic(err)
	}
	return fmt.Sprintf(`curl -s %s/v1/chat -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '%s'`,
		url, key, strings.ReplaceAll(string(body), "'", `'\''`))
}
