// Command tenant-admin is the operator's API, on Lambda behind API Gateway. Whoever may
// invoke it directly makes operator keys.
package main

import (
	"switchboard/shared/app"
	"switchboard/shared/app/aws"
	"switchboard/shared/host/lambdahost"
)

func main() { lambdahost.ServeDirect(aws.OpenAdmin, app.TenantAdmin, app.InvokeAdmin) }
