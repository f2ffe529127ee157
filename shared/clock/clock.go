// Package clock tells how long ago something was, where too short an answer would keep
// alive what has been revoked, shredded or has run out.
//
// Whoever holds such a thing in memory imports it. Its one promise: an age is never
// less than what either of the machine's clocks says has passed. The monotonic clock
// stands still while a machine sleeps or a Lambda is frozen, and the wall clock can be
// set back; whichever says more is believed.
package clock

import "time"

// Stamp is a moment by both clocks. The zero Stamp is long ago.
type Stamp struct{ Mono, Wall time.Time }

// At returns the Stamp of a time that time.Now has returned.
func At(now time.Time) Stamp { return Stamp{now, now.Round(0)} }

// Age is how long ago the moment was, seen from a time that time.Now has returned.
func (s Stamp) Age(now time.Time) time.Duration {
	return max(now.Sub(s.Mono), now.Round(0).Sub(s.Wall))
}
