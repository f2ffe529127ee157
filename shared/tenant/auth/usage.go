package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"switchboard/shared/tenant"
)

// UsageKeys are the values of the API keys under which a gateway counts requests. They
// open nothing: nobody sends one, an [Authorizer] says which a request counts against.
type UsageKeys struct{ key []byte }

// NewUsageKeys derives them from the master key, so that whoever makes a project's API
// key and whoever names it need not ask each other.
func NewUsageKeys(master []byte) (UsageKeys, error) {
	key, err := Derive(master, "usage keys")
	return UsageKeys{key}, err
}

// Project is the value of the project's API key: 40 characters.
func (u UsageKeys) Project(id tenant.ID) string { return u.of("project/" + id.String()) }

// Operators is that of the platform's own: what an operator does is not counted against
// a company.
func (u UsageKeys) Operators() string { return u.of("operators") }

func (u UsageKeys) of(name string) string {
	mac := hmac.New(sha256.New, u.key)
	mac.Write([]byte(name))
	return hex.EncodeToString(mac.Sum(nil)[:20])
}
