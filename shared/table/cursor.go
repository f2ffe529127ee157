package table

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// cursorLife is how long a cursor opens.
const cursorLife = 24 * time.Hour

// cursorText spells every cursor in one way only.
var cursorText = base64.RawURLEncoding.Strict()

// cursors seals positions in a query. A cursor is AES-256-GCM over the expiry and
// the last ID; the associated data binds it to tenant, actor and query, so an
// edited, borrowed or stale cursor does not open.
type cursors struct{ aead cipher.AEAD }

func newCursors(key []byte) (cursors, error) {
	if len(key) != 32 {
		return cursors{}, problem.New(problem.Internal, "table.New", "a cursor key has 32 bytes, not %d", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return cursors{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return cursors{aead}, err
}

func (c cursors) seal(sc tenant.Scope, q Query, last string) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(cursorLife).Unix()))
	plain = append(plain, last...)
	return cursorText.EncodeToString(c.aead.Seal(nil, nil, plain, cursorContext(sc, q)))
}

func (c cursors) open(sc tenant.Scope, q Query) (string, error) {
	const op = "table.List"
	refuse := problem.Bad(op, "cursor", "the cursor is not valid for this list; start again without it")
	if len(q.Cursor) > 2*MaxID {
		return "", refuse
	}
	raw, err := cursorText.DecodeString(q.Cursor)
	if err != nil || strings.ContainsAny(q.Cursor, "\r\n") { // which base64 passes over
		return "", refuse
	}
	plain, err := c.aead.Open(nil, nil, raw, cursorContext(sc, q))
	if err != nil || len(plain) < 8 || time.Now().Unix() >= int64(binary.BigEndian.Uint64(plain)) {
		return "", refuse
	}
	return string(plain[8:]), nil
}

// cursorContext names what a cursor belongs to, each part with its length before
// it so that no two contexts are the same bytes.
func cursorContext(sc tenant.Scope, q Query) []byte {
	var b []byte
	for _, part := range []string{"cursor/1", sc.Project().String(), sc.Actor(), string(q.Kind), q.Parent, q.From, q.To} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	if q.Reverse {
		b = append(b, 'r')
	}
	return b
}
