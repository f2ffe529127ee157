package seal

import (
	"crypto/aes"
	"crypto/cipher"
)

const (
	nonceSize = 24
	tagSize   = 16
)

// xaes is XAES-256-GCM (c2sp.org/XAES-256-GCM): the first half of a 192-bit random
// nonce makes the AES-256 key of the message, by a CMAC of two blocks (NIST SP
// 800-108r1), and the second half is that key's GCM nonce.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // CMAC's first subkey
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
	return x, nil
}

// aead returns the AEAD of messages whose nonce begins with the 12 bytes.
func (x *xaes) aead(nonce []byte) (cipher.AEAD, error) {
	key := make([]byte, 2*aes.BlockSize)
	for i := range 2 {
		m := key[i*aes.BlockSize : (i+1)*aes.BlockSize]
		m[1], m[2] = byte(i+1), 'X'
		copy(m[4:], nonce[:nonceSize/2])
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

// seal appends the ciphertext and its tag to dst.
func (x *xaes) seal(dst, nonce, plain, context []byte) ([]byte, error) {
	aead, err := x.aead(nonce)
	if err != nil {
		return nil, err
	}
	return aead.Seal(dst, nonce[nonceSize/2:], plain, context), nil
}

// open undoes it.
func (x *xaes) open(nonce, sealed, context []byte) ([]byte, error) {
	aead, err := x.aead(nonce)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nonce[nonceSize/2:], sealed, context)
}
