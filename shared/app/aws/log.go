package aws

import (
	"context"
	"log/slog"

	"switchboard/shared/app/aws/internal/account"
)

// redisLog takes what go-redis has to say to slog; its logger is one for the
// process. It speaks when a connection fails; the session reports that too, for
// its tenant.
type redisLog struct{}

// Printf implements go-redis's logger.
func (redisLog) Printf(ctx context.Context, format string, v ...any) {
	account.Said(ctx, slog.LevelWarn, "redis", format, v)
}
