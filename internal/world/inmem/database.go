package inmem

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
)

// wholeHome is a database.db that stands for whatever devices the home has: one that
// was not written since the home was made.
const wholeHome = "devices"

// databaseOf is a database.db with these devices, one a line.
func databaseOf(devices []engine.BridgeDevice) string {
	var b strings.Builder
	for _, d := range devices {
		fmt.Fprintf(&b, "%v %s%s\n", d.IEEE, d.FriendlyName, strings.Repeat(" ", 500))
	}
	return b.String()
}

// members are the devices that a data directory tells of.
func (h *Home) members(data map[string]string) []generation.Member {
	out := []generation.Member{}
	if data["database.db"] == wholeHome {
		for _, d := range h.Devices {
			out = append(out, generation.Member{IEEE: d.IEEE, Name: d.FriendlyName})
		}
	}
	for line := range strings.Lines(data["database.db"]) {
		addr, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if ieee, err := zigbee.ParseIEEE(addr); err == nil {
			out = append(out, generation.Member{IEEE: ieee, Name: name})
		}
	}
	slices.SortFunc(out, func(a, b generation.Member) int { return int(int64(a.IEEE) - int64(b.IEEE)) })
	return out
}

// summaryOf is what a check of a data directory finds.
func (x *Host) summaryOf(data map[string]string) generation.Summary {
	s := generation.Summary{Members: x.home.members(data)}
	s.Devices = len(s.Members)
	if b, err := netbackup.Parse([]byte(data["coordinator_backup.json"])); err == nil {
		s.BackupCounter, s.BackupDevices = b.FrameCounter, len(b.Devices)
		keys := map[zigbee.IEEE]bool{}
		for _, d := range b.Devices {
			keys[d.IEEE] = d.LinkKey != nil
			if d.LinkKey != nil {
				s.BackupKeys++
			}
		}
		for i, m := range s.Members {
			s.Members[i].LinkKey = keys[m.IEEE]
		}
	}
	stick := x.Stick()
	if x.filed != nil {
		stick = x.filed
	}
	if id, err := stick.Identity(); err == nil {
		s.PanID, s.ExtPanID, s.Channel = id.PanID.String(), id.ExtPanID.String(), uint8(id.Channel)
		s.Coordinator, s.KeyFingerprint = id.IEEE.String(), id.Key.Fingerprint()
		if x.editedKey != "" {
			s.KeyFingerprint = x.editedKey
		}
	}
	return s
}

// Edit changes a file of the data directory, as a person or a fault may.
func (x *Host) Edit(path string, f func(string) string) {
	x.locked(func() {
		x.data = maps.Clone(x.data)
		x.data[path] = f(x.data[path])
	})
}

// Rename gives a device another name, through the host that runs.
func (h *Home) Rename(ieee zigbee.IEEE, name string) {
	h.change(engine.Membership{Kind: engine.MemberRenamed, IEEE: ieee, Name: name}, func(*Host) {
		h.Devices = slices.Clone(h.Devices)
		for i, d := range h.Devices {
			if d.IEEE == ieee {
				h.Devices[i].FriendlyName = name
			}
		}
	})
}
