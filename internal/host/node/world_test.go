package node_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"z2mha/internal/failover/engine"
	"z2mha/internal/host/node"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
	"z2mha/internal/world/sshhost"
)

var ourKey = sshhost.NewKey()

// theHelper is the real helper, built once for this machine.
var theHelper = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "znp-helper")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "znp-helper")
	build := exec.Command("go", "build", "-o", out, "z2mha/cmd/znp-helper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, errors.New(string(said))
	}
	return os.ReadFile(out)
})

// A place is a simulated host with a data directory, and the node that we make of it.
type place struct {
	t    *testing.T
	host *sshhost.Host
	dir  string // everything is below it
	bin  string // fakes, first in the PATH
	here string // where a fake service manager keeps its notes, if there is one
	cfg  node.Config
	*node.Node
}

// home is a small network as Zigbee2MQTT 2.14 writes it, with ids of our own.
var home = map[string]string{
	"configuration.yaml": `# attic
version: 5
mqtt:
  base_topic: zigbee2mqtt
  server: mqtt://192.0.2.1:1883
  password: '!secret mqtt_password'
serial:
  port: /dev/serial/by-id/usb-attic
  adapter: zstack
advanced:
  channel: 15
  pan_id: 0x4a21
  ext_pan_id: [1, 2, 3, 4, 5, 6, 7, 8]
  network_key: '!secret network_key'
`,
	"secret.yaml": "mqtt_password: hunter2\nnetwork_key: [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]\n",
	"database.db": `{"id":1,"type":"Coordinator","ieeeAddr":"0x00124b0000000001","nwkAddr":0}
{"id":2,"type":"Router","ieeeAddr":"0x0000000000000a01","nwkAddr":4711}
`,
	"coordinator_backup.json": `{"metadata":{"format":"zigpy/open-coordinator-backup","version":1},
 "coordinator_ieee":"00124b0000000001","pan_id":"4a21","extended_pan_id":"0102030405060708","channel":15,
 "network_key":{"key":"100f0e0d0c0b0a090807060504030201","sequence_number":0,"frame_counter":5250},"devices":[]}`,
	"state.json":                   `{"0x0000000000000a01":{"state":"ON"}}`,
	"external_converters/lamp.mjs": "export default {};\n",
}

// newPlace starts a host. change may alter the node's configuration.
func newPlace(t *testing.T, change ...func(*node.Config)) *place {
	t.Helper()
	return newPlaceOn(t, sshhost.Options{}, change...)
}

func newPlaceOn(t *testing.T, o sshhost.Options, change ...func(*node.Config)) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), bin: t.TempDir()}
	o.Home, o.Path, o.Authorized = t.TempDir(), []string{p.bin}, []ssh.PublicKey{ourKey.PublicKey()}
	h, err := sshhost.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	p.host = h
	p.cfg = node.Config{
		Name: "attic",
		SSH: remote.Config{Address: h.Addr(), User: "pi", Signer: ourKey,
			KnownHosts: filepath.Join(t.TempDir(), "known_hosts")},
		Dongle:    filepath.Join(p.dir, "tty"),
		Data:      filepath.Join(p.dir, "data"),
		HelperDir: filepath.Join(p.dir, "bin"),
		State:     filepath.Join(p.dir, "state"),
		Service:   service.Config{Kind: service.Systemd, Unit: "zigbee2mqtt"},
		Helper:    func(string) ([]byte, error) { return theHelper() },
	}
	p.fake("systemctl", "exit 0")
	p.fake("sudo", `shift 2; exec "$@"`)
	for _, f := range change {
		f(&p.cfg)
	}
	p.Node = p.connect()
	return p
}

func (p *place) connect() *node.Node {
	p.t.Helper()
	n, err := node.New(p.cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { n.Close() })
	return n
}

// fake puts a script before the real program of that name.
func (p *place) fake(name, script string) {
	p.t.Helper()
	write(p.t, filepath.Join(p.bin, name), "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(filepath.Join(p.bin, name), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

// data fills the data directory with home and then with changes; "" deletes.
func (p *place) data(changes map[string]string) {
	p.t.Helper()
	for name, text := range home {
		write(p.t, filepath.Join(p.cfg.Data, name), text)
	}
	for name, text := range changes {
		write(p.t, filepath.Join(p.cfg.Data, name), text)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if text == "" {
		_ = os.Remove(path)
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree returns the regular files below dir.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// warm makes the connection and puts the helper in place.
func (p *place) warm() {
	p.t.Helper()
	if _, err := p.Observe(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// commands returns what the host was asked for during f.
func (p *place) commands(f func()) []string {
	before := len(p.host.Commands())
	f()
	return p.host.Commands()[before:]
}

// A depot keeps blobs in memory.
type depot struct {
	mu     sync.Mutex
	blobs  map[string][]byte
	onHas  func(hash string)
	onPut  func(hash string)
	onOpen func(hash string)
}

func newDepot() *depot { return &depot{blobs: map[string][]byte{}} }

func (d *depot) Has(hash string) bool {
	if d.onHas != nil {
		d.onHas(hash)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.blobs[hash]
	return ok
}

func (d *depot) Put(hash string, r io.Reader) error {
	if d.onPut != nil {
		d.onPut(hash)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	if hex.EncodeToString(sum[:]) != hash {
		return errors.New("hash differs")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blobs[hash] = raw
	return nil
}

func (d *depot) Open(hash string) (io.ReadCloser, error) {
	if d.onOpen != nil {
		d.onOpen(hash)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	raw, ok := d.blobs[hash]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(raw)), nil
}

var _ engine.Depot = (*depot)(nil)

// wantError checks that err says every part, and nothing secret.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	for _, secret := range []string{"hunter2", "0f0e0d", "15, 14, 13"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q tells a secret", err)
		}
	}
}
