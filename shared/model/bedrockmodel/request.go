package bedrockmodel

import (
	"fmt"
	"math"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
	"switchboard/shared/problem"
)

// input is req as the SDK takes it.
func input(req model.Request) (*bedrockruntime.ConverseStreamInput, error) {
	tools, err := tools(req)
	if err != nil {
		return nil, err
	}
	temperature, topP := provider.Sampling(req.Model, req.Temperature, req.TopP)
	in := &bedrockruntime.ConverseStreamInput{
		ModelId:    aws.String(req.Model),
		ToolConfig: tools,
		InferenceConfig: &types.InferenceConfiguration{
			MaxTokens:     aws.Int32(int32(min(req.OutputLimit(), math.MaxInt32))),
			Temperature:   float(temperature),
			TopP:          float(topP),
			StopSequences: provider.Visible(req.StopSequences),
		},
	}
	if s := req.Instructions(); strings.TrimSpace(s) != "" {
		in.System = []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: s}}
	}
	turns := provider.Turns(req.Messages)
	if tools == nil {
		tell(turns)
	}
	in.Messages = messages(turns)
	return in, nil
}

func float(f *float64) *float32 {
	if f == nil {
		return nil
	}
	return aws.Float32(float32(*f))
}

func messages(turns []provider.Turn) []types.Message {
	out := make([]types.Message, 0, len(turns))
	for i := range turns {
		t := &turns[i]
		m := types.Message{Role: types.ConversationRoleUser}
		if t.Assistant {
			m.Role = types.ConversationRoleAssistant
		}
		for _, r := range t.Results {
			m.Content = append(m.Content, result(r))
		}
		for _, s := range t.Texts {
			m.Content = append(m.Content, &types.ContentBlockMemberText{Value: s})
		}
		for _, c := range t.Calls {
			m.Content = append(m.Content, &types.ContentBlockMemberToolUse{Value: types.ToolUseBlock{
				ToolUseId: aws.String(c.ID), Name: aws.String(c.Name), Input: rawJSON{raw: arguments(c.Arguments)},
			}})
		}
		out = append(out, m)
	}
	return out
}

func result(r provider.Result) types.ContentBlock {
	text := r.Text
	if strings.TrimSpace(text) == "" { // a blank text is refused, and so is no content
		text = "(nothing)"
	}
	return &types.ContentBlockMemberToolResult{Value: types.ToolResultBlock{
		ToolUseId: aws.String(r.ID),
		Content:   []types.ToolResultContentBlock{&types.ToolResultContentBlockMemberText{Value: text}},
	}}
}

// arguments is s as the object the provider demands. What the model wrote that is
// none was answered with an error by whoever ran the tool, and {} with it.
func arguments(s string) []byte {
	if v := jsontext.Value(s); v.Kind() == '{' && v.IsValid(provider.Lenient) {
		return v
	}
	return []byte("{}")
}

// tools returns the tools and how to choose among them; nil where none may be
// called, because the provider has no such choice.
func tools(req model.Request) (*types.ToolConfiguration, error) {
	if len(req.Tools) == 0 || req.ToolChoice == "none" {
		return nil, nil
	}
	cfg := &types.ToolConfiguration{Tools: make([]types.Tool, len(req.Tools))}
	for i, t := range req.Tools {
		schema := []byte(`{"type":"object","properties":{}}`)
		if len(t.Parameters) > 0 {
			schema = t.Parameters
		}
		if !jsontext.Value(schema).IsValid(provider.Lenient) { // our mistake, not the provider's
			return nil, problem.Wrap(problem.Internal, op, fmt.Errorf("the schema of tool %q is not JSON", t.Name))
		}
		spec := types.ToolSpecification{Name: aws.String(t.Name), InputSchema: &types.ToolInputSchemaMemberJson{Value: rawJSON{raw: schema}}}
		if t.Description != "" {
			spec.Description = aws.String(t.Description)
		}
		cfg.Tools[i] = &types.ToolMemberToolSpec{Value: spec}
	}
	switch req.ToolChoice {
	case "", "auto":
	case "required":
		cfg.ToolChoice = &types.ToolChoiceMemberAny{}
	default:
		cfg.ToolChoice = &types.ToolChoiceMemberTool{Value: types.SpecificToolChoice{Name: aws.String(req.ToolChoice)}}
	}
	return cfg, nil
}

// tell turns calls and their results into text: the provider refuses a conversation
// that has used tools where none is offered any more.
func tell(turns []provider.Turn) {
	names := map[string]string{}
	for i := range turns {
		t := &turns[i]
		var said []string
		for _, r := range t.Results {
			said = append(said, fmt.Sprintf("[%s returned: %s]", names[r.ID], r.Text))
		}
		t.Texts, t.Results = append(said, t.Texts...), nil
		for _, c := range t.Calls {
			names[c.ID] = c.Name
			t.Texts = append(t.Texts, fmt.Sprintf("[called %s with %s]", c.Name, c.Arguments))
		}
		t.Calls = nil
	}
}

// rawJSON is a document that is JSON already. The SDK's own would decode it into
// maps and encode it again, numbers as floats.
type rawJSON struct {
	document.Interface // never called; it marks rawJSON as a document
	raw                []byte
}

// MarshalSmithyDocument returns the JSON as it is.
func (d rawJSON) MarshalSmithyDocument() ([]byte, error) { return d.raw, nil }
