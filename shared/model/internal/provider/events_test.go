package provider_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/anthropics/anthropic-sdk-go/packages/ssestream"
	"github.com/google/go-cmp/cmp"

	"net/http"

	"switchboard/shared/model/internal/provider"
)

type event struct{ Name, Data string }

func readAll(r io.Reader) (got []event, err error) {
	for e := provider.NewEvents(r); ; {
		name, data, err := e.Next()
		if err != nil {
			return got, err
		}
		got = append(got, event{string(name), string(data)})
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for name, tc := range map[string]struct {
		in   string
		want []event
	}{
		"nothing":             {"", nil},
		"one":                 {"data: a\n\n", []event{{"", "a"}}},
		"no space":            {"data:a\n\n", []event{{"", "a"}}},
		"one space is cut":    {"data:  a \n\n", []event{{"", " a "}}},
		"named":               {"event: e\ndata: a\n\ndata: b\n\n", []event{{"e", "a"}, {"", "b"}}},
		"lines":               {"data: a\ndata:\ndata: b\n\n", []event{{"", "a\n\nb"}}},
		"comments":            {": hi\n\n:\ndata: a\n: b\n\n", []event{{"", "a"}}},
		"a name alone":        {"event: e\n\ndata: a\n\n", []event{{"", "a"}}},
		"other fields":        {"id: 1\nretry: 2\nx\ndata: a\n\n", []event{{"", "a"}}},
		"CRLF":                {"event: e\r\ndata: a\r\n\r\ndata: b\r\n\r\n", []event{{"e", "a"}, {"", "b"}}},
		"CR":                  {"data: a\r\rdata: b\r\r", []event{{"", "a"}, {"", "b"}}},
		"blank lines":         {"\n\n\ndata: a\n\n\n\n", []event{{"", "a"}}},
		"a begun one is cut":  {"data: a\n\ndata: b\n", []event{{"", "a"}}},
		"a begun line is cut": {"data: a\n\ndata: b", []event{{"", "a"}}},
		"a mark of UTF-8":     {"\ufeffdata: a\n\n\ufeffdata: b\n\n", []event{{"", "a"}}},
		"a mark alone":        {"\ufeff\n\ndata: a\n\n", []event{{"", "a"}}},
		"long":                {"data: " + long + "\n\ndata: b\n\n", []event{{"", long}, {"", "b"}}},
	} {
		for way, r := range map[string]io.Reader{
			"whole": strings.NewReader(tc.in), "bytewise": iotest.OneByteReader(strings.NewReader(tc.in)),
			"end with data": iotest.DataErrReader(strings.NewReader(tc.in)),
		} {
			got, err := readAll(r)
			if diff := cmp.Diff(tc.want, got); diff != "" || err != io.EOF {
				t.Errorf("%s, %s: %v, -want +got\n%s", name, way, err, diff)
			}
		}
	}
}

// endless is a line that does not end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return copy(b, bytes.Repeat([]byte("x"), len(b))), nil }

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		r    io.Reader
		want error
	}{
		"a line without an end":   {endless{}, provider.ErrTooMuch},
		"an event without an end": {io.MultiReader(strings.NewReader(strings.Repeat("data: "+strings.Repeat("x", 1<<20)+"\n", 9)), stuck{}), provider.ErrTooMuch},
		"nothing, for ever":       {stuck{}, io.ErrNoProgress},
		"a cut":                   {iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("data: a\n\n"))), iotest.ErrTimeout},
	} {
		if _, err := readAll(tc.r); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestALongEventIsNotHeld: what one event took, the rest of the stream does not.
func TestALongEventIsNotHeld(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 8<<20-100)
	for name, in := range map[string]string{
		"name":                  "event: " + long + "\ndata: a\n\ndata: small\n\ndata: small\n\n",
		"name without an event": "event: " + long + "\n\ndata: small\n\ndata: small\n\n",
		"data":                  "data: " + long + "\n\ndata: small\n\ndata: small\n\n",
		"data in lines":         strings.Repeat("data: "+long[:1<<20]+"\n", 7) + "\ndata: small\n\ndata: small\n\n",
	} {
		e := provider.NewEvents(&stepwise{strings.NewReader(in), 256 << 10})
		var small int
		for _, data, err := e.Next(); err == nil; _, data, err = e.Next() {
			if string(data) == "small" {
				small++
			}
		}
		if small != 2 {
			t.Fatalf("after a long %s: %d more events", name, small)
		}
		if held := e.Held(); held > 64<<10 {
			t.Errorf("after a long %s the stream holds %d bytes", name, held)
		}
	}
}

// FuzzEventsAreTheSDKs: what the decoder of an official SDK finds is what ours does.
func FuzzEventsAreTheSDKs(f *testing.F) {
	f.Add([]byte("event: e\r\ndata: a\r\n\r\n: c\ndata: b\n\n"), uint8(3))
	f.Add([]byte("data\n\ndata:\n\nevent\n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		if bytes.Contains(bytes.ReplaceAll(in, []byte("\r\n"), nil), []byte("\r")) {
			return // a lone CR ends a line by the standard, and not for the SDK
		}
		if bytes.HasPrefix(in, []byte("\ufeff")) {
			return // by the standard it is no part of the stream, and for the SDK it is
		}
		var want []event
		sdk := ssestream.NewDecoder(&http.Response{Body: io.NopCloser(bytes.NewReader(in)), Header: http.Header{}})
		for sdk.Next() {
			e := sdk.Event()
			if data := strings.TrimSuffix(string(e.Data), "\n"); data != "" {
				want = append(want, event{e.Type, data})
			}
		}
		got, _ := readAll(&stepwise{bytes.NewReader(in), int(step) + 1})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: -sdk +ours\n%s", in, diff)
		}
	})
}

type stepwise struct {
	r io.Reader
	n int
}

func (s *stepwise) Read(b []byte) (int, error) { return s.r.Read(b[:min(len(b), s.n)]) }

func TestEventsAllocateOnce(t *testing.T) {
	in := bytes.Repeat([]byte("event: e\ndata: {\"text\":\"six words of an ordinary answer\"}\n\n"), 1000)
	got := testing.AllocsPerRun(10, func() {
		if n, err := readAllCounted(bytes.NewReader(in)); n != 1000 || err != io.EOF {
			t.Fatalf("%d events, %v", n, err)
		}
	})
	if got > 12 {
		t.Errorf("%v allocations for 1,000 events", got)
	}
}

func readAllCounted(r io.Reader) (n int, err error) {
	for e := provider.NewEvents(r); ; n++ {
		if _, _, err := e.Next(); err != nil {
			return n, err
		}
	}
}
