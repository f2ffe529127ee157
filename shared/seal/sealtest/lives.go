package sealtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/tenant"
)

// within is by when every process has to follow.
const within = time.Minute

func version(sealed []byte) uint32 { return binary.BigEndian.Uint32(sealed[1:]) }

func (t *suite) rotate(s *seal.Sealer, sc tenant.Scope) {
	t.Helper()
	if err := s.Rotate(t.Context(), sc); err != nil {
		t.Fatalf("Rotate: %v", err)
	}
}

func (t *suite) rotation() {
	s := t.start()
	first := t.seal(s, one, at)
	t.rotate(s, one)
	second := t.seal(s, one, at)
	t.rotate(s, one)
	third := t.seal(s, one, at)
	if version(first) != 1 || version(second) != 2 || version(third) != 3 {
		t.Errorf("versions %d, %d, %d", version(first), version(second), version(third))
	}
	fresh := t.start()
	for _, sealed := range [][]byte{first, second, third} {
		t.opens(s, one, at, sealed)
		t.opens(fresh, one, at, sealed)
		for v := range uint32(6) { // no other version opens it, nor one that is not there
			if b := bytes.Clone(sealed); v != version(sealed) {
				binary.BigEndian.PutUint32(b[1:], v)
				t.shut(s, one, at, b, problem.Internal)
			}
		}
	}
	if got := version(t.seal(s, two, at)); got != 1 {
		t.Errorf("another tenant's version is %d", got)
	}
}

// rotationIsSeen holds that a process follows, and reads what another wrote under a
// key that it has not heard of.
func (t *suite) rotationIsSeen() {
	a, b := t.start(), t.start()
	old := t.seal(b, one, at)
	time.Sleep(10 * time.Second)
	t.rotate(a, one)
	t.opens(b, one, at, t.seal(a, one, at))
	deadline := time.Now().Add(within)
	for version(t.seal(b, one, at)) != 2 {
		if time.Sleep(time.Second); time.Now().After(deadline) {
			t.Fatal("the other process still seals under the old key")
		}
	}
	t.opens(b, one, at, old)
}

func (t *suite) rotationRaces() {
	var wg sync.WaitGroup
	for range 4 {
		s := t.start()
		wg.Go(func() {
			for range 3 {
				if err := s.Rotate(t.Context(), one); err != nil && !problem.Is(err, problem.Unavailable) {
					t.Errorf("Rotate: %v", err)
				}
				b, err := s.Seal(t.Context(), one, at, []byte(secret))
				if err != nil {
					t.Errorf("Seal: %v", err)
					continue
				}
				if got, err := s.Open(t.Context(), one, at, b); err != nil || string(got) != secret {
					t.Errorf("Open: %v", err)
				}
			}
		})
	}
	wg.Wait()
	t.opens(t.start(), one, at, t.seal(t.opened[0], one, at))
}

func (t *suite) shred() {
	s := t.start()
	before, twos := t.seal(s, one, at), t.seal(s, two, at)
	t.rotate(s, one)
	after := t.seal(s, one, at)
	if err := s.Shred(t.Context(), one); err != nil {
		t.Fatalf("Shred: %v", err)
	}
	t.shut(s, one, at, after, problem.Internal) // at once, in this process
	if err := s.Shred(t.Context(), one); err != nil {
		t.Errorf("twice: %v", err)
	}
	for _, s := range []*seal.Sealer{s, t.start()} {
		t.shut(s, one, at, before, problem.Internal)
		t.shut(s, one, at, after, problem.Internal)
		if b, err := s.Seal(t.Context(), one, at, []byte(secret)); b != nil || !problem.Is(err, problem.Internal) || !errors.Is(err, seal.ErrShredded) {
			t.Errorf("sealed after the shredding: %q, %v", b, err)
		}
		if err := s.Rotate(t.Context(), one); !problem.Is(err, problem.Internal) {
			t.Errorf("Rotate after the shredding: %v", err)
		}
		t.opens(s, two, at, twos)
	}
}

func (t *suite) shredIsSeen() {
	a, b := t.start(), t.start()
	sealed := t.seal(a, one, at)
	began := time.Now()
	busy := func() error {
		_, err := b.Open(t.Context(), one, at, sealed)
		return err
	}
	if err := busy(); err != nil {
		t.Fatal(err)
	}
	if err := a.Shred(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	for busy() == nil { // it is in use all the time
		if time.Sleep(time.Second); time.Since(began) > within {
			t.Fatal("the other process still opens it")
		}
	}
	t.shut(b, one, at, sealed, problem.Internal)
}

// firstUse has many processes make the same tenant's first key.
func (t *suite) firstUse() {
	const processes, each = 6, 4
	var mu sync.Mutex
	var all [][]byte
	var wg sync.WaitGroup
	for range processes {
		s := t.start()
		for range each {
			wg.Go(func() {
				b, err := s.Seal(t.Context(), one, at, []byte(secret))
				if err != nil {
					t.Errorf("Seal: %v", err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, b)
			})
		}
	}
	wg.Wait()
	for _, s := range append(t.opened, t.start()) {
		for _, b := range all {
			if version(b) != 1 {
				t.Errorf("version %d", version(b))
			}
			t.opens(s, one, at, b)
		}
	}
}

// oneFlight has many callers wait for one answer of the provider.
func (t *suite) oneFlight() {
	var calls atomic.Int32
	release := make(chan struct{})
	s := Observe(t.process(), func(_ context.Context, _ tenant.Scope, method string) error {
		if method == "Unwrap" {
			calls.Add(1)
			<-release
		}
		return nil
	})
	t.opened = append(t.opened, s)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if _, err := s.Seal(t.Context(), one, at, nil); err != nil {
				t.Errorf("Seal: %v", err)
			}
		})
	}
	hasty, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := s.Seal(hasty, one, at, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller waits longer than it may: %v", err)
	}
	synctest.Wait()
	close(release)
	wg.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("the key was unwrapped %d times", n)
	}
}
