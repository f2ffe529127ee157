// Package forge tries to reach past a wall that the compiler keeps.
package forge

import (
	_ "switchboard/shared/table/internal/driver" // want: "use of internal package switchboard/shared/table/internal/driver not allowed"
)
