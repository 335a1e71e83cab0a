package sshhost_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"z2mha/internal/world/sshhost"
)

var userKey = sshhost.NewKey()

func start(t *testing.T, o sshhost.Options) *sshhost.Host {
	t.Helper()
	if o.Home == "" {
		o.Home = t.TempDir()
	}
	o.Authorized = append(o.Authorized, userKey.PublicKey())
	h, err := sshhost.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func dial(t *testing.T, h *sshhost.Host) *ssh.Client {
	t.Helper()
	c, err := tryDial(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func tryDial(h *sshhost.Host) (*ssh.Client, error) {
	return ssh.Dial("tcp", h.Addr(), &ssh.ClientConfig{
		User: "pi", Auth: []ssh.AuthMethod{ssh.PublicKeys(userKey)},
		HostKeyCallback: ssh.FixedHostKey(h.HostKey()),
	})
}

func session(t *testing.T, h *sshhost.Host) *ssh.Session {
	t.Helper()
	s, err := dial(t, h).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// eventually polls until ok says so; it fails the test after ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestExec(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\necho fake $1\n"
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	h := start(t, sshhost.Options{Path: []string{bin}, Env: []string{"COLOUR=blue"}})
	for _, tt := range []struct{ name, line, stdin, want string }{
		{"finds fakes before the real thing", "systemctl show", "", "fake show\n"},
		{"has the host's environment", "echo $COLOUR", "", "blue\n"},
		{"passes standard input", "tr a-z A-Z", "secret", "SECRET"},
		{"starts at home", "cd && [ $PWD = $HOME ] && echo yes", "", "yes\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := session(t, h)
			s.Stdin = strings.NewReader(tt.stdin)
			got, err := s.Output(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := h.Commands()[0]; got != "systemctl show" {
		t.Errorf("recorded %q", got)
	}
}

func TestExitCodeAndSignal(t *testing.T) {
	h := start(t, sshhost.Options{})
	var exit *ssh.ExitError
	if err := session(t, h).Run("exit 7"); !errors.As(err, &exit) || exit.ExitStatus() != 7 {
		t.Errorf("exit 7 gave %v", err)
	}
	s := session(t, h)
	out, _ := s.StdoutPipe()
	if err := s.Start("echo ready; sleep 1000 & wait"); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if err := s.Signal(ssh.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); !errors.As(err, &exit) || exit.Signal() != "TERM" {
		t.Errorf("signal gave %v", err)
	}
}

func TestSFTPServesRealFiles(t *testing.T) {
	h := start(t, sshhost.Options{})
	c, err := sftp.NewClient(dial(t, h))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	path := filepath.Join(t.TempDir(), "a")
	f, err := c.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if got, _ := os.ReadFile(path); string(got) != "hello" {
		t.Errorf("file holds %q", got)
	}
}

func TestNoSFTP(t *testing.T) {
	h := start(t, sshhost.Options{NoSFTP: true})
	if _, err := sftp.NewClient(dial(t, h)); err == nil {
		t.Error("a host without sftp-server opened a session")
	}
}

func TestDroppedConnectionLeavesTheCommandAlive(t *testing.T) {
	h := start(t, sshhost.Options{})
	mark := filepath.Join(t.TempDir(), "done")
	h.DropDuring("echo half", "half")
	line := "echo half; trap '' PIPE; cat >/dev/null; echo rest; touch " + mark
	s := session(t, h)
	s.Stdin, _ = io.Pipe()
	if err := s.Run(line); err == nil {
		t.Fatal("the connection held")
	}
	eventually(t, "command went on", func() bool { _, err := os.Stat(mark); return err == nil })
	if err := session(t, h).Run("true"); err != nil {
		t.Errorf("second connection: %v", err)
	}
}

func TestFrozenHostGoesOnWhenItThaws(t *testing.T) {
	h := start(t, sshhost.Options{})
	c := dial(t, h)
	h.Freeze()
	answered := make(chan error, 1)
	go func() {
		s, err := c.NewSession()
		if err == nil {
			err = s.Run("true")
		}
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a frozen host answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	h.Thaw()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	h := start(t, sshhost.Options{User: "pi"})
	h.RefuseLogins(true)
	if _, err := tryDial(h); err == nil {
		t.Error("a refused login succeeded")
	}
	h.RefuseLogins(false)
	before := h.HostKey()
	if after := h.ChangeHostKey(); string(after.Marshal()) == string(before.Marshal()) {
		t.Error("the host key did not change")
	}
	dial(t, h)
}

func TestCloseEndsEverything(t *testing.T) {
	h := start(t, sshhost.Options{})
	s := session(t, h)
	out, _ := s.StdoutPipe()
	if err := s.Start("echo ready; sleep 1000"); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	h.Freeze()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", h.Addr()); err == nil {
		t.Error("still listening")
	}
	if err := h.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// Many commands end before the request that started them is answered.
func TestQuickCommandIsAnsweredFirst(t *testing.T) {
	client := dial(t, start(t, sshhost.Options{}))
	failed := make(chan error)
	for range 8 {
		go func() {
			var err error
			for i := 0; i < 60 && err == nil; i++ {
				err = quick(client)
			}
			failed <- err
		}()
	}
	for range 8 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

func quick(client *ssh.Client) error {
	s, err := client.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Run("true")
}
