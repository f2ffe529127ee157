package company

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Digest is a hash of all that the folder said, defaults filled in: two
// companies with the same digest are the same. It is for telling what changed.
func (c Company) Digest() [32]byte { return digest("company", c) }

// Version names what an answer of c was made from: its name, language, memory
// rules, assistants and knowledge, and nothing that leaves answers as they were,
// such as members or budgets. Twelve hex digits are for reading, not for proof;
// use [Company.Digest] for that.
func Version(c Company) string {
	sum := digest("version", Company{
		ID: c.ID, Name: c.Name, Locale: c.Locale, Timezone: c.Timezone, Memory: c.Memory,
		Assistants: c.Assistants, Knowledge: c.Knowledge,
	})
	return hex.EncodeToString(sum[:])[:12]
}

// digest hashes c as JSON, whose keys are sorted and whose strings cannot run
// into one another. The purpose keeps the two hashes of one company apart.
func digest(purpose string, c Company) [32]byte {
	data, err := json.Marshal(c)
	if err != nil {
		panic("company.digest: " + err.Error()) // a field of a type that is not data: a mistake of ours
	}
	return sha256.Sum256(append([]byte("switchboard/"+purpose+"/1\n"), data...))
}
