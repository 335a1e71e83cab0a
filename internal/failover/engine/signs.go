package engine

import (
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/health"
)

// Signs are what a network lets be seen of itself over MQTT without being asked. A radio
// that devices are heard through needs no other proof.
type Signs struct {
	Broker health.Broker
	Bridge health.Bridge
	// Heard is the last fresh message of any device, HeardFrom that of each. What the broker
	// had kept and what Zigbee2MQTT merely repeats are none.
	Heard     time.Time
	HeardFrom map[zigbee.IEEE]time.Time
	// Pace is the longest pause between two of the last messages, 0 when there were few.
	Pace time.Duration
	// Devices are those of the last list that was heard, kept or fresh.
	Devices []BridgeDevice
}
