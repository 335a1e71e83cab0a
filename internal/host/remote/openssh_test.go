package remote_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"z2mha/internal/host/remote"
)

// openSSH starts the real server on this machine for our own user.
func openSSH(t *testing.T) remote.Config {
	t.Helper()
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		sshd = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(sshd); err != nil {
		t.Skip("openssh-server is not installed; make test-deps installs it")
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, line, err := remote.LoadOrCreateKey(filepath.Join(dir, "ours"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := remote.LoadOrCreateKey(filepath.Join(dir, "host")); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	config := fmt.Sprintf(`ListenAddress 127.0.0.1
Port %s
HostKey %s/host
AuthorizedKeysFile %[2]s/authorized_keys
PidFile none
UsePAM no
SetEnv SHLVL=1
StrictModes no
Subsystem sftp internal-sftp
`, port, dir)
	for name, text := range map[string]string{"authorized_keys": line + "\n", "sshd_config": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	startServer(t, address, sshd, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	return remote.Config{Address: address, User: me.Username, Signer: key, KnownHosts: filepath.Join(dir, "known_hosts")}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startServer runs a program until the test ends and waits until it listens.
func startServer(t *testing.T, address string, argv ...string) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", argv[0], said.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestOpenSSH(t *testing.T) {
	c := connect(t, openSSH(t))
	t.Run("runs commands", func(t *testing.T) {
		out, err := c.Run(t.Context(), remote.Command{Shell: "cat; exit 7", Stdin: strings.NewReader("in")})
		if err != nil || string(out.Stdout) != "in" || out.Exit != 7 {
			t.Errorf("got %+v, %v", out, err)
		}
	})
	t.Run("serves files", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		if err := c.Upload(t.Context(), path, []byte("content"), 0o640); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != "content" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("ends the input of a command that is given up", func(t *testing.T) {
		told := filepath.Join(t.TempDir(), "told")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := c.Run(ctx, remote.Command{
			Shell: "trap '' PIPE HUP TERM; echo up; cat; touch " + told,
			Hold:  true, OnLine: func([]byte) { cancel() },
		})
		if !errors.Is(err, remote.ErrOutcomeUnknown) {
			t.Errorf("got %v", err)
		}
		appears(t, told)
	})
	t.Run("answers keep-alive", func(t *testing.T) {
		cfg := openSSH(t)
		cfg.KeepAlive = 5 * time.Millisecond
		c := connect(t, cfg)
		if _, err := c.Check(t.Context(), shell("sleep 0.2")); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenSSHWithSeveralHostKeysShowsThePinnedOne(t *testing.T) {
	cfg := openSSH(t)
	conf := filepath.Join(filepath.Dir(cfg.KnownHosts), "sshd_config")
	if _, err := connect(t, cfg).Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	// The same host on another port, with one more key that it likes better.
	extra := filepath.Join(filepath.Dir(conf), "extra")
	writeRSAKey(t, extra)
	second := freeAddress(t)
	_, oldPort, _ := net.SplitHostPort(cfg.Address)
	_, newPort, _ := net.SplitHostPort(second)
	more := strings.Replace(string(text), "Port "+oldPort, "Port "+newPort+"\nHostKey "+extra, 1)
	if err := os.WriteFile(conf+"2", []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	startServer(t, second, "/usr/sbin/sshd", "-D", "-e", "-f", conf+"2")
	pins, err := os.ReadFile(cfg.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.ReplaceAll(string(pins), ":"+oldPort, ":"+newPort)
	if err := os.WriteFile(cfg.KnownHosts, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Address = second
	if _, err := connect(t, cfg).Connect(t.Context()); err != nil {
		t.Error(err)
	}
}

func writeRSAKey(t *testing.T, path string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
}
