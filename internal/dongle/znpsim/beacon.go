package znpsim

import "z2mha/internal/dongle/zigbee"

// beacon lays one beacon out as ZDO_BEACON_NOTIFY_IND holds it.
func beacon(src zigbee.NwkAddr, pan zigbee.PanID, ch zigbee.Channel, permit bool, depth, update byte, epid []byte) []byte {
	const routerCapacity, deviceCapacity, zigbeePro, profile, lqi = 1, 1, 2, 2, 160
	b := make([]byte, 0, beaconLen)
	b = le16(le16(b, uint16(src)), uint16(pan))
	b = append(b, byte(ch), boolByte(permit), routerCapacity, deviceCapacity, zigbeePro, profile, lqi, depth, update)
	return append(b, epid...)
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}
