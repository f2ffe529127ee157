package chat

import (
	"strconv"

	"switchboard/shared/model"
	"switchboard/shared/tenant/auth"
)

// completion is a Chat Completions answer.
type completion struct {
	ID      string             `json:"id"`
	Object  string             `json:"object"`
	Created int64              `json:"created"`
	Model   string             `json:"model"`
	Choices []completionChoice `json:"choices"`
	Usage   *completionUsage   `json:"usage,omitempty"`
	// Ours is what OpenAI's form has no place for. Its clients ignore it.
	Ours *chatAnswer `json:"switchboard,omitempty"`
}

type completionChoice struct {
	Index   int               `json:"index"`
	Message *completionSpoken `json:"message,omitzero"`
	Delta   *completionSpoken `json:"delta,omitzero"` // clients want it even where it is {}
	Finish  *string           `json:"finish_reason"`
}

type completionSpoken struct {
	Role    string           `json:"role,omitempty"`
	Content *string          `json:"content,omitzero"`
	Calls   []completionCall `json:"tool_calls,omitempty"`
	Refusal *string          `json:"refusal,omitzero"`
}

type completionUsage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
}

func usageOf(t *Turn) *completionUsage {
	u := t.summary()
	return &completionUsage{u.InputTokens, u.OutputTokens, u.InputTokens + u.OutputTokens}
}

func oursOf(t *Turn) *chatAnswer {
	a := answerOf(t)
	a.Message.Content = nil
	return &a
}

// finishReason is a Stop in OpenAI's words.
func finishReason(s model.Stop) string {
	switch s {
	case model.StopLength:
		return "length"
	case model.StopTools:
		return "tool_calls"
	case model.StopFiltered, model.StopRefused:
		return "content_filter"
	default:
		return "stop"
	}
}

func callOf(c Call) completionCall {
	out := completionCall{ID: c.ID, Type: "function"}
	out.Function.Name, out.Function.Arguments = c.Name, c.Arguments
	return out
}

// completionOf is the buffered answer.
func completionOf(t *Turn, modelID string) completion {
	finish := finishReason(t.Stop)
	said := &completionSpoken{Role: "assistant", Content: &t.Answer}
	for _, c := range t.Calls {
		said.Calls = append(said.Calls, callOf(c))
	}
	if len(said.Calls) > 0 && t.Answer == "" {
		said.Content = nil
	}
	return completion{
		ID: "chatcmpl-" + t.ID, Object: "chat.completion", Created: t.Asked.Unix(), Model: modelID,
		Choices: []completionChoice{{Message: said, Finish: &finish}}, Usage: usageOf(t), Ours: oursOf(t),
	}
}

// chunkWriter streams a turn as Chat Completions chunks. Nothing goes out before the
// first part, or the first heartbeat if that is long in coming: until then a failure
// is an HTTP status, which is what OpenAI's clients act on.
type chunkWriter struct {
	out   *auth.Reply
	start Start
	model string
	usage bool
	calls int
	head  []byte // of every chunk, up to the choices
	buf   []byte // of the chunk being rendered; Reply.Data copies it
}

// begin opens the stream with the chunk that names the role.
func (w *chunkWriter) begin() {
	if w.head != nil {
		return
	}
	w.head = append(w.head, `{"id":"chatcmpl-`...)
	w.head = append(w.head, w.start.Turn...)
	w.head = append(w.head, `","object":"chat.completion.chunk","created":`...)
	w.head = strconv.AppendInt(w.head, w.start.Asked.Unix(), 10)
	w.head = append(w.head, `,"model":`...)
	w.head = appendString(w.head, w.model)
	w.chunk(`,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`)
}

func (w *chunkWriter) chunk(rest string) {
	w.buf = append(append(w.buf[:0], w.head...), rest...)
	w.out.Data(w.buf)
}

func (w *chunkWriter) write(p Part) {
	w.begin()
	switch {
	case p.Text != "":
		w.buf = append(w.buf[:0], w.head...)
		w.buf = append(w.buf, `,"choices":[{"index":0,"delta":{"content":`...)
		w.buf = appendString(w.buf, p.Text)
		w.buf = append(w.buf, `},"finish_reason":null}]}`...)
		w.out.Data(w.buf)
	case p.Call != nil:
		c := callOf(*p.Call)
		n := w.calls
		c.Index = &n
		w.calls++
		w.chunk(`,"choices":` + string(encode([]completionChoice{{Delta: &completionSpoken{Calls: []completionCall{c}}}})) + `}`)
	case p.Done != nil:
		w.end(p.Done)
	}
}

// end sends the finish reason with what is ours, the usage if it was asked for,
// and the end mark.
func (w *chunkWriter) end(t *Turn) {
	finish := finishReason(t.Stop)
	w.chunk(`,"choices":` + string(encode([]completionChoice{{Delta: &completionSpoken{}, Finish: &finish}})) + `,"switchboard":` + string(encode(oursOf(t))) + `}`)
	if w.usage {
		w.chunk(`,"choices":[],"usage":` + string(encode(usageOf(t))) + `}`)
	}
	w.out.Data([]byte("[DONE]"))
}
