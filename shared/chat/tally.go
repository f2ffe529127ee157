package chat

import (
	"iter"
	"math"

	"github.com/go-json-experiment/json"

	"switchboard/shared/problem"
	"switchboard/shared/table"
)

// tally is what a stretch of the change feed says of turns. Changes of one key
// come in order. Those of a reservation and of its turn's item need not, so it is
// the number of the try that says whether an item ended the reservation.
type tally struct {
	reserved map[string]reservation // by turn: its latest reservation
	over     map[string]int         // by turn: the latest try that has ended
}

// givenBack is past every try: the turn never began.
const givenBack = math.MaxInt

// count takes changes in their order. What cannot be read is left out and is the
// error; changes that are not of turns are left out.
func count(changes []table.Change) (tally, error) {
	t := tally{make(map[string]reservation), make(map[string]int)}
	var unread failures
	for _, c := range changes {
		var err error
		switch {
		case c.Key.Kind == reservationKind && c.Item.Version == 0:
			delete(t.reserved, c.Key.ID)
			t.over[c.Key.ID] = givenBack
		case c.Key.Kind == reservationKind:
			err = t.reserve(c)
		case c.Key.Kind == turnKind && c.Item.Version > 0:
			err = t.store(c)
		}
		unread.add(err)
	}
	return t, unread.err()
}

func (t *tally) reserve(c table.Change) error {
	if !isID(c.Key.ID) {
		return problem.New(problem.Internal, "chat.count", "a reservation of no turn of ours")
	}
	res, err := decodeReservation(c.Item)
	if err != nil {
		return err
	}
	t.reserved[c.Key.ID] = res
	if t.over[c.Key.ID] == givenBack { // and asked for once more
		delete(t.over, c.Key.ID)
	}
	return nil
}

func (t *tally) store(c table.Change) error {
	var item struct {
		ID  string `json:"id"`
		Try int    `json:"try"`
	}
	if err := json.Unmarshal(c.Item.Body, &item); err != nil {
		return problem.Wrap(problem.Internal, "chat.count", err)
	}
	t.over[item.ID] = max(t.over[item.ID], item.Try)
	return nil
}

// open yields the turns that were reserved and not ended.
func (t *tally) open() iter.Seq2[string, reservation] {
	return func(yield func(string, reservation) bool) {
		for id, res := range t.reserved {
			if t.over[id] < res.Try && !yield(id, res) {
				return
			}
		}
	}
}
