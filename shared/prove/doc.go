// Package prove attacks a running server across tenants, from outside, and says in a
// signed report what became of it.
//
// functions/switchboard imports it for `switchboard prove`. It speaks HTTP alone and
// opens no store: what it knows of the server are the routes that it is handed. Its one
// promise: a row of the report says "passed" only if every attack of it was refused, or
// answered with the attacker's own, while the same request was served to who may make
// it; what could not be tried, or had no such control, is never called proven.
//
// [Run] makes companies of its own (canaries), whose data is full of words that occur
// nowhere else, and short-lived keys of the company that is to be proven; then both
// attack each other, and every byte that comes back is searched for the other's words.
// Whatever was made is revoked and suspended at the end, also of a run that fails or is
// given up. Of the proven company's own data nothing is read or changed.
package prove
