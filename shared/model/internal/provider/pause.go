package provider

import (
	"errors"
	"io"
)

// errLeft ends the reading of a body whose answer nobody takes any more.
var errLeft = errors.New("the reader has left")

// Pausing returns body with a call of pause before each read. A decoder reads when
// it has handed out all that it had, so that is the moment before a wait. Where
// pause reports false, nobody wants more and the read fails.
func Pausing(body io.ReadCloser, pause func() bool) io.ReadCloser {
	return pausing{body, pause}
}

type pausing struct {
	io.ReadCloser
	pause func() bool
}

func (p pausing) Read(b []byte) (int, error) {
	if !p.pause() {
		return 0, errLeft
	}
	return p.ReadCloser.Read(b)
}
