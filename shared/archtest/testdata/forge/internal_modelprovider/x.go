// Package forge tries to reach past a wall that the compiler keeps.
package forge

import (
	_ "switchboard/shared/model/internal/provider" // want: "use of internal package switchboard/shared/model/internal/provider not allowed"
)
