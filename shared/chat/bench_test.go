package chat_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	integrations "switchboard/company-integrations"
	"switchboard/shared/app/local"
	"switchboard/shared/chat"
	"switchboard/shared/model"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// instant is a model of 50 chunks that takes no time, so that what is measured is
// ours.
type instant struct{}

func (instant) Stream(context.Context, tenant.Scope, model.Request) iter.Seq2[model.Part, error] {
	return func(yield func(model.Part, error) bool) {
		for range 50 {
			if !yield(model.Part{Text: "six words in every one chunk "}, nil) {
				return
			}
		}
		yield(model.Part{Usage: &model.Usage{Input: 900, Output: 350}}, nil)
		yield(model.Part{Stop: model.StopEnd}, nil)
	}
}

// BenchmarkTurn is a turn without HTTP: embedded stores, durable, every step.
func BenchmarkTurn(b *testing.B) {
	l, err := local.Open(b.Context(), local.Options{
		Data: b.TempDir(), Companies: integrations.FS,
		Models: model.New(map[string]model.Model{"openai": instant{}}, model.Ref{Provider: "openai", Name: "gpt-5-mini"}, nil),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	sc := tenanttest.Scope("lenhart-electric")
	for _, question := range []string{"turn %d. Say hello for a benchmark.", "How much does a panel upgrade cost for number %d?"} {
		b.Run(question[:4], func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					for _, err := range l.Chat.Say(b.Context(), sc, chat.Question{Assistant: "website", Message: fmt.Sprintf(question, i)}) {
						if err != nil {
							b.Error(err)
						}
					}
				}
			})
		})
	}
}
