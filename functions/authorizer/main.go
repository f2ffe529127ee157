// Command authorizer looks up the credential of each request for API Gateway, on Lambda.
// It and the operator's function are all that read the directory of credentials.
package main

import (
	"switchboard/shared/app/aws/authorizer"
	"switchboard/shared/host/lambdahost"
)

func main() { lambdahost.Authorize(authorizer.Open) }
