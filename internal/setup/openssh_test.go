package setup_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/host/remote"
)

// The lines restrict our key. What we need of a host works all the same with the real
// server: commands, files, and commands whose input stays open.
func TestOpenSSHServesARestrictedKey(t *testing.T) {
	sshd := "/usr/sbin/sshd"
	if _, err := os.Stat(sshd); err != nil {
		missing(t, "openssh-server is not installed")
	}
	if os.Geteuid() == 0 {
		must(t, os.MkdirAll("/run/sshd", 0o755))
	}
	me, err := user.Current()
	must(t, err)
	dir := t.TempDir()
	key, line, err := remote.LoadOrCreateKey(filepath.Join(dir, "ours"))
	must(t, err)
	_, _, err = remote.LoadOrCreateKey(filepath.Join(dir, "host"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "authorized_keys"), []byte("restrict "+line+"\n"), 0o600))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := free.Addr().(*net.TCPAddr)
	free.Close()
	must(t, os.WriteFile(filepath.Join(dir, "sshd_config"), fmt.Appendf(nil, "ListenAddress 127.0.0.1\nPort %d\nHostKey %s/host\n"+
		"AuthorizedKeysFile %[2]s/authorized_keys\nPidFile none\nUsePAM no\nSetEnv SHLVL=1\nStrictModes no\nSubsystem sftp internal-sftp\n", address.Port, dir), 0o600))
	listen(t, address.String(), exec.Command(sshd, "-D", "-e", "-f", filepath.Join(dir, "sshd_config")))

	c, err := remote.New(remote.Config{Address: address.String(), User: me.Username, Signer: key, KnownHosts: filepath.Join(dir, "known_hosts")})
	must(t, err)
	defer c.Close()
	out, err := c.Check(t.Context(), remote.Command{Shell: "cat; echo done", Stdin: strings.NewReader("in ")})
	if err != nil || string(out.Stdout) != "in done\n" {
		t.Errorf("a command: %+v, %v", out, err)
	}
	must(t, c.Upload(t.Context(), filepath.Join(dir, "sent"), []byte("content"), 0o600))
	files, err := c.SFTP(t.Context(), nil)
	must(t, err)
	defer files.Close()
	f, err := files.Open(filepath.Join(dir, "sent"))
	must(t, err)
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || string(got) != "content" {
		t.Errorf("a file: %q, %v", got, err)
	}
}

// listen runs a server until the test ends and waits until it listens.
func listen(t *testing.T, address string, server *exec.Cmd) {
	t.Helper()
	var said strings.Builder
	server.Stderr = &said
	must(t, server.Start())
	ended := make(chan struct{})
	go func() { _ = server.Wait(); close(ended) }()
	t.Cleanup(func() { _ = server.Process.Kill(); <-ended })
	for {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", server.Path, said.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
