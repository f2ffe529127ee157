package aws

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
	said(context.Background(), level, "aws", format, v)
}

// redisLog does the same for go-redis, whose logger is one for the process. It
// speaks when a connection fails; the session reports that too, for its tenant.
type redisLog struct{}

// Printf implements go-redis's logger.
func (redisLog) Printf(ctx context.Context, format string, v ...any) {
	said(ctx, slog.LevelWarn, "redis", format, v)
}

func said(ctx context.Context, level slog.Level, client, format string, v []any) {
	if slog.Default().Enabled(ctx, level) {
		slog.LogAttrs(ctx, level, "a client's own words", slog.String("client", client), slog.String("text", fmt.Sprintf(format, v...)))
	}
}
