// Package demo serves a page for each company on which its assistants can be
// tried, for development.
//
// app imports it. Its one promise: the pages hold no secret and the server grants
// them nothing. The publishable key is in the part of the address after '#', and the
// page does with it what a company's own page does: it asks for a visitor's token.
package demo

import (
	"context"
	"embed"
	"mime"
	"net/http"
	"path"

	"github.com/go-json-experiment/json"

	"switchboard/shared/company"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

//go:embed page.html demo.js demo.css
var files embed.FS

// Companies are what the pages are of.
type Companies interface {
	Company(ctx context.Context, sc tenant.Scope) (company.Entry, error)
}

// Pages are the demo pages of all companies.
type Pages struct {
	companies Companies
	scope     func(tenant.ID) tenant.Scope
}

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

// New returns the pages of the companies; scope says as whom they are looked at.
func New(companies Companies, scope func(tenant.ID) tenant.Scope) *Pages {
	return &Pages{companies, scope}
}

// about returns what a page shows of the company in the request's path, or nil.
func (p *Pages) about(r *http.Request) ([]byte, error) {
	id, err := tenant.ParseID(r.PathValue("project"))
	if err != nil {
		return nil, nil
	}
	c, err := p.companies.Company(r.Context(), p.scope(id))
	if problem.Is(err, problem.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := about{Name: c.Name, Locale: c.Locale, Color: c.Brand.Color}
	for _, x := range c.Assistants {
		a.Assistants = append(a.Assistants, assistant{x.ID, x.Name, x.Greeting, x.Suggestions})
	}
	return json.Marshal(a)
}

// found reports whether there is such a company, and answers if there is not.
func (p *Pages) found(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	data, err := p.about(r)
	switch {
	case err != nil:
		http.Error(w, "The service is temporarily unavailable. Please try again.", http.StatusServiceUnavailable)
	case data == nil:
		http.NotFound(w, r)
	}
	return data, data != nil
}

// policy lets the page load its own script and style and call its own server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page serves GET /demo/{project}.
func (p *Pages) Page(w http.ResponseWriter, r *http.Request) {
	if _, ok := p.found(w, r); !ok {
		return
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	serve(w, r, "page.html", "no-store")
}

// About serves GET /demo/{project}/about.json.
func (p *Pages) About(w http.ResponseWriter, r *http.Request) {
	data, ok := p.found(w, r)
	if !ok {
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
