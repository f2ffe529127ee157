package apptest_test

import (
	"testing"

	"switchboard/shared/app/apptest"
	"switchboard/shared/model"
	"switchboard/shared/model/modeltest"
)

// BenchmarkHTTP is a turn with everything in one process: client, server, stores
// and the scripted provider.
func BenchmarkHTTP(b *testing.B) {
	script := modeltest.Script{}
	for range 50 {
		script = append(script, modeltest.Step{Text: "six words in every one chunk "})
	}
	script = append(script, modeltest.Step{Usage: &model.Usage{Input: 900, Output: 350}}, modeltest.Step{Stop: model.StopEnd})
	s := apptest.Start(b, apptest.Options{Script: func(modeltest.Call) modeltest.Script { return script }})
	key := s.Key(apptest.Alpha)
	for name, body := range map[string]string{
		"plain":    `{"model":"website","messages":[{"role":"user","content":"turn 17. Say hello for a benchmark."}]}`,
		"streamed": `{"stream":true,"model":"website","messages":[{"role":"user","content":"turn 17. Say hello for a benchmark."}]}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if a := s.Post(key, "/v1/chat/completions", body); a.Status != 200 {
						b.Error(a.Body)
					}
				}
			})
		})
	}
}
