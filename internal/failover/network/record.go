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
	// BootOwed: the start at boot was taken from the node that served the home and given
	// to nobody yet, so whoever serves it next shall have it.
	BootOwed bool `json:"boot_owed,omitempty"`
	// Unproven says what could not be proven when Active took over, "" when all was.
	Unproven string `json:"unproven,omitempty"`
}
