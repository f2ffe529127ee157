package seal_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/fileseal"
	"switchboard/shared/seal/masterseal"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

var (
	sc     = tenanttest.Scope("acme")
	master = bytes.Repeat([]byte("m"), 32)
	at     = seal.Place{Store: seal.Table, Kind: "turn", Parent: "01JD8Z6W3T5V9K2M4N6P8Q0R1S", ID: "01JD8Z6W3T5V9K2M4N6P8Q0R1T"}
)

// The vectors of c2sp.org/XAES-256-GCM: one for each value of the subkey's carry.
func TestXAESVectors(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		key           byte
		context, want string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		got, err := seal.XAES(bytes.Repeat([]byte{v.key}, 32), []byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("XAES-256-GCM"), []byte(v.context))
		if err != nil || hex.EncodeToString(got) != v.want {
			t.Errorf("key %d: %x, %v", v.key, got, err)
		}
	}
}

func TestNilAndUnsealed(t *testing.T) {
	t.Parallel()
	for _, s := range []*seal.Sealer{nil, {}} {
		_, sealErr := s.Seal(t.Context(), sc, at, []byte("x"))
		_, openErr := s.Open(t.Context(), sc, at, []byte("x"))
		for _, err := range []error{sealErr, openErr, s.Prepare(t.Context(), sc), s.Rotate(t.Context(), sc), s.Shred(t.Context(), sc)} {
			if !problem.Is(err, problem.Internal) {
				t.Errorf("a sealer that nobody made: %v", err)
			}
		}
	}
	u := seal.Unsealed()
	b, err := u.Seal(t.Context(), sc, at, []byte("x"))
	if err != nil || string(b) != "x" || u.Seals() || !sealtest.New(t).Seals() {
		t.Errorf("unsealed: %q, %v", b, err)
	}
	if _, err := u.Open(t.Context(), tenant.Scope{}, at, b); !problem.Is(err, problem.Internal) {
		t.Errorf("the zero scope, unsealed: %v", err)
	}
}

// TestHeldIsBounded: in number, and in time also where nobody asks again.
func TestHeldIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sealtest.New(t)
		defer s.Close()
		for i := range seal.MaxTenants + 10 {
			if err := s.Prepare(t.Context(), tenanttest.Scope(fmt.Sprint("t", 100+i))); err != nil {
				t.Fatal(err)
			}
		}
		if tenants, _ := s.Held(); tenants > seal.MaxTenants {
			t.Errorf("%d tenants are held", tenants)
		}
		var all [][]byte
		for range 2 * seal.MaxVersions {
			if err := s.Rotate(t.Context(), sc); err != nil {
				t.Fatal(err)
			}
			b, err := s.Seal(t.Context(), sc, at, nil)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b)
		}
		_, before := s.Held()
		for _, b := range all {
			if _, err := s.Open(t.Context(), sc, at, b); err != nil {
				t.Fatal(err)
			}
		}
		if _, after := s.Held(); after-before > seal.MaxVersions {
			t.Errorf("%d keys of one tenant are held", after-before)
		}
		time.Sleep(seal.KeyLife + 2*time.Minute)
		if tenants, keys := s.Held(); tenants+keys != 0 {
			t.Errorf("held when their time is up: %d tenants, %d keys", tenants, keys)
		}
	})
}

// FuzzOpen: nothing opens but what was sealed, and nothing panics.
func FuzzOpen(f *testing.F) {
	s := sealtest.New(f)
	good, err := s.Seal(f.Context(), sc, at, []byte("plain"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:5])
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte(`{"id":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := s.Open(t.Context(), sc, at, b)
		if bytes.Equal(b, good) {
			if err != nil || string(plain) != "plain" {
				t.Errorf("%q, %v", plain, err)
			}
		} else if plain != nil || !problem.Is(err, problem.Internal) {
			t.Errorf("%q opens: %q, %v", b, plain, err)
		}
	})
}

// FuzzContext: what is encoded is decoded to the same, so no two are the same bytes.
func FuzzContext(f *testing.F) {
	f.Add("abc", uint8(1), "turn", "parent", "id", "abcd", uint8(1), "turn", "parent", "id")
	f.Add("abc", uint8(1), "turn", "a", "bc", "abc", uint8(1), "turn", "ab", "c")
	f.Add("abc", uint8(2), "\x00\x00\x00\x01a", "", "", "abc", uint8(2), "", "\x00\x00\x00\x01a", "")
	f.Fuzz(func(t *testing.T, p1 string, s1 uint8, k1, r1, i1, p2 string, s2 uint8, k2, r2, i2 string) {
		if !parses(p1) || !parses(p2) {
			t.Skip()
		}
		a, b := seal.Place{Store: seal.Store(s1 % 3), Kind: k1, Parent: r1, ID: i1}, seal.Place{Store: seal.Store(s2 % 3), Kind: k2, Parent: r2, ID: i2}
		ea, eb := seal.AppendContext(tenanttest.Scope(p1), a), seal.AppendContext(tenanttest.Scope(p2), b)
		if same := p1 == p2 && a == b; bytes.Equal(ea, eb) != same {
			t.Errorf("%q %+v and %q %+v: %x and %x", p1, a, p2, b, ea, eb)
		}
		parts, ok := seal.ParseContext(ea)
		if !ok || !slices.Equal(parts, []string{p1, [...]string{"", "table", "session"}[a.Store], k1, r1, i1}) {
			t.Errorf("%q %+v came back as %q", p1, a, parts)
		}
	})
}

// parses reports whether s can be a project id.
func parses(s string) bool {
	_, err := tenant.ParseID(s)
	return err == nil
}

// TestNoncesAreNew: no two in 100,000 are the same, and another process, or this
// one when it has unwrapped the key again, seals under another AES key.
func TestNoncesAreNew(t *testing.T) {
	t.Parallel()
	rings := sealtest.NewRings()
	seen, prefixes := map[string]bool{}, map[string]bool{}
	for range 4 {
		s, err := masterseal.Open(master, rings)
		if err != nil {
			t.Fatal(err)
		}
		for range 25_000 {
			b, err := s.Seal(t.Context(), sc, at, nil)
			if err != nil {
				t.Fatal(err)
			}
			seen[string(b[5:29])], prefixes[string(b[5:17])] = true, true
		}
		s.Close()
	}
	if len(seen) != 100_000 || len(prefixes) != 4 {
		t.Errorf("%d nonces, %d prefixes", len(seen), len(prefixes))
	}
}

// What a turn costs: its item has some 3 KB.
func benchmark(b *testing.B, size int, open, others bool) {
	dir := filepath.Join(b.TempDir(), "keys")
	var s *seal.Sealer
	var sealed []byte
	plain := make([]byte, size)
	for range 2 { // the second is another process
		another, err := fileseal.Open(dir, master, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer another.Close()
		b2, err := another.Seal(b.Context(), sc, at, plain)
		if err != nil {
			b.Fatal(err)
		}
		if s = another; sealed == nil || !others {
			sealed = b2
		}
	}
	var err error
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if open {
			_, err = s.Open(b.Context(), sc, at, sealed)
		} else {
			_, err = s.Seal(b.Context(), sc, at, plain)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal3KB(b *testing.B)         { benchmark(b, 3000, false, false) }
func BenchmarkOpen3KB(b *testing.B)         { benchmark(b, 3000, true, false) }
func BenchmarkOpenAnothers3KB(b *testing.B) { benchmark(b, 3000, true, true) }
func BenchmarkSeal300B(b *testing.B)        { benchmark(b, 300, false, false) }
