package dynamotable

import (
	"context"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// plainBody makes a request's body one that can be read, and no more. The SDK closes a
// body when the head of the answer is there, which may be before net/http has looked
// whether there is more of it to send. A closed body that can write itself says then
// that it failed (io.EOF; smithy-go 1.28), so net/http hangs up in the middle of the
// answer, and a request that was applied is sent again.
func plainBody(s *middleware.Stack) error {
	return s.Build.Add(middleware.BuildMiddlewareFunc("PlainBody", func(
		ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler,
	) (out middleware.BuildOutput, meta middleware.Metadata, err error) {
		if req, ok := in.Request.(*smithyhttp.Request); ok {
			if body, ok := req.GetStream().(io.ReadSeeker); ok {
				if in.Request, err = req.SetStream(struct{ io.ReadSeeker }{body}); err != nil {
					return out, meta, err
				}
			}
		}
		return next.HandleBuild(ctx, in)
	}), middleware.After)
}
