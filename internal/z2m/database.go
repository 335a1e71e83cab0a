package z2m

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"z2mha/internal/dongle/zigbee"
)

// A database is what database.db says: one JSON object a line.
type database struct {
	Coordinator zigbee.IEEE
	Devices     int           // without the coordinator and groups
	Addresses   []zigbee.IEEE // theirs, sorted, without what is no address
}

type databaseEntry struct {
	ID      *int   `json:"id"`
	Type    string `json:"type"`
	Address string `json:"ieeeAddr"`
}

// readDatabase is stricter than Zigbee2MQTT, which drops a torn line, and with it
// the device, for good.
func readDatabase(raw []byte) (database, error) {
	lines := strings.Split(strings.TrimRight(string(raw), "\r\n"), "\n")
	if len(lines) == 1 && strings.TrimSpace(lines[0]) == "" {
		return database{}, databaseProblem(0, "is empty: Zigbee2MQTT would start without a single device", "restore it, for instance from database.db.backup")
	}
	var db database
	var problems []error
	seen, coordinators := map[int]int{}, 0
	for i, line := range lines {
		e, err := readEntry(line, i+1, len(lines))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if first, twice := seen[*e.ID]; twice {
			problems = append(problems, databaseProblem(i+1, fmt.Sprintf("has the id %d of line %d", *e.ID, first), "one of the two devices would be lost; restore the file"))
		}
		seen[*e.ID] = i + 1
		switch e.Type {
		case "Coordinator":
			coordinators++
			db.Coordinator, _ = zigbee.ParseIEEE(e.Address)
		case "Group":
		default:
			db.Devices++
			if ieee, err := zigbee.ParseIEEE(e.Address); err == nil {
				db.Addresses = append(db.Addresses, ieee)
			}
		}
	}
	slices.Sort(db.Addresses)
	db.Addresses = slices.Compact(db.Addresses)
	if coordinators != 1 && len(problems) == 0 {
		problems = append(problems, databaseProblem(0, fmt.Sprintf("has %d coordinators, not one", coordinators), "restore the file"))
	}
	return db, join(problems)
}

func readEntry(line string, number, last int) (databaseEntry, error) {
	var e databaseEntry
	switch err := json.Unmarshal([]byte(line), &e); {
	case err != nil && number == last:
		return e, databaseProblem(number, "(the last) is torn: not a whole JSON object", "it may have been copied while it was written; try again, or restore it")
	case err != nil:
		return e, databaseProblem(number, "is not a JSON object", "restore the file")
	case e.ID == nil:
		return e, databaseProblem(number, "has no id", "restore the file")
	}
	return e, nil
}

func databaseProblem(line int, why, remedy string) error {
	return &Problem{File: DatabaseFile, Line: line, Why: why, Remedy: remedy}
}
