// Package chat is the turn: a question in, a streamed, cited, remembered answer
// out.
//
// shared/app serves its routes. It is where the features meet, so it imports the
// stores, the model and the company, and nothing of ours imports it but app. Its
// one promise: a turn that was acknowledged with `done` is stored, billed and on
// record exactly once, whatever was retried, cut or killed on the way.
//
// A turn is a chain of values, each made by the step before it; every step is a
// file of its name:
//
//	open    the turn's id is reserved (a conditional write) while the window and
//	        the company's passages are read beside it: one round trip
//	offer   instructions, passages and messages become a model request
//	ask     the model's parts are passed on as they arrive
//	keep    one atomic write of the turn's item: messages, usage and access
//	        record; the window is extended beside it: one round trip
//
// There are two items. The reservation (kind "reservation", by turn id) says that
// a turn exists, where its item is and what was asked. The turn's item (kind
// "turn", by conversation and time) is the ledger. A reservation without an item
// is a turn that runs, or one whose process died; sweep.go closes those, by a note of
// open turns that watch.go keeps from the table's change feed. A retry
// (retry.go) meets the reservation, and then waits for the item, repeats it, or
// takes the turn over.
package chat
