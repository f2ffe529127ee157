package provider

import (
	"bytes"
	"io"
)

// maxEvent bounds an event, and a line: no chunk of an answer is as long.
const maxEvent = 8 << 20

// Events reads server-sent events. It allocates for the longest event, not for each,
// which is what it is here for: the SDKs' own decoders spend a quarter of all that a
// streamed turn allocates.
type Events struct {
	r          io.Reader
	buf        []byte
	start, end int  // what of buf is not read yet
	lf         bool // the last line ended in a CR: a LF that follows belongs to it
	name, data []byte
}

// NewEvents returns an Events over a stream.
func NewEvents(r io.Reader) *Events { return &Events{r: r, buf: make([]byte, 4<<10)} }

// Next returns the next event's name ("" if it has none) and data; lines of data are
// joined by line feeds. Both are valid until the next call. The error of a stream
// that ended is io.EOF, and a begun event is then dropped, as the format says.
func (e *Events) Next() (name, data []byte, err error) {
	e.name, e.data = e.name[:0], e.data[:0]
	lines := 0
	for {
		line, err := e.line()
		if err != nil {
			return nil, nil, err
		}
		if len(line) == 0 {
			if len(e.data) > 0 {
				return e.name, e.data, nil
			}
			e.name, lines = e.name[:0], 0
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
	e.end = copy(e.buf, e.buf[e.start:e.end])
	e.start = 0
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
