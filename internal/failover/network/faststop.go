package network

import "time"

// A FastStop is how Zigbee2MQTT was ended without its closing backup.
type FastStop struct {
	// Saved says that state.json and database.db were seen newly written, whole, before
	// it ended. When they were not, nobody was killed, and the normal stop was waited for.
	Saved    bool          `json:"saved"`
	SaveTook time.Duration `json:"save_took,omitempty"` // from the request to end until they were
	Took     time.Duration `json:"took"`                // until process and stick were seen to be free
	Killed   []Process     `json:"killed,omitempty"`
	How      string        `json:"how"` // for people
	// Seen is the look that the stop has ended with; nil when it was not to be had.
	Seen *Observation `json:"-"`
}
