// Package forge tries to reach past a wall that the compiler keeps.
package forge

import (
	_ "switchboard/shared/session/internal/driver" // want: "use of internal package switchboard/shared/session/internal/driver not allowed"
)
