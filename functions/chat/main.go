// Command chat takes turns with assistants, on Lambda behind API Gateway.
package main

import (
	"switchboard/shared/app"
	"switchboard/shared/app/aws"
	"switchboard/shared/host/lambdahost"
)

func main() { lambdahost.Serve(aws.Open, app.Chat) }
