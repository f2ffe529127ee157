package dynamotest

import (
	"os"
	"testing"
)

// Local returns where DynamoDB Local listens, the judge of what [Start] serves. Where
// none runs the test is skipped.
func Local(t *testing.T) (endpoint string) {
	t.Helper()
	endpoint = os.Getenv("SWITCHBOARD_DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("SWITCHBOARD_DYNAMODB_ENDPOINT is not set; `make verify` starts DynamoDB Local and sets it")
	}
	return endpoint
}
