// Package account opens what a Lambda's environment names in its AWS account.
//
// The wirings below shared/app/aws import it. Its one promise: nothing is called
// before it is used, and what the SDK has to say goes to slog.
package account

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/smithy-go/logging"
)

// sdkLog takes what the AWS SDK has to say to slog. By itself the SDK writes lines
// of its own form beside the function's JSON.
type sdkLog struct{}

var _ logging.Logger = sdkLog{}

// Logf implements logging.Logger. No client here logs requests or bodies, so what
// comes is about connections and retries.
func (sdkLog) Logf(class logging.Classification, format string, v ...any) {
	level := slog.LevelDebug
	if class == logging.Warn {
		level = slog.LevelWarn
	}
	if ctx := context.Background(); slog.Default().Enabled(ctx, level) {
		slog.LogAttrs(ctx, level, "a client's own words", slog.String("client", "aws"), slog.String("text", fmt.Sprintf(format, v...)))
	}
}
