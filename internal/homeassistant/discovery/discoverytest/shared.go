package discoverytest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Shared is the rules from the full table of keys that is kept beside the
// repository, in the directory named by Z2MHA_SHARED or in ../shared; false when it
// is not there.
func Shared(t testing.TB) (Rules, bool) {
	t.Helper()
	dir := os.Getenv("Z2MHA_SHARED")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, "data", "ha-discovery-keys.json"))
	if err != nil {
		return Rules{}, false
	}
	var file struct {
		Envelope struct {
			Allowed, Required []string
		} `json:"device_envelope"`
		Device, Origin struct {
			Allowed []string
		}
		Units     map[string][]string `json:"sensor_units"`
		Blocked   []string            `json:"attributes_blocked"`
		Platforms map[string]struct {
			Allowed      []string
			Required     []string `json:"required_in_device_envelope"`
			DeviceClass  []string `json:"device_class"`
			StateClass   []string `json:"state_class"`
			BlockedAttrs []string `json:"blocked_attributes"`
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatalf("read the table of keys: %v", err)
	}
	r := Rules{
		Root: file.Envelope.Allowed, Required: file.Envelope.Required, Device: file.Device.Allowed, Origin: file.Origin.Allowed,
		Units: file.Units, Blocked: file.Blocked, Platforms: map[string]Platform{},
	}
	for name, p := range file.Platforms {
		r.Platforms[name] = Platform{p.Allowed, p.Required, p.DeviceClass, p.StateClass, p.BlockedAttrs}
	}
	return r, true
}

// root is the directory with go.mod.
func root(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}
