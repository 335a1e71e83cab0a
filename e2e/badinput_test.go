package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/host/remote"
	"z2mha/internal/world/home"
	"z2mha/internal/world/sshhost"
)

// TestBadInput asks for a switchover in homes where it cannot go well. Each must be
// turned down in words that help, with the lamp still answering through the attic
// and nothing changed on either host or stick.
func TestBadInput(t *testing.T) {
	for _, tc := range []struct {
		name    string
		build   func(*home.Options)
		arrange func(*bench)
		exit    int
		says    []string
	}{
		{
			name: "wrong SSH key", exit: exitRefused, says: []string{"cellar", "ssh-ed25519 "},
			arrange: func(b *bench) {
				other := filepath.Join(b.TempDir(), "other_key")
				if _, _, err := remote.LoadOrCreateKey(other); err != nil {
					b.Fatal(err)
				}
				b.reconfigureNode("cellar", "key_file", other)
			},
		},
		{
			name: "changed host key", exit: exitRefused, says: []string{"cellar", "SHA256:", "known_hosts"},
			arrange: func(b *bench) {
				b.z2mha("list") // pins both keys
				b.home.Cellar.Host.(*sshhost.Host).ChangeHostKey()
			},
		},
		{
			name: "node down", exit: exitRefused, says: []string{"cellar", "reach"},
			arrange: func(b *bench) { b.home.Cellar.Host.Close() },
		},
		{
			name: "sudo refused", exit: exitRefused, says: []string{"cellar", "sudo"},
			arrange: func(b *bench) {
				b.install(b.home.Cellar, "sudo", "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
				b.reconfigureNode("cellar", "become", "sudo")
			},
		},
		{
			name: "wrong tty", exit: exitRefused, says: []string{"cellar", "ttyUSB7"},
			arrange: func(b *bench) {
				b.reconfigureNode("cellar", "dongle", filepath.Join(b.home.Cellar.Dir, "ttyUSB7"))
			},
		},
		{
			name: "tty held by another program", exit: exitRefused, says: []string{"cellar", "sleep"},
			arrange: func(b *bench) { b.hold(b.home.Cellar.TTY) },
		},
		{
			name: "not a ZNP but EZSP", exit: exitRefused, says: []string{"cellar", "EmberZNet"},
			arrange: func(b *bench) {
				b.reconfigureNode("cellar", "dongle", b.serveBytes([]byte{0x1A, 0xC1, 0x02, 0x0B, 0x0A, 0x52, 0x7E}))
			},
		},
		{
			name: "a stick that says nothing", exit: exitRefused, says: []string{"cellar", "no Z-Stack stick answered"},
			arrange: func(b *bench) { b.reconfigureNode("cellar", "dongle", b.serveBytes(nil)) },
		},
		{
			name: "stick of another firmware", exit: exitRefused, says: []string{"revision", "--let-zigbee2mqtt-restore"},
			build: func(o *home.Options) {
				o.Stick = func(node string, d *znpsim.DongleOptions) {
					if node == "cellar" {
						d.Revision = 20210120
					}
				}
			},
		},
		{
			name: "empty database.db", exit: exitFailed, says: []string{"database.db"},
			arrange: func(b *bench) { b.write(b.home.Attic, "database.db", "") },
		},
		{
			name: "GENERATE in the configuration", exit: exitFailed, says: []string{"GENERATE", "network_key"},
			arrange: func(b *bench) {
				b.edit(b.home.Attic, "configuration.yaml", func(s string) string { return replaceLine(s, "network_key:", "  network_key: GENERATE") })
			},
		},
		{
			name: "same coordinator twice", exit: exitUsage, says: []string{"dongle", "same coordinator"},
			arrange: func(b *bench) {
				b.reconfigureNode("cellar", "host", b.home.Attic.Host.Addr())
				b.reconfigureNode("cellar", "dongle", b.home.Attic.TTY)
			},
		},
		{
			name: "same host and directory twice", exit: exitUsage, says: []string{"data", "same host"},
			arrange: func(b *bench) {
				b.reconfigureNode("cellar", "host", b.home.Attic.Host.Addr())
				b.reconfigureNode("cellar", "data", b.home.Attic.Data)
			},
		},
		{
			name: "broker refuses the login", exit: exitFailed, says: []string{"broker"},
			build: func(o *home.Options) { o.Login = home.Login{User: "z2mha", Password: "correct horse"} },
			arrange: func(b *bench) {
				b.reconfigure(func(s string) string { return strings.ReplaceAll(s, "correct horse", "wrong horse") })
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := simulated(t, tc.build).start()
			if tc.arrange != nil {
				tc.arrange(b)
			}
			b.changesNothing(func() { b.ends(b.z2mha("switchover", "--to", "cellar"), tc.exit, tc.says...) })
			b.lampAnswersThrough(b.home.Attic)
			b.mediumIsClean()
		})
	}
}

// TestBothNodesRun: what cannot be decided without a person is not decided.
func TestBothNodesRun(t *testing.T) {
	b := simulated(t).start()
	b.ends(b.z2mha("switchover", "--to", "cellar"), exitOK)
	if err := b.home.Attic.Service(t.Context(), "start"); err != nil {
		t.Fatal(err)
	}
	b.eventually("both sticks are on air", func() bool { return b.home.OnAir() == "attic and cellar" })
	pids := [2]int{b.home.Attic.PID(), b.home.Cellar.PID()}
	b.ends(b.z2mha("switchover", "--to", "attic"), exitRefused, "attic", "cellar")
	if got := [2]int{b.home.Attic.PID(), b.home.Cellar.PID()}; got != pids {
		t.Errorf("processes %v, want %v untouched", got, pids)
	}
}

// hold lets another program open a device for the rest of the test.
func (b *bench) hold(tty string) {
	b.Helper()
	f, err := os.OpenFile(tty, os.O_RDWR|0x100, 0) // O_NOCTTY
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("sleep", "600")
	cmd.Stdin = f
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
}

// serveBytes is a network coordinator that sends hello to whoever connects, and
// then nothing.
func (b *bench) serveBytes(hello []byte) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerAll(c, hello)
		}
	}()
	return "tcp://" + l.Addr().String()
}

// answerAll sends hello for every piece that comes, until the other side leaves.
func answerAll(c net.Conn, hello []byte) {
	defer c.Close()
	buf := make([]byte, 256)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write(hello); err != nil {
			return
		}
	}
}
