// Package fileseal keeps tenants' keys in files, wrapped under a master key.
//
// Only shared/app/local and tests import it. Its one promise: a file is the old ring
// or the new one, whole and synced, whenever the process or the machine stops, and
// of two processes that make a tenant's first key at once both end up with the same.
//
//	DIR/                 0700, opened through os.Root
//	DIR/<project>.keys   0600, the ring: JSON of wrapped keys
//	DIR/<project>.lock   empty; held with flock while the ring is changed
//
// A symbolic link, or a file that others may read, is refused.
package fileseal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/internal/master"
	"switchboard/shared/tenant"
)

// Options are what may be left to its default.
type Options struct {
	// Masters are the files of tenants who have a master key of their own, of 64
	// hexadecimal digits. The platform's never stands in for one of these: where it
	// cannot be read, that tenant's keys are not available.
	Masters map[tenant.ID]string
}

// Open returns a Sealer whose rings are in dir, which is made if need be. key is the
// platform's master key, of at least 32 bytes.
func Open(dir string, key []byte, opts *Options) (*seal.Sealer, error) {
	if err := master.Check(key); err != nil {
		return nil, err
	}
	key = bytes.Clone(key)
	var own map[tenant.ID]string
	if opts != nil {
		own = maps.Clone(opts.Masters)
	}
	files, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("fileseal: %w", err)
	}
	return seal.New(files, master.New(func(sc tenant.Scope) ([]byte, error) {
		file, ok := own[sc.Project()]
		if !ok {
			return key, nil
		}
		k, err := readMaster(file)
		if err != nil {
			return nil, &problem.Error{Kind: problem.Unavailable, Op: "fileseal.master", RetryAfter: time.Second,
				Err: fmt.Errorf("the master key of %s: %w", sc.Project(), err)}
		}
		return k, nil
	})), nil
}

// Has reports whether the tenant has a ring in dir.
func Has(dir string, id tenant.ID) (bool, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer root.Close()
	_, err = root.Lstat(id.String() + keysSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// readMaster reads a tenant's own master key.
func readMaster(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := readPrivate(f)
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, errors.New("not 64 hexadecimal digits") // and nothing of what is there
	}
	return key, nil
}
