package ending

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A saving tells whether Zigbee2MQTT has written its state and then its database since
// watch was called.
type saving struct {
	state, database         string
	stateWas, databaseWas   stamp
	stateIs, databaseIs     stamp // that were found whole
	stateWhole, databaseNew bool
	stateless               bool // it is configured not to keep its state
}

// A stamp differs whenever a file was written or replaced.
type stamp struct {
	inode        uint64
	size         int64
	mtime, ctime syscall.Timespec
}

func stampOf(path string) stamp {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return stamp{}
	}
	return stamp{st.Ino, st.Size, st.Mtim, st.Ctim}
}

func watch(data string) *saving {
	s := &saving{state: filepath.Join(data, "state.json"), database: filepath.Join(data, "database.db")}
	s.stateWas, s.databaseWas = stampOf(s.state), stampOf(s.database)
	s.stateless = keepsNoState(filepath.Join(data, "configuration.yaml"))
	return s
}

// keepsNoState reads cache_state_persistent off a line of its own, as Zigbee2MQTT writes
// it. Where it is not found so, the file is waited for in vain, which only costs time.
func keepsNoState(configuration string) bool {
	text, _ := os.ReadFile(configuration)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "cache_state_persistent:"); ok {
			return strings.TrimSpace(value) == "false"
		}
	}
	return false
}

// done says that both files are new and whole, the database after the state: that is
// the order at a stop. The state is overwritten in place, so a database that is older
// may have come from the save every 5 min, with the state half written now.
func (s *saving) done() bool {
	state, database := stampOf(s.state), stampOf(s.database)
	s.databaseNew = database.inode != 0 && database != s.databaseWas
	s.stateWhole = s.stateless || state.inode != 0 && state != s.stateWas && s.isWhole(state)
	if !s.databaseNew || !s.stateWhole {
		return false
	}
	if !s.stateless && before(database.mtime, state.mtime) {
		return false
	}
	if database != s.databaseIs && eachLineIsJSON(s.database) {
		s.databaseIs = database
	}
	return database == s.databaseIs && stampOf(s.database) == database
}

func (s *saving) isWhole(state stamp) bool {
	if state != s.stateIs && isJSON(s.state) {
		s.stateIs = state
	}
	return state == s.stateIs
}

func (s *saving) missing() string {
	switch {
	case !s.stateWhole:
		return "state.json is not new"
	case !s.databaseNew:
		return "database.db is not new"
	}
	return "database.db is not whole, or older than state.json"
}

func before(a, b syscall.Timespec) bool {
	return a.Sec < b.Sec || a.Sec == b.Sec && a.Nsec < b.Nsec
}

func isJSON(path string) bool {
	text, err := os.ReadFile(path)
	return err == nil && json.Valid(text)
}

func eachLineIsJSON(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return false
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && !json.Valid(line) {
			return false
		}
	}
	return true
}
