package znp

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
)

// A Beacon is what a coordinator or a router answers to whoever asks who is there.
type Beacon struct {
	Source   zigbee.NwkAddr
	PanID    zigbee.PanID
	ExtPanID zigbee.ExtPanID
	Channel  zigbee.Channel
}

const (
	zdoBeaconNotifyInd = 0xC5
	zdoDiscoveryCnf    = 0xC7

	// beaconLen is one beacon in ZDO_BEACON_NOTIFY_IND: source 2, PAN 2, channel, permit
	// joining, router capacity, device capacity, protocol version, stack profile, LQI,
	// depth, update id, extended PAN id 8.
	beaconLen    = 21
	beaconExtPan = 13

	// scanDuration asks for 0.51 s on a channel: 15.36 ms · (2⁵+1).
	scanDuration = 5
	scanPatience = 5 * time.Second
)

// Discover sends one beacon request on a channel and returns what was answered. It joins
// nothing, and the stick must be in StateHold: one that is on air refuses, with a
// *StatusError. Firmware scans those channels only that are in its item CHANLIST, so a
// stick that was never loaded with a network on that channel may hear nothing.
func (c *Client) Discover(ctx context.Context, channel zigbee.Channel) ([]Beacon, error) {
	ctx, cancel := context.WithTimeout(ctx, scanPatience)
	defer cancel()
	w := c.Expect(func(f unpi.Frame) bool {
		return f.Type == unpi.AREQ && f.Subsystem == unpi.ZDO && (f.ID == zdoBeaconNotifyInd || f.ID == zdoDiscoveryCnf)
	})
	defer w.Close()
	d, err := c.ask(ctx, zdoNwkDiscovery, append(binary.LittleEndian.AppendUint32(nil, 1<<channel), scanDuration), 1)
	if err != nil {
		return nil, err
	}
	if d[0] != statusOK {
		return nil, &StatusError{Command: zdoNwkDiscovery.String(), Status: d[0]}
	}
	return collectBeacons(ctx, w)
}

// collectBeacons takes all beacons up to the confirmation that ends the scan.
func collectBeacons(ctx context.Context, w *Waiter) ([]Beacon, error) {
	var all []Beacon
	for {
		f, err := w.Wait(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", zdoNwkDiscovery, err)
		}
		if f.ID == zdoDiscoveryCnf {
			if len(f.Data) > 0 && f.Data[0] != statusOK && len(all) == 0 && f.Data[0] != statusNoBeacon {
				return nil, &StatusError{Command: zdoNwkDiscovery.String(), Status: f.Data[0]}
			}
			return all, nil
		}
		some, err := parseBeacons(f.Data)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
}

// statusNoBeacon is what the MAC says of a scan in which nobody has answered.
const statusNoBeacon = 0xEA

func parseBeacons(d []byte) ([]Beacon, error) {
	if len(d) == 0 || len(d) < 1+int(d[0])*beaconLen {
		return nil, fmt.Errorf("%s: an indication of %d bytes is too short", zdoNwkDiscovery, len(d))
	}
	var all []Beacon
	for i := range int(d[0]) {
		b := d[1+i*beaconLen:]
		all = append(all, Beacon{
			Source:   zigbee.NwkAddr(binary.LittleEndian.Uint16(b)),
			PanID:    zigbee.PanID(binary.LittleEndian.Uint16(b[2:])),
			Channel:  zigbee.Channel(b[4]),
			ExtPanID: zigbee.ExtPanIDFromLE(b[beaconExtPan:]),
		})
	}
	return all, nil
}
