package prove

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Signed is a report as a file has it. What is signed is the SHA-256 of the report in
// canonical form (RFC 8785), so that any tool can check it.
type Signed struct {
	Report    *Report `json:"report"`
	SHA256    string  `json:"sha256"`
	PublicKey string  `json:"public_key"` // Ed25519, in hex; see message
	Signature string  `json:"signature"`
}

// message is what is signed: it says what for, so that a signature of it is none of
// anything else.
func message(sum string) []byte { return []byte(reportFormat + "\n" + sum + "\n") }

func (r *Report) sum() (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil {
		return "", err
	}
	sum := sha256.Sum256(v)
	return hex.EncodeToString(sum[:]), nil
}

// Sign returns the report's file.
func Sign(r *Report, key ed25519.PrivateKey) ([]byte, error) {
	sum, err := r.sum()
	if err != nil {
		return nil, err
	}
	s := Signed{r, sum, PublicKey(key), hex.EncodeToString(ed25519.Sign(key, message(sum)))}
	return s.render()
}

func (s Signed) render() ([]byte, error) {
	text, err := json.Marshal(s, jsontext.WithIndent("  "))
	return append(text, '\n'), err
}

// Verify returns what a report's file says, if every byte of it is as it was signed.
// Whose the key is, only whoever knows the operator can say: publicKey is the one it has
// to be, "" for whichever it is.
func Verify(file []byte, publicKey string) (*Signed, error) {
	var s Signed
	if err := json.Unmarshal(file, &s, json.RejectUnknownMembers(true)); err != nil || s.Report == nil {
		return nil, errors.New("this is not a report of switchboard prove")
	}
	again, err := s.render()
	if err != nil || !bytes.Equal(again, file) {
		return nil, errors.New("the report was changed after it was written")
	}
	sum, err := s.Report.sum()
	if err != nil || sum != s.SHA256 || s.Report.Format != reportFormat {
		return nil, errors.New("the report is not the one whose digest it has: it was changed")
	}
	key, signature := unhexed(s.PublicKey), unhexed(s.Signature)
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, message(sum), signature) {
		return nil, errors.New("the signature does not hold: the report was changed")
	}
	if publicKey != "" && publicKey != s.PublicKey {
		return nil, fmt.Errorf("the report is signed by another key, %s", s.PublicKey)
	}
	return &s, nil
}

// unhexed is what the hex says; nil if it is spelled in another way than ours, which
// would be another file with the same signature.
func unhexed(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil || hex.EncodeToString(b) != text {
		return nil
	}
	return b
}

// PublicKey is the key's public half, as reports have it.
func PublicKey(key ed25519.PrivateKey) string {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok { // it always is
		return ""
	}
	return hex.EncodeToString(public)
}

const pemType = "PRIVATE KEY" // PKCS #8, which openssl reads too

// SigningKey reads the key in the file; if there is none, it is made there. made says so.
func SigningKey(file string) (key ed25519.PrivateKey, made bool, err error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = newKey(file)
		return key, true, err
	}
	if err != nil {
		return nil, false, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, false, fmt.Errorf("%s: others may read the signing key; chmod 600 it", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, false, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemType {
		return nil, false, fmt.Errorf("%s is no signing key", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, false, fmt.Errorf("%s is no Ed25519 signing key", file)
	}
	return key, false, nil
}

func newKey(file string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	err = errors.Join(pem.Encode(f, &pem.Block{Type: pemType, Bytes: der}), f.Sync())
	return key, errors.Join(err, f.Close())
}
