// Package lambdahost runs an http.Handler behind API Gateway on Lambda, streaming, the
// gateway's authorizer, and a [Worker] behind a table's stream and a schedule.
//
// Only the mains under functions/ import it; beside it stands httphost, which
// runs the same handlers in one process.
//
//	gateway event --newRequest--> *http.Request --> the app, with the authorizer's word
//	Runtime API <--prelude, 8 NUL bytes, body-- stream <-- exchange (http.ResponseWriter)
//
// Its one promise: an answer ends cleanly only if its handler returned. A panic
// after the first byte breaks the stream, a client that went away or a deadline
// that is near cancels the request's context, and the next event does not start
// before the handler of this one is done. Nothing of a request is kept outside
// its own values, so a warm process knows nothing of the one before. To a worker the
// promise is that a record it did not take comes again.
package lambdahost
