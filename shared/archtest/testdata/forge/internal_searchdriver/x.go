// Package forge tries to reach past a wall that the compiler keeps.
package forge

import (
	_ "switchboard/shared/search/internal/driver" // want: "use of internal package switchboard/shared/search/internal/driver not allowed"
)
