package anthropicmodel_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"switchboard/shared/model"
	"switchboard/shared/model/anthropicmodel"
	"switchboard/shared/model/modeltest"
)

// BenchmarkTurn is a streamed turn of 200 chunks, the scripted provider included:
// this driver beside the SDK's own stream, and beside no decoding at all.
func BenchmarkTurn(b *testing.B) {
	script := modeltest.Script{{Usage: &model.Usage{Input: 900, Output: 200}}}
	for range 200 {
		script = append(script, modeltest.Step{Text: " about four"})
	}
	body := render(b, append(script, modeltest.Step{Stop: model.StopEnd}))
	srv := httptest.NewServer(replay(body))
	defer srv.Close()

	b.Run("driver", func(b *testing.B) {
		m := anthropicmodel.New(anthropicmodel.Config{APIKey: "key", BaseURL: srv.URL})
		b.ReportAllocs()
		for b.Loop() {
			if parts, err := collect(b.Context(), m, ask("hi")); err != nil || len(parts) != 203 {
				b.Fatal(len(parts), err)
			}
		}
	})
	b.Run("sdk", func(b *testing.B) {
		c := anthropic.Client{Options: []option.RequestOption{option.WithBaseURL(srv.URL), option.WithAPIKey("key"), option.WithHTTPClient(srv.Client())}}
		messages := anthropic.NewMessageService(c.Options...)
		b.ReportAllocs()
		for b.Loop() {
			stream := messages.NewStreaming(b.Context(), anthropic.MessageNewParams{
				Model: "claude", MaxTokens: 1024,
				Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))},
			})
			n := 0
			for stream.Next() {
				if e, ok := stream.Current().AsAny().(anthropic.ContentBlockDeltaEvent); ok && e.Delta.Text != "" {
					n++
				}
			}
			if n != 200 || stream.Err() != nil {
				b.Fatal(n, stream.Err())
			}
			stream.Close()
		}
	})
	b.Run("wire", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fetch(b, srv)
		}
	})
}

// render is what the scripted provider sends, in one piece.
func render(b *testing.B, s modeltest.Script) []byte {
	b.Helper()
	srv := modeltest.NewServer(func(modeltest.Call) modeltest.Script { return s })
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, httptest.NewRequest("POST", "/v1/messages", strings.NewReader(
		`{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`)))
	return w.Body.Bytes()
}

// replay sends body, which costs the provider's side next to nothing.
func replay(body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = w.Write(body)
	})
}

// fetch posts a request and reads the answer without looking at it.
func fetch(b *testing.B, srv *httptest.Server) {
	b.Helper()
	res, err := srv.Client().Post(srv.URL, "application/json", strings.NewReader(`{}`))
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
}
