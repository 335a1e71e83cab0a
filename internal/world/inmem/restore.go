package inmem

import (
	"z2mha/internal/dongle/netbackup"
)

// restoreAdds is what Zigbee2MQTT adds to every counter of a backup that it restores.
const restoreAdds = 2500

// restoreLocked is Zigbee2MQTT that finds its backup beside a stick of no network.
func (x *Host) restoreLocked() {
	b, err := netbackup.Parse([]byte(x.data["coordinator_backup.json"]))
	if err != nil {
		return
	}
	b.FrameCounter = b.FrameCounter.Add(restoreAdds)
	for _, d := range b.Devices {
		if d.LinkKey != nil {
			d.LinkKey.Tx = d.LinkKey.Tx.Add(restoreAdds)
		}
	}
	nv, _, err := netbackup.Apply(x.home.formed, b)
	if err != nil {
		return
	}
	x.nv, x.yields = nv, false
	x.bootStickLocked()
}
