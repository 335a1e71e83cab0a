package e2e_test

import (
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"z2mha/internal/host/remote"
	"z2mha/internal/world/home"
)

// mosquitto starts a real broker on loopback and returns its address.
func mosquitto(t *testing.T) string {
	t.Helper()
	bin, dir := program(t, "mosquitto"), t.TempDir()
	address, port := freeAddress(t, "127.0.0.1")
	conf := writeFile(t, filepath.Join(dir, "mosquitto.conf"),
		"listener %s 127.0.0.1\nallow_anonymous true\npersistence false\nuser %s\n", port, me(t))
	serve(t, dir, bin, "-c", conf).listens(t, address)
	return address
}

func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// sshd starts a real OpenSSH server for the current user, with a host key of its
// own, that admits one key. Its sessions start in the user's own $HOME; hosts
// differ by address and directories only.
func sshd(t *testing.T) func(home.HostSpec) (home.Host, error) {
	t.Helper()
	return sshdUnder(t, func(home.HostSpec) []string { return nil })
}

// sshdUnder is sshd with each server started by another program, whose command line
// wrap returns.
func sshdUnder(t *testing.T, wrap func(home.HostSpec) []string) func(home.HostSpec) (home.Host, error) {
	t.Helper()
	bin, sftp := program(t, "sshd"), sftpServer()
	privilegeSeparation(t)
	return func(s home.HostSpec) (home.Host, error) {
		etc := t.TempDir()
		hostKey := filepath.Join(etc, "host_key")
		if _, _, err := remote.LoadOrCreateKey(hostKey); err != nil {
			return nil, err
		}
		address, port := freeAddress(t, s.IP)
		admitted := writeFile(t, filepath.Join(etc, "authorized_keys"), "%s", ssh.MarshalAuthorizedKey(s.Admit))
		conf := writeFile(t, filepath.Join(etc, "sshd_config"), sshdConfig, s.IP, port, hostKey, admitted, filepath.Join(s.Dir, pasted), filepath.Join(s.Dir, ".znp-helper"), sftp)
		command := append(wrap(s), bin, "-D", "-e", "-f", conf)
		proc := serve(t, etc, command[0], command[1:]...)
		proc.listens(t, address)
		return realHost{t, address, proc}, nil
	}
}

// pasted is the file, in a host's directory, of keys that are admitted later.
const pasted = "authorized_keys"

// With SHLVL bash reads no start-up file of whoever runs the tests: one may take a lock, and
// a host that is frozen while it has that would hold up all others.
const sshdConfig = `ListenAddress %s
Port %s
HostKey %s
AuthorizedKeysFile %s %s
SetEnv Z2MHA_STATE=%s SHLVL=1
Subsystem sftp %s
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
`

func sftpServer() string {
	for _, path := range []string{"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return "internal-sftp"
}

// privilegeSeparation makes the directory that sshd demands when root starts it.
func privilegeSeparation(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
}

// A realHost is an sshd; closing it is cutting the host off.
type realHost struct {
	t       *testing.T
	address string
	proc    *server
}

func (h realHost) Addr() string { return h.address }

func (h realHost) Close() error {
	h.proc.stop(h.t)
	return nil
}
