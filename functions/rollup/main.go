// Command rollup derives what follows from turns, on Lambda behind the data table's
// stream and a schedule. So far it closes turns whose process died.
package main

import (
	"switchboard/shared/app/aws/rollup"
	"switchboard/shared/host/lambdahost"
)

func main() { lambdahost.Work(rollup.Open) }
