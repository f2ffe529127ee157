package chat

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/go-json-experiment/json"

	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/table"
)

// The kinds of items this package owns.
const (
	reservationKind = table.Kind("reservation")
	turnKind        = table.Kind("turn")
)

// State is how far a turn got.
type State string

// The states of a stored turn.
const (
	Done        State = "done"        // answered whole
	Interrupted State = "interrupted" // ended after it had begun; what there was is kept
	Failed      State = "failed"      // no model answered
)

// Open is the state of a turn that is under way; no item has it.
const Open State = "open"

// Person is the company's user who asked.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Turn is the turn's item: what was said, what it cost and what was read for it.
type Turn struct {
	ID           string     `json:"id"`
	Conversation string     `json:"conversation"`
	Order        string     `json:"order"` // its place in the conversation; the item's ID
	Assistant    string     `json:"assistant"`
	Version      string     `json:"version,omitempty"` // of the assistant's instructions
	User         *Person    `json:"user,omitempty"`
	Hash         []byte     `json:"hash"` // of the request, to tell a retry from another
	Try          int        `json:"try"`  // 1 for the first; the reservation's of the same number led to this
	State        State      `json:"state"`
	Reason       string     `json:"reason,omitempty"` // problem reason of a turn that is not Done
	Asked        time.Time  `json:"asked"`
	Ended        time.Time  `json:"ended"`
	Question     string     `json:"question"`
	Answer       string     `json:"answer,omitempty"`
	Calls        []Call     `json:"calls,omitempty"` // tools the caller is to run
	Stop         model.Stop `json:"stop,omitempty"`
	Citations    []Citation `json:"citations,omitempty"`
	Memories     []string   `json:"memories,omitempty"`
	Attempts     []Attempt  `json:"attempts"`
	Access       Access     `json:"access"`
}

// Call is a tool call that the model made and the API's caller runs.
type Call struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// Citation is a passage that the answer refers to as [Index].
type Citation struct {
	Index    int    `json:"index"`
	Document string `json:"document_id"`
	Passage  string `json:"passage_id"`
	Title    string `json:"title"`
	Heading  string `json:"heading,omitempty"`
	URL      string `json:"url,omitempty"`
}

// Attempt is one call of a model: what the provider counted and what it costs.
// It is the usage record; it is written once and never changed.
type Attempt struct {
	Model       string `json:"model"`
	Input       int64  `json:"input"`
	Output      int64  `json:"output"`
	CachedInput int64  `json:"cached,omitempty"`
	Cost        int64  `json:"cost_microusd"`
	Prices      string `json:"prices,omitempty"` // version of the price book; "" = unpriced
	Reason      string `json:"reason,omitempty"` // problem reason; "" = it answered
	TookMS      int64  `json:"took_ms"`
}

// Access says who had the turn done and what was read for it.
type Access struct {
	Actor    string   `json:"actor"` // id of the credential
	Kind     string   `json:"kind"`  // of the credential
	Role     string   `json:"role"`
	Request  string   `json:"request"`
	Window   int      `json:"window,omitempty"`   // earlier turns read
	Passages []string `json:"passages,omitempty"` // ids of passages read
	Degraded []string `json:"degraded,omitempty"` // parts that could not be had
}

// reservation says that a turn exists, before it has an item.
type reservation struct {
	Conversation string    `json:"conversation"`
	Order        string    `json:"order"`
	Hash         []byte    `json:"hash"`
	Try          int       `json:"try"`
	Process      string    `json:"process"`
	Asked        time.Time `json:"asked"`
	Until        time.Time `json:"until"` // by then its process has ended it
	Assistant    string    `json:"assistant"`
	User         *Person   `json:"user,omitempty"`
	Question     string    `json:"question"`
	Request      string    `json:"request"`
	Fresh        bool      `json:"fresh,omitempty"` // it began the conversation
}

func (r reservation) turnKey() table.Key {
	return table.Key{Kind: turnKind, Parent: r.Conversation, ID: r.Order}
}

func (t *Turn) key() table.Key {
	return table.Key{Kind: turnKind, Parent: t.Conversation, ID: t.Order}
}

// reservationKey spreads reservations over 1,024 partitions, so that one busy
// tenant does not write to a single one.
func reservationKey(turn string) table.Key {
	return table.Key{Kind: reservationKind, Parent: turn[len(turn)-2:], ID: turn}
}

// encode renders an item's body. The types are ours, so it cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func decodeTurn(it table.Item) (*Turn, error) {
	var t Turn
	if err := json.Unmarshal(it.Body, &t); err != nil {
		return nil, problem.Wrap(problem.Internal, "chat.decodeTurn", err)
	}
	return &t, nil
}

func decodeReservation(it table.Item) (reservation, error) {
	var r reservation
	if err := json.Unmarshal(it.Body, &r); err != nil {
		return r, problem.Wrap(problem.Internal, "chat.decodeReservation", err)
	}
	return r, nil
}

// digest hashes parts, each with its length before it, so that no two lists of
// parts are the same bytes.
func digest(parts ...string) []byte {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return h.Sum(nil)[:16]
}

// summary is what a turn's answer says of its usage.
func (t *Turn) summary() Usage {
	var u Usage
	for _, a := range t.Attempts {
		u.InputTokens += a.Input
		u.OutputTokens += a.Output
		u.CostMicroUSD += a.Cost
		u.Model = a.Model // the last attempt is the one that answered
	}
	return u
}
