package anthropicmodel_test

import (
	"testing"

	"switchboard/shared/model"
	"switchboard/shared/model/anthropicmodel"
	"switchboard/shared/model/modeltest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, func(_ *testing.T, baseURL string) model.Model {
		return anthropicmodel.New(anthropicmodel.Config{APIKey: "key", BaseURL: baseURL})
	}, "anthropic")
}
