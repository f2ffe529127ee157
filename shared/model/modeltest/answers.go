package modeltest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/model"
)

func testText(t *testing.T, h *harness) {
	want := []string{"Panels", " are", " our", " trade", ".\n\n", "- One\n", "- Two"}
	var script Script
	for _, s := range want {
		script = append(script, Step{Text: s})
	}
	m, srv := h.script(t, append(script, Step{Stop: model.StopEnd}))
	got := listen(t, m, soon(t), acme(), ask("What do you do?"))
	if got.err != nil || got.stop != model.StopEnd || !slices.Equal(got.parts, want) {
		t.Errorf("got %+v, want the texts %q and an end", got, want)
	}
	if calls := srv.Calls(); len(calls) != 1 || calls[0].Provider != h.provider || !calls[0].Streamed {
		t.Errorf("the server was called so: %+v; want one streamed call", calls)
	}
}

// testIncremental releases each part only once the driver has paused behind the one
// before: a driver that gathers parts, or waits without a pause, would wait for ever.
func testIncremental(t *testing.T, h *harness) {
	const n = 5
	gates := make([]chan struct{}, n)
	script := Script{{Text: "0"}}
	for i := range gates {
		gates[i] = make(chan struct{})
		script = append(script, Step{Text: fmt.Sprint(i + 1), Wait: gates[i]})
	}
	m, _ := h.script(t, append(script, Step{Stop: model.StopEnd}))
	read, opened := 0, 0
	for p, err := range m.Stream(soon(t), acme(), ask("Count.")) {
		if err != nil {
			t.Fatalf("after %d parts: %v", read, err)
		}
		if p.Pause && read > opened && opened < n {
			close(gates[opened])
			opened++
		}
		if p.Text == "" {
			continue
		}
		if p.Text != fmt.Sprint(read) {
			t.Fatalf("part %d is %q", read, p.Text)
		}
		read++
	}
	if read != n+1 {
		t.Errorf("read %d parts, want %d", read, n+1)
	}
}

// oddStrings must survive the wire in both directions.
var oddStrings = map[string]string{
	"emoji":            "👩🏽‍🔧 🇩🇰 é é",
	"NUL":              "a\x00b",
	"controls":         "\x01\x02\t\x1b[31m\x7f",
	"line endings":     "one\r\ntwo\rthree\nfour\n\nfive",
	"separators":       "a\u2028b\u2029c\u0085d",
	"byte order mark":  "\ufeffa",
	"end mark":         "[DONE]",
	"event":            "x\n\ndata: [DONE]\n\nevent: error\ndata: {\"error\":{}}\n\n",
	"quotes":           `"`,
	"backslash":        `\`,
	"escapes":          `\u0041 \n \" \\`,
	"JSON":             `{"choices":[],"error":{"message":"no"}}`,
	"markup":           `</script><!-- & < > ' "`,
	"spaces around":    "  a  ",
	"braces":           "}]}{[{",
	"right to left":    "شركة الكهرباء ‮abc‬",
	"very long":        strings.Repeat("Long text with ümläuts. ", 8_000),
	"private use":      "\ue000\U0010ffff\ufffd",
	"one, then nothin": "a",
}

func testOddStrings(t *testing.T, h *harness) {
	echo := h.serve(t, NewServer(func(c Call) Script {
		half := len(c.User) / 2
		for half > 0 && c.User[half]&0xc0 == 0x80 { // a provider never cuts a character
			half--
		}
		return Script{{Text: c.User[:half]}, {Text: c.User[half:]}, {Stop: model.StopEnd}}
	}))
	for name, s := range oddStrings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := listen(t, echo, soon(t), acme(), ask(s))
			if got.err != nil {
				t.Fatal(got.err)
			}
			if d := cmp.Diff(s, got.text); d != "" {
				t.Errorf("sent and came back (-want +got):\n%.2000s", d)
			}
		})
	}
	t.Run("not UTF-8", func(t *testing.T) {
		t.Parallel()
		if got := listen(t, echo, soon(t), acme(), ask("a\xffb")); got.err != nil || got.text != "a\ufffdb" {
			t.Errorf("got %q, %v; want the byte replaced", got.text, got.err)
		}
	})
}

