package chat

import (
	"strings"

	"switchboard/shared/model"
)

// onlyKnowledge is added where the company wants no answers from elsewhere.
const onlyKnowledge = "Answer only from the passages of the company's knowledge below and from what the user said. If they do not answer the question, say that you do not know."

// offer makes the model's request of what was read. It touches no store.
func (s *Service) offer(o *opened) model.Request {
	var system strings.Builder
	system.WriteString(strings.TrimSpace(o.assistant.Instructions))
	if o.assistant.Guardrails.OnlyFromKnowledge {
		system.WriteString("\n\n" + onlyKnowledge)
	}
	if h := o.q.History; h != nil {
		for _, text := range h.System {
			system.WriteString("\n\n" + text)
		}
	}
	req := model.Request{
		System: system.String(), Messages: o.messages(), MaxOutputTokens: o.assistant.MaxOutputTokens,
		Temperature: o.q.Options.Temperature, TopP: o.q.Options.TopP, StopSequences: o.q.Options.Stop,
		Tools: o.q.Options.Tools, ToolChoice: o.q.Options.ToolChoice, Whole: o.q.Whole,
	}
	if n := o.q.Options.MaxOutputTokens; n > 0 && (req.MaxOutputTokens == 0 || n < req.MaxOutputTokens) {
		req.MaxOutputTokens = n
	}
	for i, h := range o.hits {
		req.Sources = append(req.Sources, model.Source{
			Number: i + 1, ID: h.ID, Document: h.Document, Title: h.Title, Heading: h.Heading, URL: h.URL, Text: h.Text, Score: h.Score,
		})
	}
	return req
}
