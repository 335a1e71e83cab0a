package remote_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"z2mha/internal/host/remote"
	"z2mha/internal/world/sshhost"
)

// changed lets a host change its key and returns what is told of that.
func changed(t *testing.T, cfg remote.Config, h *sshhost.Host) remote.HostKeyChangedError {
	t.Helper()
	if _, err := connect(t, cfg).Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.ChangeHostKey()
	var shown *remote.HostKeyChangedError
	if _, err := connect(t, cfg).Connect(t.Context()); !errors.As(err, &shown) {
		t.Fatalf("got %v", err)
	}
	return *shown
}

func TestTrustReplacesThePin(t *testing.T) {
	h, other := startHost(t, sshhost.Options{}), startHost(t, sshhost.Options{})
	cfg := config(t, h)
	second := config(t, other)
	second.KnownHosts = cfg.KnownHosts
	if _, err := connect(t, second).Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	shown := changed(t, cfg, h)
	before, err := os.ReadFile(cfg.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(before), "\n")
	kept := "# mine\n\n" + lines[0]
	named := strings.Replace(lines[1], knownhosts.Normalize(h.Addr()), "barn.example,"+knownhosts.Normalize(h.Addr()), 1)
	if err := os.WriteFile(cfg.KnownHosts, []byte(kept+strings.TrimSuffix(named, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := remote.Trust(t.Context(), cfg, shown); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(cfg.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	want := kept + strings.Replace(named, ","+knownhosts.Normalize(h.Addr()), "", 1) + knownhosts.Line([]string{knownhosts.Normalize(h.Addr())}, h.HostKey()) + "\n"
	if string(after) != want {
		t.Errorf("got\n%s\nwant\n%s", after, want)
	}
	for _, c := range []remote.Config{cfg, second} {
		if _, err := connect(t, c).Connect(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestTrustTakesOnlyWhatWasShown(t *testing.T) {
	h := startHost(t, sshhost.Options{})
	cfg := config(t, h)
	shown := changed(t, cfg, h)
	before, err := os.ReadFile(cfg.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	refuses := func(name string, shown remote.HostKeyChangedError) {
		t.Helper()
		if err := remote.Trust(t.Context(), cfg, shown); !errors.Is(err, remote.ErrNotAsShown) {
			t.Errorf("%s: got %v", name, err)
		}
		if got, _ := os.ReadFile(cfg.KnownHosts); string(got) != string(before) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	otherPin := shown
	otherPin.Pinned = []string{"SHA256:other"}
	refuses("another pin", otherPin)
	now := shown
	now.Offered = ssh.FingerprintSHA256(h.ChangeHostKey())
	refuses("the key changed again", shown)
	if err := remote.Trust(t.Context(), cfg, now); err != nil {
		t.Fatal(err)
	}
	if before, err = os.ReadFile(cfg.KnownHosts); err != nil {
		t.Fatal(err)
	}
	refuses("a second time", now)
}

func TestTrustLeavesAPatternAlone(t *testing.T) {
	h := startHost(t, sshhost.Options{})
	cfg := config(t, h)
	first := h.HostKey()
	shown := changed(t, cfg, h)
	line := knownhosts.Line([]string{knownhosts.HashHostname(knownhosts.Normalize(h.Addr()))}, first) + "\n"
	if err := os.WriteFile(cfg.KnownHosts, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := remote.Trust(t.Context(), cfg, shown); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("got %v", err)
	}
	if got, _ := os.ReadFile(cfg.KnownHosts); string(got) != line {
		t.Errorf("got %s", got)
	}
}

func TestTrustOfAHostThatIsAway(t *testing.T) {
	h := startHost(t, sshhost.Options{})
	cfg := config(t, h)
	shown := changed(t, cfg, h)
	h.Close()
	if err := remote.Trust(t.Context(), cfg, shown); !errors.As(err, new(*remote.UnreachableError)) {
		t.Errorf("got %v", err)
	}
}
