package session

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/tenant"
)

// place is what a window is bound to, beside its tenant.
func (w window) place() seal.Place {
	return seal.Place{Store: seal.Session, Kind: "window", ID: w.conversation}
}

// seal makes one sealed entry of a window's entries, so that none can be left out,
// doubled or put in another order.
func (s *Session) seal(ctx context.Context, sc tenant.Scope, w window, entries [][]byte) ([][]byte, error) {
	if len(entries) == 0 || s.sealer != nil && !s.sealer.Seals() {
		return entries, nil
	}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	sealed, err := s.sealer.Seal(ctx, sc, w.place(), join(entries))
	if err != nil {
		return nil, err
	}
	return [][]byte{sealed}, nil
}

// open undoes it. A window that does not open is a miss; unless it is the keys that
// are away, the store's word for it is doubted from then on. The store itself goes
// on being asked: what is wrong with one tenant's window is nobody else's loss.
func (s *Session) open(ctx context.Context, sc tenant.Scope, w window, entries [][]byte) ([][]byte, error) {
	if len(entries) == 0 || s.sealer != nil && !s.sealer.Seals() {
		return entries, nil
	}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	err := errors.New("a window has more than one entry, or was not sealed")
	if len(entries) == 1 {
		var plain []byte
		if plain, err = s.sealer.Open(ctx, sc, w.place(), entries[0]); err == nil {
			if out, ok := split(plain); ok {
				return out, nil
			}
			err = errors.New("a window that was sealed cannot be read")
		} else if !problem.Is(err, problem.Internal) {
			return nil, err
		}
	}
	slog.ErrorContext(ctx, "a window is not what was put there", slog.String("project", sc.Project().String()), slog.Any("err", err))
	s.doubts.add(w)
	return nil, nil
}

// join writes entries one after another, each with its length before it.
func join(entries [][]byte) []byte {
	size := 0
	for _, e := range entries {
		size += 4 + len(e)
	}
	b := make([]byte, 0, size)
	for _, e := range entries {
		b = binary.BigEndian.AppendUint32(b, uint32(len(e)))
		b = append(b, e...)
	}
	return b
}

// split undoes it.
func split(b []byte) (entries [][]byte, ok bool) {
	for len(b) >= 4 {
		n := binary.BigEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			return nil, false
		}
		entries, b = append(entries, b[:n:n]), b[n:]
	}
	return entries, len(b) == 0
}
