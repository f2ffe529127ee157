package sealtest

import (
	"bytes"
	"fmt"
	"strings"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/internal/driver"
	"switchboard/shared/tenant"
)

func (t *suite) zeroScope() {
	var zero tenant.Scope
	ctx, s := t.Context(), t.start()
	sealed := t.seal(s, one, at) // the control
	_, sealErr := s.Seal(ctx, zero, at, nil)
	_, openErr := s.Open(ctx, zero, at, sealed)
	errs := map[string]error{"Seal": sealErr, "Open": openErr, "Prepare": s.Prepare(ctx, zero), "Rotate": s.Rotate(ctx, zero), "Shred": s.Shred(ctx, zero)}
	// The driver refuses it too, should the sealer ever not.
	t.opened = append(t.opened, seal.Decorate(t.process(), func(r driver.Rings, w driver.Wrapper) (driver.Rings, driver.Wrapper) {
		_, _, errs["the driver's Load"] = r.Load(ctx, zero)
		errs["the driver's Save"] = r.Save(ctx, zero, []byte("x"), "")
		_, _, errs["the driver's Generate"] = w.Generate(ctx, zero, 1)
		_, errs["the driver's Unwrap"] = w.Unwrap(ctx, zero, 1, []byte("x"))
		return r, w
	}))
	for name, err := range errs {
		if !problem.Is(err, problem.Internal) {
			t.Errorf("%s with the zero scope: %v", name, err)
		}
	}
	t.opens(s, one, at, sealed)
}

func (t *suite) strangers() {
	s := t.start()
	ones, twos := t.seal(s, one, at), t.seal(s, two, at)
	t.opens(s, one, at, ones)
	t.opens(s, two, at, twos)
	t.shut(s, two, at, ones, problem.Internal)
	t.shut(s, one, at, twos, problem.Internal)
	if err := s.Shred(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	t.opens(s, one, at, ones)
}

// rings puts one tenant's ring in another's place, as it is and with the name in it
// changed.
func (t *suite) rings() {
	s := t.start()
	ones := t.seal(s, one, at)
	t.seal(s, two, at)
	ctx := t.Context()
	for _, forged := range []bool{false, true} {
		thief := seal.Decorate(t.process(), func(r driver.Rings, w driver.Wrapper) (driver.Rings, driver.Wrapper) {
			ring, _, err := r.Load(ctx, one)
			if err != nil {
				t.Fatal(err)
			}
			if forged {
				ring = bytes.Replace(ring, []byte(`"project":"one"`), []byte(`"project":"two"`), 1)
			}
			_, mark, err := r.Load(ctx, two)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Save(ctx, two, ring, mark); err != nil {
				t.Fatal(err)
			}
			return r, w
		})
		t.opened = append(t.opened, thief)
		t.shut(thief, two, at, ones, problem.Internal)
		if _, err := thief.Seal(ctx, two, at, nil); !problem.Is(err, problem.Internal) {
			t.Errorf("two seals under one's key: %v", err)
		}
		t.opens(thief, one, at, ones)
	}
}

func (t *suite) places() {
	s := t.start()
	all := []seal.Place{
		{Store: seal.Table, Kind: "k", ID: "1"},
		{Store: seal.Session, Kind: "k", ID: "1"},
		{Store: seal.Table, Kind: "k", Parent: "1", ID: "1"},
		{Store: seal.Table, Kind: "k", Parent: "11", ID: "1"},
		{Store: seal.Table, Kind: "k", Parent: "1", ID: "11"},
		{Store: seal.Table, Kind: "k1", Parent: "1", ID: "1"},
		{Store: seal.Table, Kind: "k", Parent: "\x00\x00\x00\x011", ID: "1"},
	}
	sealed := make([][]byte, len(all))
	for i, p := range all {
		sealed[i] = t.seal(s, one, p)
	}
	for i, p := range all {
		for j := range all {
			if i == j {
				t.opens(s, one, p, sealed[j])
			} else {
				t.shut(s, one, p, sealed[j], problem.Internal)
			}
		}
	}
	for _, p := range []seal.Place{{}, {Store: 99, Kind: "k", ID: "1"}, {Store: seal.Table, ID: "1"}, {Store: seal.Table, Kind: "k"}} {
		if _, err := s.Seal(t.Context(), one, p, nil); !problem.Is(err, problem.Internal) {
			t.Errorf("%+v is a place: %v", p, err)
		}
	}
}

// bytes flips each bit, cuts at each byte and adds one.
func (t *suite) bytes() {
	s := t.start()
	sealed := t.seal(s, one, at)
	for i := range sealed {
		for bit := range 8 {
			b := bytes.Clone(sealed)
			b[i] ^= 1 << bit
			t.shut(s, one, at, b, problem.Internal)
		}
		t.shut(s, one, at, sealed[:i], problem.Internal)
	}
	t.shut(s, one, at, append(bytes.Clone(sealed), 0), problem.Internal)
	t.shut(s, one, at, []byte(`{"an item":"in the clear"}`+strings.Repeat(" ", seal.Overhead)), problem.Internal)
	t.opens(s, one, at, sealed)
	if again := t.seal(s, one, at); bytes.Equal(again, sealed) {
		t.Error("the same bytes twice")
	}
	for _, plain := range [][]byte{nil, {}, {0}, bytes.Repeat([]byte("x"), 350_000)} {
		b, err := s.Seal(t.Context(), one, at, plain)
		if err != nil || len(b) != len(plain)+seal.Overhead {
			t.Fatalf("%d bytes make %d: %v", len(plain), len(b), err)
		}
		if got, err := s.Open(t.Context(), one, at, b); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes came back as %d: %v", len(plain), len(got), err)
		}
	}
}

// odd are strings that break a codec that pastes, trims, folds or splits.
func (t *suite) odd() {
	s := t.start()
	words := []string{"#", "##", "\x00", "a\x00b", "\xff", "\r\n", "'", "..", "/", "😀", "\u00e9", "e\u0301", "\u202e", " ", "\x00\x00\x00\x05", strings.Repeat("x", 1024)}
	sealed := map[string][]byte{}
	for _, w := range words {
		sealed[w] = t.seal(s, one, seal.Place{Store: seal.Table, Kind: "odd", Parent: w, ID: w})
	}
	for i, w := range words {
		p := seal.Place{Store: seal.Table, Kind: "odd", Parent: w, ID: w}
		t.opens(s, one, p, sealed[w])
		t.shut(s, one, p, sealed[words[(i+1)%len(words)]], problem.Internal)
		p.ID += fmt.Sprint(i)
		t.shut(s, one, p, sealed[w], problem.Internal)
	}
}
