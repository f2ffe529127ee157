// Package demo serves a page for each company on which its assistants can be
// tried, for development.
//
// app imports it. Its one promise: the pages hold no secret and the server grants
// them nothing. The key is in the part of the address after '#', which a browser
// keeps to itself, so the page can do what the person who was given the address
// can do, and no more.
package demo

import (
	"bytes"
	"embed"
	"html/template"
	"mime"
	"net/http"
	"path"

	"switchboard/shared/company"
)

//go:embed page.html demo.js demo.css
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

// Pages are the demo pages of some companies.
type Pages struct{ companies map[string]company.Company }

// New returns the pages of the companies.
func New(companies []company.Company) *Pages {
	p := &Pages{companies: make(map[string]company.Company)}
	for _, c := range companies {
		p.companies[c.ID.String()] = c
	}
	return p
}

// policy lets the page load its own script and style and call its own server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page serves GET /demo/{project}.
func (p *Pages) Page(w http.ResponseWriter, r *http.Request) {
	c, ok := p.companies[r.PathValue("project")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	var b bytes.Buffer
	if err := page.Execute(&b, c); err != nil {
		http.Error(w, "Internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.Write(b.Bytes())
}

// Asset serves GET /demo/assets/{file}.
func (p *Pages) Asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	data, err := files.ReadFile(name)
	if err != nil || path.Ext(name) == ".html" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(data)
}
