// Package shared is the core of Switchboard. It holds no code: this is the tour.
//
// # One turn, as data
//
// A question comes in as an HTTP request. On Lambda, [host/lambdahost] makes one of
// a gateway event; in one process, [host/httphost] has it from net/http. From there
// on the two are the same.
//
// [tenant/auth] turns the credential into a [tenant.Scope] before a byte of the body
// is read, decodes the body with [strictjson], and calls the handler that the route
// was declared with. The Scope is the parameter after ctx in every call from here on;
// nothing else says whose data is touched.
//
// [chat] takes the turn in four steps. open reserves the turn's id with a conditional
// write to the [table], and beside it reads the conversation's window from the
// [session] and passages from [search]: one round trip. offer makes a [model.Request]
// of the assistant (from [company]) and of what was read. ask passes the model's parts
// on as they arrive. keep writes the turn's item to the table, with messages, usage
// and access record in it, and extends the window beside it: one round trip. Then
// `done` goes out.
//
// The turn's item is the ledger. The window and the sweeper's list of open turns are
// derived and can be made again: the window by reading the conversation's last items,
// the list by following the table's change feed.
//
// # Where a company comes from
//
// [company/catalog] keeps a company's files in its own part of the table, with every
// version that they have had, and holds what it read of them in memory. The admin API
// writes them ([admin]); a folder is brought by the same code, at a start of the one
// process or by `switchboard sync`. What was changed on the server stays until the
// folder's own file changes.
//
// # What is on disk
//
// Bodies of items, windows in Redis and stored credentials are sealed under a key of
// the tenant's own, bound to where they are ([seal]): a row that came to lie in
// another's place, by our mistake or by somebody's hand, does not open. The tenant's
// keys are kept once, wrapped by the master key or by KMS, and a tenant whose keys
// are shredded is gone. Keys of items, counters and the index of knowledge are in the
// clear.
//
// # Whose credentials
//
// On AWS a function's own role does not reach tenants' items. Each call is signed with
// a session of the data role that STS tagged with the Scope's project, and whose
// policies allow keys of that project alone, by named actions: our own mistake in a key
// is refused by AWS. app/aws/internal/vend has the sessions, and app/aws/iamtest
// evaluates their policies, read out of template.yaml, where there is no AWS.
//
// # Who asks, on AWS
//
// Credentials are looked up by functions/authorizer, which the gateway asks first: it
// and the operator's function are all that can read the directory. Its word, a signed
// token for that one credential, comes to chat in the event, beside the request, and
// [tenant/auth.NewGateBehind] opens it; from there on the way in is the same. What takes
// longer than the word holds, an open stream, is watched by the project's standing: a
// record in the company's own table that the directory's writer keeps.
// tenant/auth/revocation.go adds up how long a revocation takes.
//
// # When its process dies
//
// The reservation is left, and says by when its process has ended. In one process
// [chat.Service.Sweep] follows the feed and closes the turn. On Lambda the table's
// stream calls functions/rollup, which notes the turns that are still running, and a
// schedule has it close those whose time is up ([app/aws/rollup] says why so). Either
// way the conversation shows the turn as interrupted, and a retry takes it up.
//
// # Rooms
//
//	problem, strictjson   failures with a client's and an operator's view; JSON from outside
//	clock                 how long ago, by whichever clock says more
//	tenant, tenant/auth   who is asking; credentials and routes
//	seal                  bytes under a tenant's own key     fileseal  kmsseal  masterseal
//	table                 items of one tenant        sqlitetable  dynamotable
//	session               the window                 redissession  memsession
//	search                passages of one tenant     sqlitesearch  memsearch
//	model                 language models            openai anthropic bedrock extract
//	usage, audit          the price book; who touched what, in the tenant's own log
//	cache                 what was read a moment ago, for credentials and companies
//	company, knowledge    what a company's files say; its articles as passages
//	company/catalog       the files as they are stored, with their versions
//	admin                 the operator's API
//	chat                  the turn
//	app, app/local, app/aws, app/providers   which routes and which drivers
//	app/aws/authorizer    whose credential a request carries, for the gateway
//	app/aws/rollup        what follows from turns, behind the table's stream
//	host                  how HTTP, and on Lambda the stream, gets in
//	attack, prove         what attacks across tenants are made of; those on a running server, and the signed report
//	web                   pages
//
// Imports go down this list, never up; [archtest] holds that, and that drivers are
// imported by app alone, so a Lambda carries no SQLite and the local binary starts
// without a call to AWS.
//
// # Rough edges we know of
//
// A follow-up question is searched for by its own words alone, because the window
// arrives at the same time as the passages. The model port has no place for images.
// Two turns of a conversation within one millisecond can be stored in either order.
package shared
