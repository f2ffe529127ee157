package vend

// Policy is the session policy that STS is given.
func (v *Vendor) Policy() string { return v.sts.policy }

// Held is how many tenants' sessions are held.
func (v *Vendor) Held() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.held)
}

// Element is how answers are read.
func Element(body, name string) string { return element(body, name) }

// MaxTenants is how many tenants are held at most.
const MaxTenants = maxTenants
