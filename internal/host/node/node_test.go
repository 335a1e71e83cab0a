package node_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/node"
	"z2mha/internal/host/remote"
	"z2mha/internal/world/sshhost"
)

// program starts something that runs on a data directory, and ends it with the test.
func program(t *testing.T, data string) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.Env = []string{"ZIGBEE2MQTT_DATA=" + data}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

func TestObserve(t *testing.T) {
	p := newPlace(t)
	p.data(nil)
	p.fake("systemctl", "echo LoadState=loaded; echo ActiveState=active; echo SubState=running; echo UnitFileState=disabled")
	program(t, p.cfg.Data)
	o, err := p.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if o.Node != "attic" || o.Service != network.ServiceRunning || o.Enabled != "no" || !o.DataExists || o.FreeBytes == 0 || o.HostID == "" || o.TTYPresent {
		t.Errorf("got %+v", o)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(p.cfg.Data, &st); err != nil || o.DataID != fmt.Sprintf("%d:%d", st.Dev, st.Ino) {
		t.Errorf("data is %s, want %d:%d; %v", o.DataID, st.Dev, st.Ino, err)
	}
	if len(o.DataHolders) != 1 || !strings.HasPrefix(o.DataHolders[0].Command, "sleep") {
		t.Errorf("data holders %v", o.DataHolders)
	}
}

// Two nodes with one network coordinator are known by its address, however written.
func TestObserveOfANetworkCoordinator(t *testing.T) {
	p := newPlace(t, func(c *node.Config) { c.Dongle = "socket://LocalHost:6638" })
	o, err := p.Observe(t.Context())
	if err != nil || o.TTYDevice != "tcp://localhost:6638" || !o.TTYPresent {
		t.Errorf("got %+v, %v", o, err)
	}
}

// An empty list of holders of a host that cannot be seen whole proves nothing.
func TestObserveOfWhatCannotBeSeen(t *testing.T) {
	p := newPlace(t, func(c *node.Config) {
		c.Helper = func(string) ([]byte, error) {
			return []byte(`#!/bin/sh
echo '{"event":"result","result":{"api":1,"blind":true,"blind_reason":"this is a container","blind_remedy":"let SSH lead to the host"}}'
`), nil
		}
	})
	_, err := p.Observe(t.Context())
	wantError(t, err, "attic", "this is a container", "let SSH lead to the host")
}

func TestHelperIsPutOnceAndReused(t *testing.T) {
	p := newPlace(t)
	p.warm()
	files := tree(t, p.cfg.HelperDir)
	if len(files) != 1 {
		t.Errorf("%d files in helper_dir", len(files))
	}
	again := p.commands(func() { p.warm() })
	if len(again) != 2 { // service and probe
		t.Errorf("a warm connection ran %q", again)
	}
	if n := p.host.Connections(); n != 1 {
		t.Errorf("%d connections for two looks", n)
	}
	p.Node = p.connect()
	for _, line := range p.commands(func() { p.warm() }) {
		if strings.Contains(line, "sftp") || strings.Contains(line, "mv ") {
			t.Errorf("a new connection ran %q", line)
		}
	}
}

func TestHelperIsReplacedWhenItIsNotOurs(t *testing.T) {
	for _, become := range []remote.Become{remote.BecomeNone, remote.BecomeSudo} {
		t.Run(string(become), func(t *testing.T) {
			p := newPlace(t, func(c *node.Config) { c.SSH.Become = become })
			p.warm()
			for name := range tree(t, p.cfg.HelperDir) {
				write(t, filepath.Join(p.cfg.HelperDir, name), "#!/bin/sh\necho evil\n")
			}
			p.host.DropConnections()
			p.warm()
			for name, content := range tree(t, p.cfg.HelperDir) {
				if strings.Contains(content, "evil") {
					t.Errorf("%s is still the foreign one", name)
				}
			}
		})
	}
}

func TestHelperProblemsAreNamed(t *testing.T) {
	sudo := func(c *node.Config) { c.SSH.Become = remote.BecomeSudo }
	for _, tt := range []struct {
		name   string
		change func(*node.Config)
		fake   [2]string
		want   []string
	}{
		{"an unknown machine", func(c *node.Config) { c.Helper = nil }, [2]string{"uname", "echo riscv64"}, []string{"riscv64", "known are"}},
		{"a disk that becomes full", sudo, [2]string{"install", "echo 'install: error writing: No space left on device' >&2; exit 1"}, []string{"disk is full", "helper_dir"}},
		{"a read-only file system", sudo, [2]string{"install", "echo 'install: Read-only file system' >&2; exit 1"}, []string{"read-only", "helper_dir"}},
		{"a directory of somebody else", nil, [2]string{"mkdir", "echo 'mkdir: Permission denied' >&2; exit 1"}, []string{"pi may not write there", "become"}},
		{"no sha256sum", nil, [2]string{"sha256sum", "exit 127"}, []string{"no sha256sum", "coreutils"}},
		{"sudo that wants a password", sudo, [2]string{"sudo", "echo 'sudo: a password is required' >&2; exit 1"}, []string{"NOPASSWD"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var changes []func(*node.Config)
			if tt.change != nil {
				changes = append(changes, tt.change)
			}
			p := newPlace(t, changes...)
			p.fake(tt.fake[0], tt.fake[1])
			_, err := p.Observe(t.Context())
			wantError(t, err, append(tt.want, "attic")...)
		})
	}
}

func TestHelperThatCannotStart(t *testing.T) {
	p := newPlace(t, func(c *node.Config) {
		c.Helper = func(string) ([]byte, error) { return []byte("\x7fELF for another machine"), nil }
	})
	_, err := p.Observe(t.Context())
	wantError(t, err, "start ", "noexec")
}

func TestHostWithoutSFTPServer(t *testing.T) {
	p := newPlaceOn(t, sshhost.Options{NoSFTP: true})
	p.data(nil)
	if _, err := p.Capture(t.Context(), newDepot()); err != nil {
		t.Error(err)
	}
}

func TestService(t *testing.T) {
	p := newPlace(t)
	log := filepath.Join(p.dir, "calls")
	p.fake("systemctl", `echo "$*" >>`+log+`
case $1 in show) echo LoadState=loaded; echo ActiveState=inactive;; esac`)
	if err := errors.Join(p.StopService(t.Context()), p.StartService(t.Context())); err != nil {
		t.Fatal(err)
	}
	calls, _ := os.ReadFile(log)
	want := "stop zigbee2mqtt\nshow -p Id,LoadState,ActiveState,SubState,MainPID,UnitFileState,Restart,Environment,WantedBy,RequiredBy,BoundBy,UpheldBy,TriggeredBy zigbee2mqtt\nstart zigbee2mqtt\n"
	if diff := cmp.Diff(want, string(calls)); diff != "" {
		t.Error(diff)
	}
}

// The mask that keeps people from starting it by mistake is taken off.
func TestStartTakesTheMaskOff(t *testing.T) {
	p := newPlace(t)
	log, masked := filepath.Join(p.dir, "calls"), filepath.Join(p.dir, "masked")
	write(t, masked, "yes")
	p.fake("systemctl", `echo "$1" >>`+log+`
case $1 in
show) if [ -e `+masked+` ]; then echo LoadState=masked; echo UnitFileState=masked; else echo LoadState=loaded; fi; echo ActiveState=inactive;;
unmask) rm `+masked+`;;
start) [ ! -e `+masked+` ];;
esac`)
	if err := p.StartService(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls, _ := os.ReadFile(log)
	if diff := cmp.Diff("show\nunmask\nshow\nstart\n", string(calls)); diff != "" {
		t.Error(diff)
	}
}

// Whatever language systemctl speaks, and whoever else gets the blame for it.
func TestStartOfAUnitThatStaysMasked(t *testing.T) {
	p := newPlace(t)
	log := filepath.Join(p.dir, "calls")
	p.fake("systemctl", `echo "$*" >>`+log+`
case $1 in show) echo LoadState=masked; echo ActiveState=inactive; echo UnitFileState=masked;; start) echo "ist maskiert" >&2; exit 1;; esac`)
	err := p.StartService(t.Context())
	var refused *network.RefusedError
	if !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	wantError(t, err, "attic", "zigbee2mqtt is masked", `"systemctl unmask zigbee2mqtt"`)
	if calls, _ := os.ReadFile(log); strings.Contains(string(calls), "start ") {
		t.Errorf("asked all the same: %s", calls)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*node.Config){
		"a relative data directory": func(c *node.Config) { c.Data = "data" },
		"no dongle":                 func(c *node.Config) { c.Dongle = "" },
		"an unknown service":        func(c *node.Config) { c.Service.Kind = "runit" },
		"an unknown become":         func(c *node.Config) { c.SSH.Become = "su" },
	} {
		p := newPlace(t)
		spoil(&p.cfg)
		if _, err := node.New(p.cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestHostThatCannotBeTalkedTo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*place)
		want  string
	}{
		{"it is down", func(p *place) { p.host.Close() }, "nothing listens there"},
		{"it does not know our key", func(p *place) { p.host.RefuseLogins(true) }, "authorized_keys"},
		{"it has another host key", func(p *place) { p.host.ChangeHostKey() }, "was pinned"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			p.warm()
			tt.spoil(p)
			p.Node = p.connect()
			_, err := p.Observe(t.Context())
			wantError(t, err, "attic", p.host.Addr(), tt.want)
		})
	}
}

func TestHalfOpenConnection(t *testing.T) {
	p := newPlace(t, func(c *node.Config) {
		c.SSH.KeepAlive, c.SSH.Patience, c.SSH.ConnectTimeout = 50*time.Millisecond, 500*time.Millisecond, 2*time.Second
	})
	p.warm()
	p.host.Freeze()
	_, err := p.Observe(t.Context())
	wantError(t, err, "attic", "no ssh handshake")
	p.host.Thaw()
	p.warm()
}
