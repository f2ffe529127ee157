// Package integrations carries the shipped companies inside the binary.
//
// The commands import it when they are not given a folder to read instead, and
// hand [FS] to company.Load. Its one promise: adding a company is adding a
// folder; the globs below find it and nothing here is edited.
package integrations

import "embed"

// FS holds what is said in company-integrations: every company's manifest, its
// assistants and its knowledge. Other files of a folder are not in it.
//
//go:embed */company.yaml */assistants/*.md */knowledge/*.md
var FS embed.FS
