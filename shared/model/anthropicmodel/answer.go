package anthropicmodel

import (
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
)

// isStream refuses what is not an event stream: a redirect, a proxy's page.
func isStream(res *http.Response) error {
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode != http.StatusOK || media != "text/event-stream" {
		return unreadable{fmt.Errorf("status %d with content type %q", res.StatusCode, media)}
	}
	return nil
}

// event is what we need of any event of the stream; each type has some of it.
type event struct {
	Type    string `json:"type"`
	Index   int    `json:"index"`
	Message struct {
		Usage usage `json:"usage"`
	} `json:"message"`
	ContentBlock struct {
		Type  string         `json:"type"`
		ID    string         `json:"id"`
		Name  string         `json:"name"`
		Text  string         `json:"text"`
		Input jsontext.Value `json:"input"`
	} `json:"content_block"`
	Delta struct {
		Type        string `json:"type"`
		Text        string `json:"text"`
		PartialJSON string `json:"partial_json"`
		StopReason  string `json:"stop_reason"`
	} `json:"delta"`
	Usage usage   `json:"usage"`
	Error refusal `json:"error"`
}

type usage struct {
	Input         int64 `json:"input_tokens"`
	CacheCreation int64 `json:"cache_creation_input_tokens"`
	CacheRead     int64 `json:"cache_read_input_tokens"`
	Output        int64 `json:"output_tokens"`
}

// answer reads the provider's events.
type answer struct {
	*provider.Answer
	event  event  // the current one; kept to spare an allocation each
	reason string // stop_reason
}

// read takes events until the answer has ended or the reader has left. The error
// is nil in both cases.
func (a *answer) read(res *http.Response) error {
	res.Body = provider.Pausing(res.Body, a.Pause)
	events := provider.NewEvents(res.Body)
	for {
		name, data, err := events.Next()
		if err == io.EOF {
			return io.ErrUnexpectedEOF // an end without message_stop is a cut
		}
		if err == nil {
			err = a.take(name, data)
		}
		if err != nil || a.Over() {
			return err
		}
	}
}

// take takes one event.
func (a *answer) take(name, data []byte) error {
	if string(name) == "ping" || len(data) == 0 {
		return nil
	}
	a.event = event{}
	e := &a.event
	if err := json.Unmarshal(data, e, provider.Lenient); err != nil {
		return unreadable{err}
	}
	if string(name) == "error" || e.Type == "error" {
		return &e.Error
	}
	if err := a.know(e); err != nil {
		return unreadable{err}
	}
	return nil
}

// know takes an event that is not an error. One we do not know is one we were told
// to ignore.
func (a *answer) know(e *event) error {
	switch e.Type {
	case "content_block_delta":
		return a.delta(e)
	case "content_block_start":
		b := &e.ContentBlock
		if b.Type == "tool_use" {
			return a.BeginCall(e.Index, b.ID, b.Name, b.Input)
		}
		if b.Type == "text" {
			a.Text(b.Text)
		}
	case "content_block_stop":
		a.EndBlock(e.Index)
	case "message_start":
		a.count(&e.Message.Usage)
	case "message_delta":
		if e.Delta.StopReason != "" {
			a.reason = e.Delta.StopReason
		}
		a.count(&e.Usage)
	case "message_stop":
		a.End(stop(a.reason))
	}
	return nil
}

// delta takes a piece of text or of a tool's arguments. Thinking, signatures and
// citations are of no use to the reader.
func (a *answer) delta(e *event) error {
	switch e.Delta.Type {
	case "text_delta":
		a.Text(e.Delta.Text)
	case "input_json_delta":
		return a.Piece(e.Index, e.Delta.PartialJSON)
	}
	return nil
}

func (a *answer) count(u *usage) { a.Count(u.Input, u.CacheRead, u.CacheCreation, u.Output) }

func stop(reason string) model.Stop {
	switch reason {
	case "tool_use":
		return model.StopTools
	case "stop_sequence":
		return model.StopSequence
	case "refusal":
		return model.StopRefused
	case "max_tokens", "model_context_window_exceeded", "pause_turn":
		return model.StopLength // there would have been more
	}
	return model.StopEnd
}
