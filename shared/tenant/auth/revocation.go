package auth

import (
	"time"

	"switchboard/shared/cache"
)

// A revocation or a suspension is done when the directory's method has returned nil. By
// then the directory says so, and the project's standing where there is one. Within
// [bites] it is so everywhere. What follows adds up how; a test adds up the same.
//
// A gate over the directory holds what it read for cache.Stale: requests are refused after
// 50 s at the latest. A stream is looked at 3 s after the last look, and a look that
// finds nothing held waits at most 3 s for the key and 3 s for the project: 50 + 3 + 6 =
// 59 s.
//
// Behind an authorizer, a request: the authorizer's record is at most 10 s old, the
// gateway may hold the authorizer's answer for 30 s (template.yaml has it hold nothing),
// and the token in it ends 45 s after the record was read, whoever held it for how long.
// So 45 s, and as much more as the clock of the function that opens it is behind that of
// the authorizer. The other 5 s are for what is between the gateway's answer and the
// token's opening: a function that starts.
//
// Behind an authorizer, a stream: it began at 45 s at the latest, on what was known
// then. The standing that is held is stale at 50 s, the next look is 3 s later, and waits
// at most 3 s: 56 s. An operator's key has no project whose standing would tell of it:
// its streams end with the token, at the look after 45 s.
//
// All ages are counted from before the question, so a Lambda that was frozen between a
// question and its answer holds an old answer, not a new one.
const bites = 60 * time.Second

// How long what was looked up is used, by who looked it up.
const (
	// vouchLife is how long after its record was read an authorizer's word holds.
	vouchLife = 45 * time.Second
	// gatewayHolds is the longest time to live that a gateway's cache of an authorizer's
	// answers may be given.
	gatewayHolds = 30 * time.Second
)

// life is how long a cache uses what it has read, as its Config says.
type life struct{ fresh, stale time.Duration }

var (
	heldByGate       = life{fresh: cache.Fresh, stale: cache.Stale}
	heldByAuthorizer = life{fresh: 5 * time.Second, stale: 10 * time.Second}
)

// maxHeld bounds the records held in memory, and maxUnknown the ids held that belong
// to none.
const (
	maxHeld    = 20_000
	maxUnknown = 4_000
)
