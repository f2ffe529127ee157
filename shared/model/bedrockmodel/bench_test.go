package bedrockmodel_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"switchboard/shared/model"
	"switchboard/shared/model/bedrockmodel"
	"switchboard/shared/model/modeltest"
)

// BenchmarkTurn is a streamed turn of 200 chunks, the scripted provider included:
// this driver beside the SDK's own stream.
func BenchmarkTurn(b *testing.B) {
	script := modeltest.Script{{Usage: &model.Usage{Input: 900, Output: 200}}}
	for range 200 {
		script = append(script, modeltest.Step{Text: " about four"})
	}
	body := render(append(script, modeltest.Step{Stop: model.StopEnd}))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		_, _ = w.Write(body)
	}))
	defer srv.Close()

	b.Run("driver", func(b *testing.B) {
		m := bedrockmodel.New(bedrockmodel.Config{AWS: account(), BaseEndpoint: srv.URL})
		b.ReportAllocs()
		for b.Loop() {
			if parts, err := collect(b.Context(), m, ask("hi")); err != nil || len(parts) != 202 {
				b.Fatal(len(parts), err)
			}
		}
	})
	b.Run("sdk", func(b *testing.B) {
		c := bedrockruntime.NewFromConfig(account(), func(o *bedrockruntime.Options) { o.BaseEndpoint = &srv.URL })
		b.ReportAllocs()
		for b.Loop() {
			if n := countWithSDK(b, c); n != 200 {
				b.Fatal(n)
			}
		}
	})
}

// countWithSDK counts an answer's texts as the SDK's own stream hands them out.
func countWithSDK(b *testing.B, c *bedrockruntime.Client) (n int) {
	b.Helper()
	out, err := c.ConverseStream(b.Context(), &bedrockruntime.ConverseStreamInput{
		ModelId:  aws.String("m"),
		Messages: []types.Message{{Role: "user", Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: "hi"}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	for e := range stream.Events() {
		if d, ok := e.(*types.ConverseStreamOutputMemberContentBlockDelta); ok {
			if t, ok := d.Value.Delta.(*types.ContentBlockDeltaMemberText); ok && t.Value != "" {
				n++
			}
		}
	}
	return n
}

// render is what the scripted provider sends, in one piece.
func render(s modeltest.Script) []byte {
	srv := modeltest.NewServer(func(modeltest.Call) modeltest.Script { return s })
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, httptest.NewRequest("POST", "/model/m/converse-stream", strings.NewReader(`{"messages":[]}`)))
	return w.Body.Bytes()
}
