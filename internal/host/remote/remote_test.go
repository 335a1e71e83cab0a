package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"z2mha/internal/host/remote"
	"z2mha/internal/world/sshhost"
)

var ourKey = sshhost.NewKey()

func startHost(t *testing.T, o sshhost.Options) *sshhost.Host {
	t.Helper()
	if o.Home == "" {
		o.Home = t.TempDir()
	}
	if o.Authorized == nil {
		o.Authorized = []ssh.PublicKey{ourKey.PublicKey()}
	}
	h, err := sshhost.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func config(t *testing.T, h *sshhost.Host) remote.Config {
	return remote.Config{
		Address: h.Addr(), User: "pi", Signer: ourKey,
		KnownHosts: filepath.Join(t.TempDir(), "known_hosts"),
	}
}

func connect(t *testing.T, cfg remote.Config) *remote.Conn {
	t.Helper()
	c, err := remote.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// fakes makes a directory of executable scripts.
func fakes(t *testing.T, scripts map[string]string) []string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return []string{dir}
}

func shell(line string) remote.Command { return remote.Command{Shell: line} }

func TestRun(t *testing.T) {
	c := connect(t, config(t, startHost(t, sshhost.Options{})))
	for _, tt := range []struct {
		name string
		cmd  remote.Command
		want remote.Output
	}{
		{"keeps words apart", remote.Command{Argv: []string{"printf", "[%s]", "a b", "it's", "$HOME"}},
			remote.Output{Stdout: []byte("[a b][it's][$HOME]")}},
		{"feeds standard input", remote.Command{Argv: []string{"cat"}, Stdin: strings.NewReader("x")},
			remote.Output{Stdout: []byte("x")}},
		{"ends standard input at once when there is none", shell("cat; echo end"),
			remote.Output{Stdout: []byte("end\n")}},
		{"reports the exit status", shell("echo sorry >&2; exit 7"),
			remote.Output{Stderr: []byte("sorry\n"), Exit: 7}},
		{"reports death by signal as a shell does", shell("kill -TERM $$"), remote.Output{Exit: 143}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.Run(t.Context(), tt.cmd)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLinesArriveWhileTheCommandRuns(t *testing.T) {
	c := connect(t, config(t, startHost(t, sshhost.Options{})))
	fifo := filepath.Join(t.TempDir(), "go-on")
	var got []string
	_, err := c.Check(t.Context(), remote.Command{
		Shell: "mkfifo " + fifo + "; echo one; read x <" + fifo + "; echo two",
		OnLine: func(line []byte) {
			got = append(got, string(line))
			if len(got) == 1 {
				_ = os.WriteFile(fifo, []byte("go\n"), 0)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one", "two"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOneConnectionIsReusedAndRedialledWhenDead(t *testing.T) {
	h := startHost(t, sshhost.Options{})
	c := connect(t, config(t, h))
	for range 3 {
		if _, err := c.Check(t.Context(), shell("true")); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.Connections(); n != 1 {
		t.Errorf("%d connections for three commands", n)
	}
	h.DropConnections()
	if _, err := c.Check(t.Context(), shell("true")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Connect(t.Context()); n != 2 || err != nil {
		t.Errorf("connection number %d, %v", n, err)
	}
}

func TestHostKeyIsPinnedOnFirstUse(t *testing.T) {
	h := startHost(t, sshhost.Options{})
	cfg := config(t, h)
	if _, err := connect(t, cfg).Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(cfg.KnownHosts); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("known_hosts: %v, %v", info, err)
	}
	first := ssh.FingerprintSHA256(h.HostKey())
	second := ssh.FingerprintSHA256(h.ChangeHostKey())
	_, err := connect(t, cfg).Connect(t.Context())
	want := &remote.HostKeyChangedError{Host: h.Addr(), File: cfg.KnownHosts, Pinned: []string{first}, Offered: second}
	var got *remote.HostKeyChangedError
	if !errors.As(err, &got) {
		t.Fatalf("a changed host key gave %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{first, second, cfg.KnownHosts} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
}

func TestTwoHostsShareOneFileOfPins(t *testing.T) {
	a, b := startHost(t, sshhost.Options{}), startHost(t, sshhost.Options{})
	cfg := config(t, a)
	for _, h := range []*sshhost.Host{a, b, a, b} {
		cfg.Address = h.Addr()
		if _, err := connect(t, cfg).Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := os.ReadFile(cfg.KnownHosts)
	if n := bytes.Count(text, []byte("\n")); n != 2 {
		t.Errorf("%d lines for two hosts", n)
	}
}

func TestUnknownKeyIsToldWithTheLineToInstall(t *testing.T) {
	h := startHost(t, sshhost.Options{Authorized: []ssh.PublicKey{sshhost.NewKey().PublicKey()}})
	_, err := connect(t, config(t, h)).Connect(t.Context())
	var auth *remote.AuthError
	if !errors.As(err, &auth) {
		t.Fatalf("got %v", err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(auth.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	h.Authorize(key)
	if _, err := connect(t, config(t, h)).Connect(t.Context()); err != nil {
		t.Errorf("after installing the line: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	down := startHost(t, sshhost.Options{})
	down.Close()
	frozen := startHost(t, sshhost.Options{})
	frozen.Freeze()
	for _, tt := range []struct {
		name string
		host *sshhost.Host
		want string
	}{
		{"a port on which nothing listens", down, "nothing listens there"},
		{"a host that accepts and says nothing", frozen, "no ssh handshake within 100ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, tt.host)
			cfg.ConnectTimeout = 100 * time.Millisecond
			_, err := connect(t, cfg).Connect(t.Context())
			var unreachable *remote.UnreachableError
			if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestHalfOpenConnectionIsFound(t *testing.T) {
	h := startHost(t, sshhost.Options{})
	cfg := config(t, h)
	cfg.KeepAlive, cfg.Patience = 10*time.Millisecond, 50*time.Millisecond
	c := connect(t, cfg)
	_, err := c.Run(t.Context(), remote.Command{
		Shell: "echo up; exec sleep 1000", Timeout: time.Minute,
		OnLine: func([]byte) { h.Freeze() },
	})
	var lost *remote.LostError
	if !errors.As(err, &lost) || !errors.Is(err, remote.ErrOutcomeUnknown) {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "no answer to keep-alive within 50ms") {
		t.Errorf("cause not told: %v", err)
	}
	h.Thaw()
	if _, err := c.Check(t.Context(), shell("true")); err != nil {
		t.Errorf("after the thaw: %v", err)
	}
}

func TestConnectionLostInMidCommand(t *testing.T) {
	h := startHost(t, sshhost.Options{})
	h.DropDuring("echo half", "half")
	out, err := connect(t, config(t, h)).Run(t.Context(), shell("echo half; exec sleep 1000"))
	var lost *remote.LostError
	if !errors.As(err, &lost) || !strings.Contains(err.Error(), "what the command did is not known") {
		t.Errorf("got %v", err)
	}
	_ = out
}

func TestDeadlineAndCancelTellTheCommandToStop(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		want    string
	}{
		{"deadline", time.Second, "did not end within 1s"},
		{"cancel", time.Minute, "context canceled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			told := filepath.Join(t.TempDir(), "told")
			c := connect(t, config(t, startHost(t, sshhost.Options{})))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := c.Run(ctx, remote.Command{
				Shell:   "trap '' PIPE; trap 'touch " + told + "; exit' TERM; echo up; while :; do sleep 0.01; done",
				Timeout: tt.timeout,
				OnLine: func([]byte) {
					if tt.name == "cancel" {
						cancel()
					}
				},
			})
			if !errors.Is(err, remote.ErrOutcomeUnknown) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			appears(t, told)
		})
	}
}

// appears waits until there is a file at path.
func appears(t *testing.T, path string) {
	t.Helper()
	_, err := os.Stat(path)
	deadline := time.After(10 * time.Second)
	for ; err != nil; _, err = os.Stat(path) {
		select {
		case <-deadline:
			t.Fatal(err)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func TestHeldStdinEndsWithTheConnection(t *testing.T) {
	h := startHost(t, sshhost.Options{})
	ended := filepath.Join(t.TempDir(), "ended")
	c := connect(t, config(t, h))
	_, err := c.Run(t.Context(), remote.Command{
		Shell: "echo up; cat; touch " + ended,
		Hold:  true, OnLine: func([]byte) { h.DropConnections() },
	})
	if !errors.Is(err, remote.ErrOutcomeUnknown) {
		t.Errorf("got %v", err)
	}
	appears(t, ended)
}

func TestEndlessOutputIsCutOff(t *testing.T) {
	c := connect(t, config(t, startHost(t, sshhost.Options{})))
	_, err := c.Run(t.Context(), shell("exec yes"))
	if err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("got %v", err)
	}
	out, err := c.Run(t.Context(), shell("yes | head -c 200000 >&2"))
	if err != nil || len(out.Stderr) != 64<<10 {
		t.Errorf("%d bytes of standard error, %v", len(out.Stderr), err)
	}
}

func TestBecome(t *testing.T) {
	path := fakes(t, map[string]string{
		"sudo": `[ "$1 $2" = "-n --" ] || exit 9; shift 2; exec "$@"`,
		"doas": `[ "$1 $2" = "-n --" ] || exit 9; shift 2; exec "$@"`,
	})
	for _, become := range []remote.Become{remote.BecomeNone, remote.BecomeSudo, remote.BecomeDoas} {
		t.Run(string(become), func(t *testing.T) {
			cfg := config(t, startHost(t, sshhost.Options{Path: path}))
			cfg.Become = become
			c := connect(t, cfg)
			for _, cmd := range []remote.Command{
				{Argv: []string{"printf", "%s", "it's $HOME"}, Become: true},
				{Shell: `printf %s "it's" ' $HOME'`, Become: true},
			} {
				out, err := c.Check(t.Context(), cmd)
				if err != nil || string(out.Stdout) != "it's $HOME" {
					t.Errorf("%s gave %q, %v", cmd.Line(become), out.Stdout, err)
				}
			}
		})
	}
}

func TestBecomeRefused(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		become       remote.Become
		refused      bool
	}{
		{"a password is wanted", "echo 'sudo: a password is required' >&2; exit 1", remote.BecomeSudo, true},
		{"the user is not in sudoers", "echo 'pi is not in the sudoers file.' >&2; exit 1", remote.BecomeSudo, true},
		{"the command is not allowed", `echo "Sorry, user pi is not allowed to execute 'x' as root on h." >&2; exit 1`, remote.BecomeSudo, true},
		{"a terminal is wanted", "echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1", remote.BecomeSudo, true},
		{"doas wants a password", "echo 'doas: Authorization required' >&2; exit 1", remote.BecomeDoas, true},
		{"no rule in doas.conf", "echo 'doas: Operation not permitted' >&2; exit 1", remote.BecomeDoas, true},
		{"the command itself failed after a warning", "echo 'sudo: unable to resolve host h' >&2; exit 1", remote.BecomeSudo, false},
		{"the command itself failed", "echo 'unit not found' >&2; exit 1", remote.BecomeSudo, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := fakes(t, map[string]string{string(tt.become): tt.script})
			cfg := config(t, startHost(t, sshhost.Options{Path: path}))
			cfg.Become = tt.become
			_, err := connect(t, cfg).Run(t.Context(), remote.Command{Argv: []string{"id"}, Become: true})
			var refused *remote.BecomeError
			if errors.As(err, &refused) != tt.refused {
				t.Fatalf("got %v", err)
			}
			if tt.refused && !strings.Contains(err.Error(), "put the line") {
				t.Errorf("%q names no remedy", err)
			}
		})
	}
}

func TestBecomeMissingOnTheHost(t *testing.T) {
	cfg := config(t, startHost(t, sshhost.Options{Path: fakes(t, map[string]string{"sudo": "exec /no/such/sudo"})}))
	cfg.Become = remote.BecomeDoas
	_, err := connect(t, cfg).Run(t.Context(), remote.Command{Argv: []string{"id"}, Become: true})
	var refused *remote.BecomeError
	if !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}

func TestFiles(t *testing.T) {
	for _, tt := range []struct {
		name   string
		noSFTP bool
	}{{"over sftp", false}, {"through a shell", true}} {
		t.Run("uploads "+tt.name, func(t *testing.T) {
			c := connect(t, config(t, startHost(t, sshhost.Options{NoSFTP: tt.noSFTP})))
			path := filepath.Join(t.TempDir(), "it's new")
			want := bytes.Repeat([]byte("znp"), 100_000)
			if err := c.Upload(t.Context(), path, want, 0o750); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			info, _ := os.Stat(path)
			if err != nil || !bytes.Equal(got, want) || info.Mode().Perm() != 0o750 {
				t.Errorf("%d bytes, %v, %v", len(got), info, err)
			}
			if err := c.Upload(t.Context(), "/no/such/dir/x", want, 0o600); err == nil {
				t.Error("a missing directory was no error")
			}
		})
	}
}

func TestSFTPWithAProgramThatDoesNotServe(t *testing.T) {
	path := fakes(t, map[string]string{"sudo": "echo 'sudo: a password is required' >&2; exit 1"})
	cfg := config(t, startHost(t, sshhost.Options{Path: path}))
	_, err := connect(t, cfg).SFTP(t.Context(), []string{"/no/such/helper", "sftp"})
	if err == nil || !strings.Contains(err.Error(), "/no/such/helper sftp") || !strings.Contains(err.Error(), "not found") {
		t.Errorf("got %v", err)
	}
	cfg.Become = remote.BecomeSudo
	_, err = connect(t, cfg).SFTP(t.Context(), []string{"helper", "sftp"})
	var refused *remote.BecomeError
	if !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}

func TestSFTPEndsWithItsContext(t *testing.T) {
	h := startHost(t, sshhost.Options{})
	c := connect(t, config(t, h))
	ctx, cancel := context.WithCancel(t.Context())
	f, err := c.SFTP(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h.Freeze()
	defer h.Thaw()
	cancel()
	if _, err := f.Stat("/"); err == nil {
		t.Error("a cancelled session answered")
	}
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	c := connect(t, config(t, startHost(t, sshhost.Options{Listener: l})))
	if _, err := c.Check(t.Context(), shell("true")); err != nil {
		t.Error(err)
	}
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"attic":            "attic:22",
		"attic:2222":       "attic:2222",
		"192.0.2.7":        "192.0.2.7:22",
		"2001:db8::1":      "[2001:db8::1]:22",
		"[2001:db8::1]":    "[2001:db8::1]:22",
		"[2001:db8::1]:24": "[2001:db8::1]:24",
		"fe80::1%eth0":     "[fe80::1%eth0]:22",
		"":                 "",
		"pi@attic":         "",
		"ssh://attic":      "",
		"attic:":           "",
	} {
		c, err := remote.New(remote.Config{Address: in, User: "pi", Signer: ourKey, KnownHosts: "x"})
		if want == "" {
			if err == nil {
				t.Errorf("%q was accepted", in)
			}
			continue
		}
		if err != nil || c.Address() != want {
			t.Errorf("%q gave %v, want %s", in, err, want)
		}
	}
}

func TestKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "id_ed25519")
	first, line, err := remote.LoadOrCreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if !strings.HasPrefix(line, "ssh-ed25519 ") || !strings.HasSuffix(line, " z2mha") {
		t.Errorf("public line %q", line)
	}
	second, _, err := remote.LoadOrCreateKey(path)
	if err != nil || !bytes.Equal(first.PublicKey().Marshal(), second.PublicKey().Marshal()) {
		t.Errorf("the second load made another key: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := remote.LoadOrCreateKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key readable by others gave %v", err)
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	var log bytes.Buffer
	h := startHost(t, sshhost.Options{})
	cfg := config(t, h)
	cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, err := connect(t, cfg).Check(t.Context(), remote.Command{
		Shell: "cat >/dev/null; exit 3", Stdin: io.LimitReader(strings.NewReader("hunter2"), 7),
	})
	if strings.Contains(log.String()+err.Error(), "hunter2") {
		t.Errorf("log %s, error %v", log.String(), err)
	}
}
