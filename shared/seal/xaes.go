package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
)

const (
	nonceSize = 24
	tagSize   = 16
)

// xaes is XAES-256-GCM (c2sp.org/XAES-256-GCM): the first half of a 192-bit nonce
// makes an AES-256 key, by a CMAC of two blocks (NIST SP 800-108r1), and the second
// half is that key's GCM nonce. Both halves are random; the first is drawn when the
// xaes is made and stands for all that it seals, because to make a key and its
// tables for each message would double what sealing costs.
type xaes struct {
	block  cipher.Block
	k1     [aes.BlockSize]byte // CMAC's first subkey
	prefix [nonceSize / 2]byte
	own    cipher.AEAD // of the prefix
}

func newXAES(key []byte) (*xaes, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	x := &xaes{block: block}
	x.block.Encrypt(x.k1[:], x.k1[:])
	var carry byte
	for i := len(x.k1) - 1; i >= 0; i-- {
		x.k1[i], carry = x.k1[i]<<1|carry, x.k1[i]>>7
	}
	x.k1[len(x.k1)-1] ^= carry * 0x87
	rand.Read(x.prefix[:])
	x.own, err = x.aead(x.prefix[:])
	return x, err
}

// aead returns the AEAD of messages whose nonce begins with the prefix.
func (x *xaes) aead(prefix []byte) (cipher.AEAD, error) {
	key := make([]byte, 2*aes.BlockSize)
	for i := range 2 {
		m := key[i*aes.BlockSize : (i+1)*aes.BlockSize]
		m[1], m[2] = byte(i+1), 'X'
		copy(m[4:], prefix)
		for j := range m {
			m[j] ^= x.k1[j]
		}
		x.block.Encrypt(m, m)
	}
	block, err := aes.NewCipher(key)
	clear(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal appends a new nonce, the ciphertext and its tag to dst.
func (x *xaes) seal(dst, plain, context []byte) []byte {
	dst = append(dst, x.prefix[:]...)
	dst = append(dst, make([]byte, nonceSize/2)...)
	nonce := dst[len(dst)-nonceSize/2:]
	rand.Read(nonce)
	return x.own.Seal(dst, nonce, plain, context)
}

// open undoes it.
func (x *xaes) open(sealed, context []byte) ([]byte, error) {
	prefix, nonce, text := sealed[:nonceSize/2], sealed[nonceSize/2:nonceSize], sealed[nonceSize:]
	aead := x.own
	if !bytes.Equal(prefix, x.prefix[:]) {
		var err error
		if aead, err = x.aead(prefix); err != nil {
			return nil, err
		}
	}
	return aead.Open(nil, nonce, text, context)
}