func testEmptyAnswer(t *testing.T, h *harness) {
	m, _ := h.script(t, Script{{Usage: &model.Usage{Input: 3}}, {Stop: model.StopEnd}})
	got := listen(t, m, soon(t), acme(), ask("Say nothing."))
	if d := cmp.Diff(said{stop: model.StopEnd, usage: model.Usage{Input: 3}}, got, cmp.AllowUnexported(said{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func testUsage(t *testing.T, h *harness) {
	for name, want := range map[string]model.Usage{
		"plain":  {Input: 120, Output: 45},
		"cached": {Input: 1200, Output: 45, CachedInput: 1024},
		"large":  {Input: 5_000_000_000, Output: 4_000_000_000, CachedInput: 4_999_999_999},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := h.script(t, Script{{Text: "x"}, {Usage: &want}, {Stop: model.StopEnd}})
			if got := listen(t, m, soon(t), acme(), ask("?")); got.err != nil || got.usage != want {
				t.Errorf("got %+v (%v), want %+v", got.usage, got.err, want)
			}
		})
	}
}

func testToolCalls(t *testing.T, h *harness) {
	lead := model.ToolCall{ID: "call_1", Name: "take_lead", Arguments: `{"name":"Jane \"J\" Dœ","phone":"+1 555","note":"größer 🚲\nnow","n":-1.5e3}`}
	book := model.ToolCall{ID: "call_2", Name: "book", Arguments: `{"at":{"day":[1,2,3]},"empty":{},"ok":true}`}
	for name, tc := range map[string]struct {
		script Script
		text   string
		want   []model.ToolCall
	}{
		"one":          {script: Script{{ToolCall: &lead}}, want: []model.ToolCall{lead}},
		"two at once":  {script: Script{{ToolCall: &lead}, {ToolCall: &book}}, want: []model.ToolCall{lead, book}},
		"after text":   {script: Script{{Text: "One "}, {Text: "moment."}, {ToolCall: &book}}, text: "One moment.", want: []model.ToolCall{book}},
		"no arguments": {script: Script{{ToolCall: &model.ToolCall{ID: "c", Name: "now"}}}, want: []model.ToolCall{{ID: "c", Name: "now", Arguments: "{}"}}},
		"not JSON":     {script: Script{{ToolCall: &model.ToolCall{ID: "c", Name: "now", Arguments: `{"a":`}}}, want: []model.ToolCall{{ID: "c", Name: "now", Arguments: `{"a":`}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := h.script(t, append(tc.script, Step{Usage: &model.Usage{Input: 1, Output: 1}}, Step{Stop: model.StopTools}))
			req := ask("Call me.")
			req.Tools = []model.Tool{{Name: "take_lead"}, {Name: "book"}, {Name: "now"}}
			got := listen(t, m, soon(t), acme(), req)
			if got.err != nil || got.text != tc.text || got.stop != model.StopTools {
				t.Errorf("got %+v, want text %q and a stop for tools", got, tc.text)
			}
			if d := cmp.Diff(tc.want, got.calls); d != "" {
				t.Errorf("calls (-want +got):\n%s", d)
			}
		})
	}
}

func testToolResults(t *testing.T, h *harness) {
	m, srv := h.script(t, Script{{Text: "Done."}, {Stop: model.StopEnd}})
	req := ask("Book it.")
	req.Tools = []model.Tool{{Name: "book_visit", Description: "Books a visit.", Parameters: []byte(`{"type":"object","properties":{"day_of_week":{"type":"string"}}}`)}}
	req.Messages = append(req.Messages,
		model.Message{Role: model.Assistant, ToolCalls: []model.ToolCall{
			{ID: "call_one", Name: "book_visit", Arguments: `{"day_of_week":"ARG-1"}`},
			{ID: "call_two", Name: "book_visit", Arguments: `{"day_of_week":"ARG-2"}`},
		}},
		model.Message{Role: model.ToolRole, ToolCallID: "call_one", Text: "RESULT-1"},
		model.Message{Role: model.ToolRole, ToolCallID: "call_two", Text: "RESULT-2"},
	)
	if got := listen(t, m, soon(t), acme(), req); got.err != nil || got.text != "Done." {
		t.Fatalf("got %+v", got)
	}
	body := string(srv.Calls()[0].Body)
	at := 0
	for _, want := range []string{"Book it.", "ARG-1", "ARG-2", "RESULT-1", "RESULT-2"} {
		i := strings.Index(body[at:], want)
		if i < 0 {
			t.Fatalf("%q is not where it belongs in %s", want, body)
		}
		at += i
	}
	for _, id := range []string{"call_one", "call_two"} {
		if n := strings.Count(body, id); n != 2 {
			t.Errorf("%q is there %d times, want it at the call and at its result", id, n)
		}
	}
	for _, want := range []string{"book_visit", "Books a visit.", "day_of_week"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in %s", want, body)
		}
	}
}

func testRequest(t *testing.T, h *harness) {
	m, srv := h.script(t, Script{{Text: "ok"}, {Stop: model.StopEnd}})
	temperature, topP := 0.25, 0.75
	req := model.Request{
		Model: "some.model-v1:0", System: "You answer for Acme.",
		Sources: []model.Source{{Number: 1, Title: "Prices", Heading: "Panels", Text: "A panel is 900."}},
		Messages: []model.Message{
			{Role: model.User, Text: "Hello"}, {Role: model.Assistant, Text: "Hi there"}, {Role: model.User, Text: "What is a panel?"},
		},
		Tools:           []model.Tool{{Name: "take_lead", Description: "Takes a lead."}},
		ToolChoice:      "take_lead",
		MaxOutputTokens: 321, Temperature: &temperature, TopP: &topP, StopSequences: []string{"HALT"},
	}
	if got := listen(t, m, soon(t), acme(), req); got.err != nil {
		t.Fatal(got.err)
	}
	c := srv.Calls()[0]
	if c.Model != req.Model || c.User != "What is a panel?" {
		t.Errorf("model %q, user %q", c.Model, c.User)
	}
	for _, want := range []string{"You answer for Acme.", "[1] Prices > Panels", "A panel is 900."} {
		if !strings.Contains(c.System, want) {
			t.Errorf("%q is not in the system text %q", want, c.System)
		}
	}
	for _, want := range []string{"Hello", "Hi there", "take_lead", "Takes a lead.", ":321", ":0.25", ":0.75", "HALT"} {
		if !strings.Contains(string(c.Body), want) {
			t.Errorf("%q is not in %s", want, c.Body)
		}
	}
	if got := listen(t, m, soon(t), acme(), ask("?")); got.err != nil {
		t.Fatal(got.err)
	}
	if body := string(srv.Calls()[1].Body); !strings.Contains(body, fmt.Sprintf(":%d", model.DefaultMaxOutputTokens)) || strings.Contains(body, "temperature") {
		t.Errorf("want the default bound and nothing that was not asked for in %s", body)
	}
}

func testStops(t *testing.T, h *harness) {
	for stop, want := range h.dialect.stops {
		t.Run(string(stop), func(t *testing.T) {
			t.Parallel()
			m, _ := h.script(t, Script{{Text: "Well"}, {Usage: &model.Usage{Input: 1, Output: 1}}, {Stop: stop}})
			got := listen(t, m, soon(t), acme(), ask("?"))
			if got.err != nil || got.stop != want || got.text != "Well" {
				t.Errorf("got %+v, want %q", got, want)
			}
		})
	}
}
