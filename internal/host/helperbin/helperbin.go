// Package helperbin carries the host helper, built for every kind of host that a
// Zigbee2MQTT is likely to run on, inside the controller.
package helperbin

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed bin
var embedded embed.FS

// A Binary is one helper, ready to be put on a host.
type Binary struct {
	Name   string // znp-helper-linux-arm64
	Data   []byte // not to be changed
	SHA256 string // lower-case hex of Data
}

// ErrNotBuilt is wrapped when this program was built without the helper wanted.
var ErrNotBuilt = errors.New("this build carries no helper for it; run \"make helpers\" and build again")

// kinds says which binary runs on what "uname -m" calls a machine.
var kinds = map[string]string{
	"x86_64":  "linux-amd64",
	"amd64":   "linux-amd64",
	"aarch64": "linux-arm64",
	"arm64":   "linux-arm64",
	"armv6l":  "linux-armv6",
	"armv7l":  "linux-armv6",
	"armv7":   "linux-armv6",
	"armv8l":  "linux-armv6",
	"armhf":   "linux-armv6",
	"arm":     "linux-armv6",
}

// For returns the helper for a host, given what "uname -m" prints there. Where a
// 64-bit kernel carries 32-bit programs only, the 64-bit helper runs all the same: it
// is static and asks the kernel alone.
// The error names the machine, and what is known instead or wraps ErrNotBuilt.
func For(machine string) (Binary, error) {
	kind, ok := kinds[strings.TrimSpace(machine)]
	if !ok {
		return Binary{}, fmt.Errorf("no helper for machine %q: known are %s", machine, strings.Join(Machines(), ", "))
	}
	b, err := unpack("znp-helper-" + kind)
	if err != nil {
		return Binary{}, fmt.Errorf("helper for machine %s: %w", machine, err)
	}
	return b, nil
}

// Machines lists the names that For knows.
func Machines() []string {
	var all []string
	for m := range kinds {
		all = append(all, m)
	}
	slices.Sort(all)
	return all
}

// Built lists the binaries that this program carries.
func Built() []string {
	entries, err := embedded.ReadDir("bin")
	if err != nil {
		panic(fmt.Sprintf("helperbin: no embedded folder: %v", err))
	}
	var all []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".gz"); ok {
			all = append(all, name)
		}
	}
	return all
}

var unpacked sync.Map // name → func() (Binary, error)

// unpack unpacks a binary once.
func unpack(name string) (Binary, error) {
	once, _ := unpacked.LoadOrStore(name, sync.OnceValues(func() (Binary, error) { return read(name) }))
	return once.(func() (Binary, error))()
}

func read(name string) (Binary, error) {
	packed, err := embedded.ReadFile(path.Join("bin", name+".gz"))
	if errors.Is(err, fs.ErrNotExist) {
		return Binary{}, ErrNotBuilt
	}
	if err != nil {
		return Binary{}, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return Binary{}, fmt.Errorf("unpack %s: %w", name, err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		return Binary{}, fmt.Errorf("unpack %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	return Binary{Name: name, Data: data, SHA256: hex.EncodeToString(sum[:])}, nil
}
