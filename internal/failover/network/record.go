package network

import (
	"time"

	"z2mha/internal/dongle/nvimage"
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
	// Fenced are the nodes that were silenced in another way, until their sticks are read
	// in HOLD again, or somebody starts them.
	Fenced map[string]Fenced `json:"fenced,omitempty"`
	// Off are the nodes whose stick we have taken off its USB bus, until it is given back.
	Off map[string]time.Time `json:"off,omitempty"`
	// Spoken are the nodes that were seen to run beside the active one, or instead of it,
	// until what they have used is known: the active may be behind them.
	Spoken map[string]bool `json:"spoken,omitempty"`
	// BootOwed: the start at boot was taken from the node that served the home and given
	// to nobody yet, so whoever serves it next shall have it.
	BootOwed bool `json:"boot_owed,omitempty"`
	// Unproven says what could not be proven when Active took over, "" when all was.
	Unproven string `json:"unproven,omitempty"`

	// Sticks, Ledgers and Staged are by node; see their types.
	Sticks  map[string]StickRecord  `json:"sticks,omitempty"`
	Ledgers map[string]StickLedger  `json:"ledgers,omitempty"`
	Staged  map[string]StagedRecord `json:"staged,omitempty"`
	// Seed is the SHA-256 on the shelf of a whole memory that holds the network, and
	// SeedStick what it was read from: a stand-by's stick is loaded from it the first time.
	Seed      string        `json:"seed,omitempty"`
	SeedStick nvimage.Stick `json:"seed_stick,omitzero"`
	// Spoke is the SHA-256 on the shelf of the memory with which a stick was started last:
	// its link keys may have been used from there on.
	Spoke string `json:"spoke,omitempty"`
	// Left are the devices that were seen to leave since the last accepted generation.
	Left []Leaving `json:"left,omitempty"`
	// Refused is the number of the newest capture that was refused, 0 when the last one
	// was accepted.
	Refused int `json:"refused,omitempty"`
	// Captured is when the active's data was captured last and found good, whether or
	// not anything had changed; BackedUp the same with a live backup of its stick.
	Captured time.Time `json:"captured,omitzero"`
	BackedUp time.Time `json:"backed_up,omitzero"`
}
