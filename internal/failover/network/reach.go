package network

import "time"

// A Reach is whether something could be reached over the network from a node.
type Reach struct {
	Address string        `json:"address"`
	OK      bool          `json:"ok"`
	Why     string        `json:"why,omitempty"` // why not
	Took    time.Duration `json:"took"`
}
