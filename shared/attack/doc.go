// Package attack is what attacks across tenants are made of: spellings of an id that is
// another's, bodies that two parsers read differently, and the search for a canary in
// whatever an answer is spelled in.
//
// shared/isolationtest, which attacks the product in its tests, and shared/prove, which
// attacks a running server, import it. Its one promise: it makes and reads texts alone, and
// opens nothing.
package attack
