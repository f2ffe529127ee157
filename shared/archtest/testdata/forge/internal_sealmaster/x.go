// Package forge tries to reach past a wall that the compiler keeps.
package forge

import (
	_ "switchboard/shared/seal/internal/master" // want: "use of internal package switchboard/shared/seal/internal/master not allowed"
)
