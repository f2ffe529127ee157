// Package demo serves a page for each company on which its assistants can be
// tried, for development.
//
// app imports it. Its one promise: the pages hold no secret and the server grants
// them nothing. The publishable key is in the part of the address after '#', and the
// page does with it what a company's own page does: it asks for a visitor's token.
package demo

import (
	"embed"
	"mime"
	"net/http"
	"path"

	"github.com/go-json-experiment/json"

	"switchboard/shared/company"
)

//go:embed page.html demo.js demo.css
var files embed.FS

// Pages are the demo pages of some companies.
type Pages struct{ about map[string][]byte }

// about is what a page shows of its company. The page fetches it: a template
// engine here would keep the linker from leaving out what nobody calls, and make
// the binary twice as large.
type about struct {
	Name       string      `json:"name"`
	Locale     string      `json:"locale"`
	Color      string      `json:"color"`
	Assistants []assistant `json:"assistants"`
}

type assistant struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Greeting    string   `json:"greeting"`
	Suggestions []string `json:"suggestions"`
}

// New returns the pages of the companies.
func New(companies []company.Company) (*Pages, error) {
	p := &Pages{about: make(map[string][]byte)}
	for _, c := range companies {
		a := about{Name: c.Name, Locale: c.Locale, Color: c.Brand.Color}
		for _, x := range c.Assistants {
			a.Assistants = append(a.Assistants, assistant{x.ID, x.Name, x.Greeting, x.Suggestions})
		}
		var err error
		if p.about[c.ID.String()], err = json.Marshal(a); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// policy lets the page load its own script and style and call its own server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page serves GET /demo/{project}.
func (p *Pages) Page(w http.ResponseWriter, r *http.Request) {
	if p.about[r.PathValue("project")] == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	serve(w, r, "page.html", "no-store")
}

// About serves GET /demo/{project}/about.json.
func (p *Pages) About(w http.ResponseWriter, r *http.Request) {
	data := p.about[r.PathValue("project")]
	if data == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(data)
}

// Asset serves GET /demo-assets/{file}.
func (p *Pages) Asset(w http.ResponseWriter, r *http.Request) {
	serve(w, r, r.PathValue("file"), "no-cache")
}

func serve(w http.ResponseWriter, r *http.Request, name, cache string) {
	data, err := files.ReadFile(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", cache)
	w.Write(data)
}
