// Command tenant-admin is the operator's API, on Lambda behind API Gateway.
package main

import (
	"switchboard/shared/app"
	"switchboard/shared/app/aws"
	"switchboard/shared/host/lambdahost"
)

func main() { lambdahost.Serve(aws.OpenAdmin, app.TenantAdmin) }
