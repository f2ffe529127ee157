package openaimodel_test

import (
	"testing"

	"switchboard/shared/model"
	"switchboard/shared/model/modeltest"
	"switchboard/shared/model/openaimodel"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, func(_ *testing.T, baseURL string) model.Model {
		return openaimodel.New(openaimodel.Config{APIKey: "sk-test", BaseURL: baseURL + "/v1"})
	}, "openai")
}
