package z2m

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
)

// Check says whether Zigbee2MQTT could start from these files and find its
// network and devices again, and who the network is. list names every file of
// the data directory. The error joins a *Problem for each thing that must be put
// right first; see Problems. What is only unwise becomes a warning.
//
// The three files without which Zigbee2MQTT forms a new network or empties its
// database must be whole: the configuration with all it refers to, a database in
// which every line parses, a coordinator backup of the same network.
func Check(get Files, list []string) (generation.Summary, error) {
	var s generation.Summary
	c, err := loadConfiguration(get)
	if err != nil {
		return s, err
	}
	n, problems := c.network()
	problems = append(problems, c.checkReferences()...)
	if c.at("onboarding") == true {
		problems = append(problems, &Problem{File: ConfigurationFile, Key: "onboarding", Why: "is true: Zigbee2MQTT would wait for a browser instead of starting",
			Remedy: "finish setting up Zigbee2MQTT on this node"})
	}
	s.Warnings = append(n.warnings(), leftovers(list)...)
	s.PanID, s.ExtPanID, s.Channel, s.KeyFingerprint = n.PanID.String(), n.ExtPanID.String(), uint8(n.Channel), n.Key.Fingerprint()
	problems = append(problems, checkDatabase(get, c.names(), &s), checkBackup(get, n, join(problems) == nil, &s), checkState(get, &s))
	return s, join(problems)
}

func checkDatabase(get Files, names map[zigbee.IEEE]string, s *generation.Summary) error {
	s.Named = len(names)
	raw, err := needed(get, DatabaseFile)
	if err != nil {
		return err
	}
	db, err := readDatabase(raw)
	s.Devices, s.Coordinator = db.Devices, db.Coordinator.String()
	for _, ieee := range db.Addresses {
		s.Members = append(s.Members, generation.Member{IEEE: ieee, Name: names[ieee]})
	}
	return err
}

// checkState only warns: Zigbee2MQTT ignores a torn one.
func checkState(get Files, s *generation.Summary) error {
	raw, err := get(StateFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", StateFile, err)
	case !json.Valid(raw):
		s.Warnings = append(s.Warnings, "state.json is torn: Zigbee2MQTT would start without the last known states")
	}
	return nil
}

func needed(get Files, name string) ([]byte, error) {
	raw, err := get(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Problem{File: name, Why: "does not exist: Zigbee2MQTT would form a new network and empty its database",
			Remedy: "let Zigbee2MQTT run on the active node until it has written the file, and try again"}
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return raw, nil
}

// leftovers warns of files that tell of an earlier failed write.
func leftovers(list []string) []string {
	if slices.ContainsFunc(list, func(p string) bool { return strings.HasPrefix(p, DatabaseFile+".tmp.") }) {
		return []string{"database.db.tmp.* is left from a failed write: look after the disk of the active node"}
	}
	return nil
}

// join is errors.Join that returns a lone error as it is, so that it keeps its type.
func join(problems []error) error {
	problems = slices.DeleteFunc(slices.Clone(problems), func(err error) bool { return err == nil })
	if len(problems) == 1 {
		return problems[0]
	}
	return errors.Join(problems...)
}
