// Package authorizer wires the gateway's authorizer to the directory of credentials.
//
// functions/authorizer is what runs it, under lambdahost.Authorize. Its one promise: it
// can reach the directory, and the one key that opens it, and nothing of any tenant's. It
// is apart from shared/app/aws so that the function, which starts before every other,
// carries neither companies nor models.
package authorizer

import (
	"context"
	"os"

	"switchboard/shared/app/aws/internal/account"
	"switchboard/shared/tenant/auth"
)

// Open reads the environment: SWITCHBOARD_DIRECTORY_TABLE and SWITCHBOARD_KEYS_TABLE
// (names of DynamoDB tables), SWITCHBOARD_KMS_KEY and SWITCHBOARD_MASTER_KEY, as
// [account.Stores.Sealer] says, and what account.Config reads.
func Open(context.Context) (*auth.Authorizer, error) {
	cfg, err := account.Config(os.Getenv)
	if err != nil {
		return nil, err
	}
	master := []byte(os.Getenv("SWITCHBOARD_MASTER_KEY"))
	stores := account.Unvended(cfg, os.Getenv)
	sealer, err := stores.Sealer(master)
	if err != nil {
		return nil, err
	}
	directory, err := stores.Directory(master, sealer)
	if err != nil {
		return nil, err
	}
	return auth.NewAuthorizer(directory, master)
}
