// Package forge tries to reach past a wall that the compiler keeps.
package forge

import (
	_ "switchboard/shared/tenant/internal/scope" // want: "use of internal package switchboard/shared/tenant/internal/scope not allowed"
)
