package modeltest

import (
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
)

// play sends what step renders into out. Steps that follow one another without a
// Delay or Wait go out in one flush, as a provider's do that has them at hand.
func play(w http.ResponseWriter, r *http.Request, script Script, out *[]byte, step func(Step)) {
	send := func() {
		if len(*out) > 0 {
			_, _ = w.Write(*out)
			*out = (*out)[:0]
		}
		_ = http.NewResponseController(w).Flush()
	}
	for _, st := range script {
		if st.Delay > 0 || st.Wait != nil || st.Hang {
			send()
		}
		if !st.pause(r) {
			return
		}
		if st.Cut {
			send()
			cut()
		}
		step(st)
		if st.Fail != nil { // the provider's last word
			break
		}
	}
	if len(*out) > 0 {
		_, _ = w.Write(*out)
	}
}

// begins reports whether there is an answer at all. A provider whose first step is
// to fail, hang or cut has not sent so much as a status line.
func (s Script) begins(r *http.Request, refuse func(Failure)) bool {
	if len(s) == 0 || s[0].Fail == nil && !s[0].Hang && !s[0].Cut {
		return true
	}
	switch {
	case !s[0].pause(r):
	case s[0].Fail != nil:
		refuse(*s[0].Fail)
	default:
		cut()
	}
	return false
}

// usage is the last usage of the script, zero if it has none.
func (s Script) usage() (u model.Usage) {
	for _, st := range s {
		if st.Usage != nil {
			u = *st.Usage
		}
	}
	return u
}

// stops reports whether the script says how the answer ends.
func (s Script) stops() bool {
	for _, st := range s {
		if st.Stop != "" {
			return true
		}
	}
	return false
}

// encode renders a provider's JSON: members in a fixed order, so that two runs of
// a script agree to the byte.
func encode(v any) []byte {
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err)
	}
	return b
}
