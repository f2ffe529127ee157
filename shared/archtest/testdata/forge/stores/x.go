// Package forge tries to use what only a store's constructor may make.
package forge

import (
	"switchboard/shared/seal"
	"switchboard/shared/search"
	"switchboard/shared/session"
	"switchboard/shared/table"
)

type op struct{}

var (
	_ = table.Op{op: op{}}      // want: "unknown field op|unexported field op"
	_ = table.Op{op{}}          // want: "unexported field"
	_ = table.Op(op{})          // want: "cannot convert"
	_ = table.Table{d: nil}     // want: "unknown field d|unexported field d"
	_ = search.Index{d: nil}    // want: "unknown field d|unexported field d"
	_ = session.Session{d: nil} // want: "unknown field d|unexported field d"
	_ = seal.Sealer{held: nil}  // want: "unknown field held|unexported field held"
	_ = seal.Place{tenant: "x"} // want: "unknown field tenant"
)

func unread(t *table.Table, key table.Key) {
	_ = table.Replace(key, nil) // want: "cannot use key"
	_ = table.Delete(key)       // want: "cannot use key"
	_ = t.d                     // want: "t.d undefined"
	_ = t.sealer                // want: "t.sealer undefined"
}
