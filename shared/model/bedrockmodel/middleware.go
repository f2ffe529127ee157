package bedrockmodel

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// readItOurselves takes the SDK's reader of the stream out of an operation. Its name
// is no API of the SDK's; should it change, every call fails, and our tests first.
func readItOurselves(stack *middleware.Stack) error {
	if _, err := stack.Deserialize.Remove("OperationEventStreamDeserializer"); err != nil {
		return err
	}
	return stack.Deserialize.Insert(refusals{}, "OperationDeserializer", middleware.After)
}

// refusals reads the body of a refused request to its end and closes it: the SDK
// leaves that, for streams, to the reader that we have removed.
type refusals struct{}

// maxErrorBody bounds what is read of a refusal.
const maxErrorBody = 64 << 10

// ID implements [middleware.DeserializeMiddleware].
func (refusals) ID() string { return "switchboard.Refusals" }

// HandleDeserialize implements [middleware.DeserializeMiddleware].
func (refusals) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, md, err := next.HandleDeserialize(ctx, in)
	res, ok := out.RawResponse.(*smithyhttp.Response)
	if !ok || err == nil && res.StatusCode == http.StatusOK {
		return out, md, err
	}
	defer res.Body.Close()
	body, readErr := io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
	if err == nil {
		err = readErr
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return out, md, err
}
