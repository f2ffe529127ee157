package chat

import (
	"errors"
	"fmt"
	"sync"
)

// failures are the errors of work on many things at a time. A store that does not
// answer fails all of thousands in the same words, so the first few are kept and the
// rest is counted.
type failures struct {
	mu    sync.Mutex
	first []error
	more  int
}

// add takes an error; nil is none.
func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
	case len(f.first) < 3:
		f.first = append(f.first, err)
	default:
		f.more++
	}
}

// err is all of them as one, or nil.
func (f *failures) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.more > 0 {
		return errors.Join(append(f.first[:len(f.first):len(f.first)], fmt.Errorf("and %d more", f.more))...)
	}
	return errors.Join(f.first...)
}
