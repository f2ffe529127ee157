package provider

import (
	"bytes"
	"io"
)

// firstBuf is how large the buffer is that a stream is read into, unless a line is
// longer.
const firstBuf = 4 << 10

// maxIdle is how large a buffer may be that nothing is in: one long event is no reason
// to hold its size for the rest of a stream.
const maxIdle = 64 << 10

// bom may stand at the very start of a stream, and is no part of its first line.
const bom = "\ufeff"

// maxEvent bounds an event, and a line: no chunk of an answer is as long.
const maxEvent = 8 << 20

// Events reads server-sent events. It allocates for the longest event, not for each,
// which is what it is here for: the SDKs' own decoders spend a quarter of all that a
// streamed turn allocates.
type Events struct {
	r          io.Reader
	buf        []byte
	start, end int  // what of buf is not read yet
	begun      bool // a line was read
	lf         bool // the last line ended in a CR: a LF that follows belongs to it
	name, data []byte
}

// NewEvents returns an Events over a stream.
func NewEvents(r io.Reader) *Events { return &Events{r: r, buf: make([]byte, firstBuf)} }

// Next returns the next event's name ("" if it has none) and data; lines of data are
// joined by line feeds. Both are valid until the next call. The error of a stream
// that ended is io.EOF, and a begun event is then dropped, as the format says.
func (e *Events) Next() (name, data []byte, err error) {
	e.name, e.data = emptied(e.name), emptied(e.data)
	lines := 0
	for {
		line, err := e.line()
		if err != nil {
			return nil, nil, err
		}
		if !e.begun {
			e.begun, line = true, bytes.TrimPrefix(line, []byte(bom))
		}
		if len(line) == 0 {
			if len(e.data) > 0 {
				return e.name, e.data, nil
			}
			e.name, lines = emptied(e.name), 0
			continue
		}
		field, value, _ := bytes.Cut(line, []byte{':'})
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
		switch string(field) {
		case "event":
			e.name = append(e.name[:0], value...)
		case "data":
			if lines++; lines > 1 {
				e.data = append(e.data, '\n')
			}
			if e.data = append(e.data, value...); len(e.data) > maxEvent {
				return nil, nil, ErrTooMuch
			}
		}
	}
}

// emptied returns a buffer with nothing in it: b, unless that is long.
func emptied(b []byte) []byte {
	if cap(b) > maxIdle {
		return nil
	}
	return b[:0]
}

// line returns the next line without its end, valid until the next call.
func (e *Events) line() ([]byte, error) {
	seen := 0 // bytes behind start that have no line end
	for {
		if e.lf && e.start < e.end {
			if e.lf = false; e.buf[e.start] == '\n' {
				e.start++
			}
		}
		if i := bytes.IndexAny(e.buf[e.start+seen:e.end], "\r\n"); i >= 0 {
			line := e.buf[e.start : e.start+seen+i]
			e.lf = e.buf[e.start+seen+i] == '\r'
			e.start += seen + i + 1
			return line, nil
		}
		seen = e.end - e.start
		if err := e.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more behind what is not read yet.
func (e *Events) fill() error {
	unread, into := e.buf[e.start:e.end], e.buf
	if len(e.buf) > maxIdle && len(unread) < firstBuf {
		into = make([]byte, firstBuf)
	}
	e.end = copy(into, unread)
	e.buf, e.start = into, 0
	if e.end == len(e.buf) {
		if e.end >= maxEvent {
			return ErrTooMuch
		}
		e.buf = append(e.buf, make([]byte, len(e.buf))...)
	}
	for range 100 {
		n, err := e.r.Read(e.buf[e.end:])
		e.end += n
		if n > 0 {
			return nil // an error comes again with the next read
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}
