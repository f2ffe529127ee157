package modeltest_test

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/google/go-cmp/cmp"

	"switchboard/shared/model/modeltest"
)

func bedrock(t *testing.T, server *modeltest.Server) *bedrockruntime.Client {
	srv := httptest.NewServer(server)
	t.Cleanup(srv.Close)
	return bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(srv.URL), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
	})
}

func asks(texts ...string) *bedrockruntime.ConverseStreamInput {
	in := &bedrockruntime.ConverseStreamInput{
		ModelId: aws.String("arn:aws:bedrock:us-east-1:1:inference-profile/x"),
		System:  []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: "Be brief."}},
	}
	for _, s := range texts {
		in.Messages = append(in.Messages, types.Message{Role: "user", Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: s}}})
	}
	return in
}

// TestBedrocksOwnClient: the SDK of the provider itself must understand us.
func TestBedrocksOwnClient(t *testing.T) {
	t.Parallel()
	server := modeltest.NewServer(func(modeltest.Call) modeltest.Script { return lead })
	out, err := bedrock(t, server).ConverseStream(t.Context(), asks("hi"))
	if err != nil {
		t.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	var got []string
	for e := range stream.Events() {
		switch e := e.(type) {
		case *types.ConverseStreamOutputMemberContentBlockDelta:
			switch d := e.Value.Delta.(type) {
			case *types.ContentBlockDeltaMemberText:
				got = append(got, d.Value)
			case *types.ContentBlockDeltaMemberToolUse:
				got[len(got)-1] += aws.ToString(d.Value.Input)
			}
		case *types.ConverseStreamOutputMemberContentBlockStart:
			got = append(got, aws.ToString(e.Value.Start.(*types.ContentBlockStartMemberToolUse).Value.Name)+" ")
		case *types.ConverseStreamOutputMemberMessageStop:
			got = append(got, string(e.Value.StopReason))
		case *types.ConverseStreamOutputMemberMetadata:
			u := e.Value.Usage
			if *u.InputTokens != 20 || *u.CacheReadInputTokens != 100 || *u.OutputTokens != 45 || *u.TotalTokens != 165 {
				t.Errorf("usage %+v", u)
			}
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"One", " moment.", `take_lead {"name":"Jørgen"}`, "now ", "tool_use"}, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	c := server.Calls()[0]
	if c.Provider != "bedrock" || c.Model != "arn:aws:bedrock:us-east-1:1:inference-profile/x" || c.System != "Be brief." || c.User != "hi" || !c.Streamed || c.Header.Get("Authorization") == "" || len(c.Body) == 0 {
		t.Errorf("call %+v", c)
	}
}

func TestBedrockRefuses(t *testing.T) {
	t.Parallel()
	client := bedrock(t, modeltest.NewServer(func(c modeltest.Call) modeltest.Script {
		fail := modeltest.Step{Fail: &modeltest.Failure{Status: 429, Message: "slow down"}}
		if c.User == "later" {
			return modeltest.Script{{Text: "x"}, fail}
		}
		return modeltest.Script{fail}
	}))
	_, err := client.ConverseStream(t.Context(), asks("now"))
	if e, ok := errors.AsType[*types.ThrottlingException](err); !ok || e.ErrorMessage() != "slow down" {
		t.Errorf("error = %v", err)
	}
	_, err = client.ConverseStream(t.Context(), asks("one", "two"))
	if _, ok := errors.AsType[*types.ValidationException](err); !ok {
		t.Errorf("error = %v, want what does not alternate refused", err)
	}
	out, err := client.ConverseStream(t.Context(), asks("later"))
	if err != nil {
		t.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	for range stream.Events() {
	}
	if _, ok := errors.AsType[*types.ThrottlingException](stream.Err()); !ok {
		t.Errorf("error = %v", stream.Err())
	}
}
