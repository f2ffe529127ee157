// Package forge tries to make a model that does not know for whom it answers.
package forge

import (
	"context"
	"iter"

	"switchboard/shared/model"
)

type blind struct{}

func (blind) Stream(context.Context, model.Request) iter.Seq2[model.Part, error] { return nil }

var _ model.Model = blind{} // want: "wrong type for method Stream"
