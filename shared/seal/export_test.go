package seal

import (
	"encoding/binary"

	"switchboard/shared/tenant"
)

// AppendContext is the codec of associated data.
func AppendContext(sc tenant.Scope, at Place) []byte {
	b := appendContext(nil, sc.Project(), at)
	if len(b) != contextSize(sc.Project(), at) {
		panic("contextSize is wrong")
	}
	return b
}

// ParseContext undoes it; the store comes back as its name.
func ParseContext(b []byte) (out []string, ok bool) {
	for len(b) >= 4 {
		n := binary.BigEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			return nil, false
		}
		out, b = append(out, string(b[:n])), b[n:]
	}
	return out, len(b) == 0 && len(out) == parts
}

// XAES seals with a nonce that is given, and opens what it sealed.
func XAES(key, nonce, plain, context []byte) (sealed []byte, err error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	aead, err := x.aead(nonce[:nonceSize/2])
	if err != nil {
		return nil, err
	}
	sealed = aead.Seal(nil, nonce[nonceSize/2:], plain, context)
	if again, err := x.open(append(nonce[:nonceSize:nonceSize], sealed...), context); err != nil || string(again) != string(plain) {
		return nil, err
	}
	return sealed, nil
}

// Held returns of how many tenants how many keys are in memory.
func (s *Sealer) Held() (tenants, keys int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		keys += len(h.keys)
	}
	return len(s.held), keys
}

// HoldNone forgets a tenant as the bound of tenants does.
func (s *Sealer) HoldNone(id tenant.ID) { s.forget(id) }

// Limits of what is held.
const (
	MaxTenants  = maxTenants
	MaxVersions = maxVersions
	KeyLife     = keyLife
)
