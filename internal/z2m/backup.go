package z2m

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
)

// A backup is the part of coordinator_backup.json that names the network.
type backup struct {
	Coordinator zigbee.IEEE
	PanID       zigbee.PanID
	ExtPanID    zigbee.ExtPanID
	Channel     zigbee.Channel
	Key         zigbee.Key
	Counter     zigbee.FrameCounter
}

// checkBackup compares the backup with the configuration's network, if that could
// be read.
func checkBackup(get Files, n Network, readable bool, s *generation.Summary) error {
	raw, err := needed(get, BackupFile)
	if err != nil {
		return err
	}
	b, err := readBackup(raw)
	if err != nil {
		return &Problem{File: BackupFile, Why: "cannot be used: " + err.Error(),
			Remedy: "Zigbee2MQTT does not start with it; have it written again with bridge/request/backup, or restore it"}
	}
	s.BackupCounter = b.Counter
	if s.Coordinator == "" || s.Coordinator == zigbee.IEEE(0).String() {
		s.Coordinator = b.Coordinator.String()
	}
	if s.Coordinator != b.Coordinator.String() {
		s.Warnings = append(s.Warnings, fmt.Sprintf("coordinator_backup.json is of coordinator %s, database.db of %s", b.Coordinator, s.Coordinator))
	}
	if !readable {
		return nil
	}
	if n.Channel != b.Channel {
		s.Warnings = append(s.Warnings, fmt.Sprintf("coordinator_backup.json has channel %d, the configuration %d", b.Channel, n.Channel))
	}
	return matches(n, b)
}

func matches(n Network, b backup) error {
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

func readBackup(raw []byte) (backup, error) {
	var f struct {
		Coordinator string `json:"coordinator_ieee"`
		PanID       string `json:"pan_id"`
		ExtPanID    string `json:"extended_pan_id"`
		Channel     uint8  `json:"channel"`
		Key         struct {
			Key     string              `json:"key"`
			Counter zigbee.FrameCounter `json:"frame_counter"`
		} `json:"network_key"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return backup{}, fmt.Errorf("not whole JSON")
	}
	b := backup{Channel: zigbee.Channel(f.Channel), Counter: f.Key.Counter}
	pan, err := strconv.ParseUint(strings.TrimPrefix(f.PanID, "0x"), 16, 16)
	if err != nil {
		return b, fmt.Errorf("pan_id %q is not a hexadecimal number", f.PanID)
	}
	b.PanID = zigbee.PanID(pan)
	if b.Coordinator, err = zigbee.ParseIEEE(f.Coordinator); err != nil {
		return b, fmt.Errorf("coordinator_ieee: %w", err)
	}
	if b.ExtPanID, err = zigbee.ParseExtPanID(f.ExtPanID); err != nil {
		return b, fmt.Errorf("extended_pan_id: %w", err)
	}
	key, err := hex.DecodeString(f.Key.Key)
	if err != nil || len(key) != len(b.Key) {
		return b, fmt.Errorf("network_key is not 32 hexadecimal digits")
	}
	copy(b.Key[:], key)
	return b, nil
}
