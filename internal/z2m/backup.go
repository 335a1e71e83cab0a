package z2m

import (
	"fmt"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
)

// checkBackup compares coordinator_backup.json with the configuration's network,
// if that could be read.
func checkBackup(get Files, n Network, readable bool, s *generation.Summary) error {
	raw, err := needed(get, BackupFile)
	if err != nil {
		return err
	}
	b, err := netbackup.Parse(raw)
	if err != nil {
		return &Problem{File: BackupFile, Why: "cannot be used: " + err.Error(),
			Remedy: "Zigbee2MQTT does not start with it; have it written again with bridge/request/backup, or restore it"}
	}
	id := b.Identity()
	s.BackupCounter, s.BackupDevices = b.FrameCounter, len(b.Devices)
	markKeys(b, s)
	switch s.Coordinator {
	case "", zigbee.IEEE(0).String():
		s.Coordinator = id.IEEE.String()
	case id.IEEE.String():
	default:
		s.Warnings = append(s.Warnings, fmt.Sprintf("coordinator_backup.json is of coordinator %s, database.db of %s", id.IEEE, s.Coordinator))
	}
	if !readable {
		return nil
	}
	if n.Channel != id.Channel {
		s.Warnings = append(s.Warnings, fmt.Sprintf("coordinator_backup.json has channel %d, the configuration %d", id.Channel, n.Channel))
	}
	return matches(n, id)
}

// markKeys notes which devices the backup has a link key for.
func markKeys(b *netbackup.Backup, s *generation.Summary) {
	keyed := map[zigbee.IEEE]bool{}
	for _, d := range b.Devices {
		if d.LinkKey != nil {
			keyed[d.IEEE] = true
		}
	}
	s.BackupKeys = len(keyed)
	for i, m := range s.Members {
		s.Members[i].LinkKey = keyed[m.IEEE]
	}
}

// matches compares what Zigbee2MQTT compares at its start. Tools disagree about
// the byte order of the extended PAN id, so either is right.
func matches(n Network, b zigbee.Identity) error {
	var problems []error
	differs := func(what string, same bool, there, here any) {
		if !same {
			problems = append(problems, &Problem{File: BackupFile, Key: what,
				Why:    fmt.Sprintf("%v is not that of configuration.yaml (%v): Zigbee2MQTT would not find its network", there, here),
				Remedy: "have the backup written again by the Zigbee2MQTT that runs this network (bridge/request/backup)"})
		}
	}
	differs("pan_id", n.PanID == b.PanID, b.PanID, n.PanID)
	differs("extended_pan_id", n.ExtPanID == b.ExtPanID || n.ExtPanID == reversed(b.ExtPanID), b.ExtPanID, n.ExtPanID)
	differs("network_key", n.Key == b.Key, b.Key, n.Key)
	return join(problems)
}
