// Command outside is no test and asks for a test's Scope.
package main

import (
	"fmt"

	"switchboard/shared/tenant/tenanttest"
)

func main() { fmt.Println("forged:", tenanttest.Scope("acme").Project()) }
