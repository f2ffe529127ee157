package company

import "strings"

// Assistant is one file of assistants/.
type Assistant struct {
	ID              string // the file's name without .md
	Name            string // a file that does not say is named after its ID
	Model           string // provider/model or extract; "" = the platform's choice
	Fallback        []string
	MaxOutputTokens int
	Temperature     *float64 // nil = the provider's own
	Tools           []string
	Memory          AssistantMemory
	Greeting        string
	Suggestions     []string
	Guardrails      Guardrails
	Instructions    string // Markdown, never empty
}

// AssistantMemory is what an assistant does with long-term memory.
type AssistantMemory struct {
	Recall bool // it is given what is remembered of the person
	Learn  bool // what the person says is remembered
}

// Guardrails bound what an assistant talks about.
type Guardrails struct {
	OnlyFromKnowledge bool // it answers from the company's knowledge or says it does not know
	RefuseTopics      []string
}

// assistant reads the whole file; id is its name.
func (s *source) assistant(id string) Assistant {
	a := Assistant{ID: id, Name: nameFromFile(id), MaxOutputTokens: 800, Memory: AssistantMemory{Recall: true, Learn: true}}
	f, body, ok := s.matter()
	if !ok {
		return a
	}
	a.read(f)
	a.Instructions = strings.TrimSpace(body)
	if a.Instructions == "" {
		s.wrong(place{1, 1}, "instructions are empty; expected them after the front matter")
	}
	return a
}

func (a *Assistant) read(f *fields) {
	f.text("name", &a.Name, line(100))
	f.text("model", &a.Model, aModel)
	f.texts("fallback", &a.Fallback, 8, aModel)
	f.whole("max_output_tokens", &a.MaxOutputTokens, 1, 32_000)
	temperature := 0.0
	if f.number("temperature", &temperature, 0, 2) {
		a.Temperature = &temperature
	}
	f.texts("tools", &a.Tools, 64, aToolName)
	f.section("memory", a.Memory.read)
	f.text("greeting", &a.Greeting, prose(1000))
	f.texts("suggestions", &a.Suggestions, 6, line(200))
	f.section("guardrails", a.Guardrails.read)
	f.done()
}

func (m *AssistantMemory) read(f *fields) {
	f.flag("recall", &m.Recall)
	f.flag("learn", &m.Learn)
}

func (g *Guardrails) read(f *fields) {
	f.flag("only_from_knowledge", &g.OnlyFromKnowledge)
	f.texts("refuse_topics", &g.RefuseTopics, 50, line(200))
}

// nameFromFile turns "panel-upgrades" into "Panel upgrades".
func nameFromFile(id string) string {
	s := strings.TrimSpace(strings.NewReplacer("-", " ", "_", " ").Replace(id))
	if s == "" {
		return id
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
