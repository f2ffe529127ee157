package sqlitetable

import (
	"testing"

	"switchboard/shared/tenant"
)

// TestLeadIsNotWithdrawn: who was made leader at the moment its context ended has
// to lead, or those behind it would wait for ever.
func TestLeadIsNotWithdrawn(t *testing.T) {
	t.Parallel()
	var q queue
	first, second, third := newPending(tenant.Scope{}, nil), newPending(tenant.Scope{}, nil), newPending(tenant.Scope{}, nil)
	if !q.enter(first) || q.enter(second) || q.enter(third) {
		t.Fatal("the first leads, and nobody else")
	}
	q.pass(nil) // the first got no file
	if q.withdraw(second) {
		t.Error("the leader withdrew")
	}
	if leads := <-second.wake; !leads || !q.withdraw(third) || q.idle() {
		t.Errorf("second leads %v, and third waits behind it", leads)
	}
	if batch := q.take(); len(batch) != 1 || batch[0] != second {
		t.Errorf("the batch is %v", batch)
	}
	q.pass([]*pending{second})
	if !q.enter(newPending(tenant.Scope{}, nil)) {
		t.Error("nobody leads an empty queue")
	}
}
