package network

import (
	"time"

	"z2mha/internal/failover/odometer"
)

// A Record is what the controller remembers of a network between two starts.
type Record struct {
	Network  string            `json:"network"`
	Active   string            `json:"active"` // node that was proven active last, "" when never
	Since    time.Time         `json:"since,omitzero"`
	Odometer odometer.Odometer `json:"odometer"`
	// Silent tells when a stick was last read in HOLD; a node that was started
	// since is not in it.
	Silent map[string]time.Time `json:"silent,omitempty"`
	// AtBoot: the active node starts at boot, so whoever takes over shall too.
	AtBoot bool `json:"at_boot,omitempty"`
	// Unproven says what could not be proven when Active took over, "" when all was.
	Unproven string `json:"unproven,omitempty"`
}
