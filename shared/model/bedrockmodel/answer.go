package bedrockmodel

import (
	"bufio"
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream/eventstreamapi"
	"github.com/go-json-experiment/json"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
)

// event is what we need of any event of the stream; each type has some of it.
type event struct {
	Block int `json:"contentBlockIndex"`
	Start struct {
		ToolUse *struct {
			ID   string `json:"toolUseId"`
			Name string `json:"name"`
		} `json:"toolUse"`
	} `json:"start"`
	Delta struct {
		Text    string `json:"text"`
		ToolUse struct {
			Input string `json:"input"`
		} `json:"toolUse"`
	} `json:"delta"`
	StopReason string `json:"stopReason"`
	Usage      struct {
		Input      int64 `json:"inputTokens"`
		Output     int64 `json:"outputTokens"`
		CacheRead  int64 `json:"cacheReadInputTokens"`
		CacheWrite int64 `json:"cacheWriteInputTokens"`
	} `json:"usage"`
	Message string `json:"message"` // of an exception
}

// answer reads the provider's frames.
type answer struct {
	*provider.Answer
	event  event  // the current one; kept to spare an allocation each
	reason string // stopReason, "" until messageStop
	billed bool   // metadata arrived
}

// tail bounds the wait for the usage once the answer has finished.
const tail = 5 * time.Second

// read takes frames until the answer has ended or the reader has left. The error is
// nil in both cases. cancel ends the wait for a server that says nothing more.
func (a *answer) read(body io.Reader, cancel context.CancelFunc) error {
	frames, in := eventstream.NewDecoder(), bufio.NewReader(body)
	var msg eventstream.Message
	var err error
	var patience *time.Timer
	for !a.Over() {
		if msg, err = frames.Decode(in, msg.Payload); err != nil {
			err = broken(err)
		} else {
			err = a.take(msg)
		}
		switch {
		case a.reason != "" && (a.billed || err != nil): // whole, whatever became of the connection since
			return a.end()
		case err != nil:
			return err
		case a.reason != "" && patience == nil:
			patience = time.AfterFunc(tail, cancel)
			defer patience.Stop()
		}
	}
	return nil
}

// broken says whether the frames were wrong or the connection was.
func broken(err error) error {
	_, length := errors.AsType[eventstream.LengthError](err)
	_, sum := errors.AsType[eventstream.ChecksumError](err)
	switch {
	case length || sum:
		return unreadable{err}
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF // an end without messageStop is a cut
	}
	return err
}

// take takes one frame.
func (a *answer) take(msg eventstream.Message) error {
	a.event = event{}
	e := &a.event
	kind := value(msg, eventstreamapi.MessageTypeHeader)
	if kind == eventstreamapi.ErrorMessageType {
		return &exception{value(msg, eventstreamapi.ErrorCodeHeader), value(msg, eventstreamapi.ErrorMessageHeader)}
	}
	err := json.Unmarshal(msg.Payload, e, provider.Lenient)
	if kind == eventstreamapi.ExceptionMessageType { // with or without a body we can read
		return &exception{value(msg, eventstreamapi.ExceptionTypeHeader), e.Message}
	}
	if err == nil {
		err = a.know(value(msg, eventstreamapi.EventTypeHeader), e)
	}
	if err != nil {
		return unreadable{err}
	}
	return nil
}

// know takes an event. Thinking, and what we do not know, is left out.
func (a *answer) know(name string, e *event) error {
	switch name {
	case "contentBlockDelta":
		a.Text(e.Delta.Text)
		if e.Delta.ToolUse.Input != "" {
			return a.Piece(e.Block, e.Delta.ToolUse.Input)
		}
	case "contentBlockStart":
		if t := e.Start.ToolUse; t != nil {
			return a.BeginCall(e.Block, t.ID, t.Name, nil)
		}
	case "contentBlockStop":
		a.EndBlock(e.Block)
	case "messageStop":
		a.reason = e.StopReason
		if a.reason == "" {
			a.reason = "end_turn"
		}
	case "metadata":
		a.billed = true
		a.Count(e.Usage.Input, e.Usage.CacheRead, e.Usage.CacheWrite, e.Usage.Output)
	}
	return nil
}

// end passes on the reason for the end, which the usage has come after.
func (a *answer) end() error {
	switch a.reason {
	case "malformed_model_output", "malformed_tool_use":
		return unreadable{errors.New(a.reason)}
	}
	a.End(stop(a.reason))
	return nil
}

func value(msg eventstream.Message, header string) string {
	s, _ := msg.Headers.Get(header).(eventstream.StringValue)
	return string(s)
}

func stop(reason string) model.Stop {
	switch reason {
	case "tool_use":
		return model.StopTools
	case "stop_sequence":
		return model.StopSequence
	case "content_filtered", "guardrail_intervened":
		return model.StopFiltered
	case "refusal": // not in the documentation, but Claude's own word
		return model.StopRefused
	case "max_tokens", "model_context_window_exceeded":
		return model.StopLength
	}
	return model.StopEnd
}
