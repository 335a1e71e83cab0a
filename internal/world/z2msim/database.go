package z2msim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"z2mha/internal/dongle/zigbee"
)

// A record is one line of database.db. What this program does not look at stays
// in the line: Rest holds every field.
type record struct {
	Type      string              `json:"type"` // Coordinator, Router, EndDevice, Group
	IEEE      string              `json:"ieeeAddr"`
	Nwk       zigbee.NwkAddr      `json:"nwkAddr"`
	ModelID   string              `json:"modelId"`
	Maker     string              `json:"manufName"`
	Power     string              `json:"powerSource"`
	Endpoints map[string]endpoint `json:"endpoints"`

	fields map[string]json.RawMessage
}

type endpoint struct {
	ID     uint8    `json:"epId"`
	InputC []uint16 `json:"inClusterList"`
}

// serves finds the endpoint that has the cluster as a server.
func (r *record) serves(cluster uint16) (uint8, bool) {
	for _, e := range r.Endpoints {
		if slices.Contains(e.InputC, cluster) {
			return e.ID, true
		}
	}
	return 0, false
}

func (r *record) isDevice() bool { return r.Type == "Router" || r.Type == "EndDevice" }

// set changes one field of the line.
func (r *record) set(field string, value any) {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // plain values only
	}
	r.fields[field] = raw
}

// database is database.db: one JSON object a line, read once, written whole.
type database struct {
	path    string
	records []*record
	ignored int // lines that did not parse and are gone at the next save
}

func loadDatabase(dir string) (*database, error) {
	db := &database{path: filepath.Join(dir, "database.db")}
	raw, err := os.ReadFile(db.path)
	if errors.Is(err, fs.ErrNotExist) {
		return db, nil
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		db.add(lines.Bytes())
	}
	return db, lines.Err()
}

func (db *database) add(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	r := &record{}
	if json.Unmarshal(line, r) != nil || json.Unmarshal(line, &r.fields) != nil {
		db.ignored++
		return
	}
	db.records = append(db.records, r)
}

// save replaces the file: written aside, synced, renamed.
func (db *database) save() error {
	var out bytes.Buffer
	for _, r := range db.records {
		line, err := json.Marshal(r.fields)
		if err != nil {
			return fmt.Errorf("encode database: %w", err)
		}
		out.Write(append(line, '\n'))
	}
	return replaceFile(db.path, out.Bytes())
}

// coordinator puts the stick's address into the coordinator's line, in silence,
// whatever it was before.
func (db *database) coordinator(ieee zigbee.IEEE) {
	for _, r := range db.records {
		if r.Type == "Coordinator" {
			r.IEEE = ieee.String()
			r.set("ieeeAddr", ieee.String())
			return
		}
	}
	r := &record{Type: "Coordinator", IEEE: ieee.String(), fields: map[string]json.RawMessage{}}
	r.set("id", 1)
	r.set("type", r.Type)
	r.set("ieeeAddr", r.IEEE)
	r.set("nwkAddr", 0)
	r.set("epList", []int{})
	r.set("endpoints", map[string]any{})
	r.set("interviewCompleted", true)
	db.records = append([]*record{r}, db.records...)
}

func (db *database) devices() []*record {
	var out []*record
	for _, r := range db.records {
		if r.isDevice() {
			out = append(out, r)
		}
	}
	return out
}

func (db *database) byNwk(addr zigbee.NwkAddr) *record {
	for _, r := range db.devices() {
		if r.Nwk == addr {
			return r
		}
	}
	return nil
}

// replaceFile writes beside the file, syncs and renames.
func replaceFile(path string, data []byte) error {
	tmp := path + ".tmp"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
