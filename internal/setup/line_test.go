package setup_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"z2mha/internal/setup"
	"z2mha/internal/world/sshhost"
)

// hostileKey has a comment that would break out of every kind of quotes.
func hostileKey() (line, blob string) {
	bare := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sshhost.NewKey().PublicKey())))
	return bare + " me'; touch /pwned; echo \"$(touch /pwned)`touch /pwned`\\", bare
}

func TestTheLinesAreRightForEveryShell(t *testing.T) {
	key, _ := hostileKey()
	for _, l := range setup.Lines(key) {
		for _, line := range []string{l.Line, l.Undo} {
			if strings.ContainsAny(line, "\n\r!") {
				t.Errorf("%s: not one plain line: %s", l.Name, line)
			}
			for _, shell := range [][]string{{"sh"}, {"bash"}, {"busybox", "sh"}} {
				if _, err := exec.LookPath(shell[0]); err != nil {
					continue
				}
				if out, err := exec.Command(shell[0], append(shell[1:], "-n", "-c", line)...).CombinedOutput(); err != nil {
					t.Errorf("%s: %v: %s", l.Name, err, out)
				}
				body := line[strings.Index(line, "'")+1 : len(line)-1]
				if strings.Contains(body, "'") {
					t.Errorf("%s: ends its own quotes: %s", l.Name, body)
				}
				if out, err := exec.Command(shell[0], append(shell[1:], "-n", "-c", body)...).CombinedOutput(); err != nil {
					t.Errorf("%s: %v: %s", l.Name, err, out)
				}
			}
		}
	}
}

func TestThePageShowsHowToTakeALineBack(t *testing.T) {
	key, _ := hostileKey()
	lines := setup.Lines(key)
	hosts := setup.Hosts(key)
	if len(hosts) != len(lines) {
		t.Fatalf("%d hosts, %d lines", len(hosts), len(lines))
	}
	for i, h := range hosts {
		if h.Line != lines[i].Line || h.Undo != lines[i].Undo || !strings.Contains(h.Mind, "as root") {
			t.Errorf("%s: line, way back or warning is not that of %s", h.Kind, lines[i].Name)
		}
		for _, d := range h.Does {
			if strings.Contains(d, h.Undo) || strings.HasPrefix(d, "Mind") {
				t.Errorf("%s: not what the line does: %s", h.Kind, d)
			}
		}
	}
}

// A cage is a root directory with busybox in it and stand-ins for what it lacks.
type cage struct {
	t   *testing.T
	dir string
}

func newCage(t *testing.T, standIns map[string]string) cage {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may change its root directory")
	}
	box, err := exec.LookPath("busybox")
	if err != nil {
		missing(t, "busybox is not installed (Debian: busybox-static or busybox)")
	}
	c := cage{t, t.TempDir()}
	for _, dir := range []string{"bin", "sbin", "etc/sudoers.d", "etc/init.d", "home", "dev", "tmp", "var/lib/z2mha"} {
		must(t, os.MkdirAll(filepath.Join(c.dir, dir), 0o755))
	}
	program, err := os.ReadFile(box)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(c.dir, "bin/busybox"), program, 0o755))
	for name := range strings.FieldsSeq("sh id echo mkdir chmod chown mv grep sed rm cat touch cut") {
		must(t, os.Symlink("busybox", filepath.Join(c.dir, "bin", name)))
	}
	c.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
	c.write("etc/group", "root:x:0:\n")
	must(t, syscall.Mknod(filepath.Join(c.dir, "dev/null"), syscall.S_IFCHR|0o666, 1<<8|3))
	for name, script := range standIns {
		c.write("sbin/"+name, "#!/bin/sh\n"+script+"\n")
		must(t, os.Chmod(filepath.Join(c.dir, "sbin", name), 0o755))
	}
	if _, err := c.run("sh", "-c", "true"); err != nil {
		t.Skipf("busybox does not run in a root directory of its own: %v", err)
	}
	return c
}

func (c cage) write(name, text string) {
	c.t.Helper()
	must(c.t, os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o644))
}

func (c cage) read(name string) string {
	data, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func (c cage) run(argv ...string) (string, error) {
	cmd := exec.Command("/bin/"+argv[0], argv[1:]...)
	cmd.Err = nil // looked up outside
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.dir}
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/bin:/sbin"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// state is every file with its mode, owner and content, but for the log of calls.
func (c cage) state() string {
	var b strings.Builder
	must(c.t, filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == "calls" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&b, "%s %v %d:%d", strings.TrimPrefix(path, c.dir), info.Mode(), st.Uid, st.Gid)
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(data))
		}
		b.WriteString("\n")
		return nil
	}))
	return b.String()
}

const newUser = `echo "z2mha:x:990:990::/home/z2mha:/bin/sh" >>/etc/passwd; echo "z2mha:x:990:" >>/etc/group; mkdir -p /home/z2mha; chown 990:990 /home/z2mha; `

const called = `echo "${0##*/} $*" >>/calls; `

// standIns are the programs that busybox has not, with the behaviour that matters: they
// fail when they would.
var standIns = map[string]map[string]string{
	"Debian": {
		"useradd": called + `grep -q ^z2mha: /etc/passwd && exit 9; ` + newUser, "usermod": called, "userdel": called + `sed -i /^z2mha:/d /etc/passwd /etc/group; rm -r /home/z2mha`,
		"visudo":    called + `[ "$1" = -cqf ] && grep -qxF "z2mha ALL=(root) NOPASSWD: ALL" "$2"`,
		"systemctl": called + `[ "$2" = zigbee2mqtt ] || [ "$3" = zigbee2mqtt ]`,
	},
	"Alpine": {
		"adduser": called + `grep -q ^z2mha: /etc/passwd && exit 9; ` + newUser, "deluser": called + `sed -i /^z2mha:/d /etc/passwd /etc/group; rm -r /home/z2mha`,
		"chpasswd": called + `read line; [ "$line" = "z2mha:*" ]`, "doas": called + `[ "$1" = -C ] && grep -qxF "permit nopass z2mha as root" "$2"`,
		"rc-update": called + `[ -e /removed ] && exit 1; touch /removed`, "rc-service": called,
	},
	"Docker": {
		"useradd": called + `grep -q ^z2mha: /etc/passwd && exit 9; ` + newUser, "usermod": called, "userdel": called + `sed -i /^z2mha:/d /etc/passwd /etc/group; rm -r /home/z2mha`,
		"visudo": called + `[ "$1" = -cqf ] && grep -qxF "z2mha ALL=(root) NOPASSWD: ALL" "$2"`,
		"docker": called + `[ "$1" != ps ] || { echo "zigbee x/zigbee2mqtt:2"; echo "other nginx"; echo "addon_x_zigbee2mqtt_ha x/aarch64-addon-zigbee2mqtt_ha:0.2.0"; }`,
	},
}

func family(name string) string {
	for _, f := range []string{"Debian", "Alpine", "Docker"} {
		if strings.Contains(name, f) {
			return f
		}
	}
	return name
}

func TestTheLinesPrepareAHostTwiceAlikeAndCanBeTakenBack(t *testing.T) {
	key, blob := hostileKey()
	for _, l := range setup.Lines(key) {
		t.Run(fmt.Sprintf("%s, stand-by %v", l.Name, l.Standby), func(t *testing.T) {
			c := newCage(t, standIns[family(l.Name)])
			c.write("etc/init.d/zigbee2mqtt", "")
			if out, err := c.run("sh", "-c", l.Line); err != nil || !strings.Contains(out, "This host is prepared.") {
				t.Fatalf("%v: %s\n%s", err, out, l.Line)
			}
			once := c.state()
			if out, err := c.run("sh", "-c", l.Line); err != nil {
				t.Fatalf("a second time: %v: %s", err, out)
			}
			if twice := c.state(); twice != once {
				t.Errorf("a second time leaves\n%s\ninstead of\n%s", twice, once)
			}
			if got := c.read("home/z2mha/.ssh/authorized_keys"); !strings.HasPrefix(got, "restrict "+blob+" ") || strings.Count(got, "\n") != 1 {
				t.Errorf("authorized_keys: %q", got)
			}
			for _, want := range []string{"/home/z2mha/.ssh drwx------ 990:", "/home/z2mha/.ssh/authorized_keys -rw------- 990:"} {
				if !strings.Contains(once, want) {
					t.Errorf("lacks %s\n%s", want, once)
				}
			}
			if strings.Contains(once, "/pwned") {
				t.Error("the comment of the key was run")
			}
			c.privileges(l)
			c.stopped(l)
			if out, _ := c.run("sh", "-c", l.Undo); strings.Contains(c.state(), "home/z2mha") || strings.Contains(c.read("etc/doas.conf"), "z2mha") || strings.Contains(c.state(), "sudoers.d/z2mha") {
				t.Errorf("taken back: %s\n%s", out, c.state())
			}
		})
	}
}

func (c cage) privileges(l setup.DrawnLine) {
	if family(l.Name) == "Alpine" {
		if got := c.read("etc/doas.conf"); got != "permit nopass z2mha as root\n" {
			c.t.Errorf("doas.conf: %q", got)
		}
		return
	}
	if got := c.read("etc/sudoers.d/z2mha"); got != "z2mha ALL=(root) NOPASSWD: ALL\n" || !strings.Contains(c.state(), "/etc/sudoers.d/z2mha -r--r----- 0:0") {
		c.t.Errorf("sudoers: %q", got)
	}
}

func (c cage) stopped(l setup.DrawnLine) {
	want := map[string]string{
		"Debian": "systemctl disable --now zigbee2mqtt", "Alpine": "rc-update --all del zigbee2mqtt",
		"Docker": "docker update --restart=no zigbee",
	}[family(l.Name)]
	calls := c.read("calls")
	if got := strings.Contains(calls, want); got != l.Standby {
		c.t.Errorf("%q was called: %v\n%s", want, got, calls)
	}
	if strings.Contains(calls, "--restart=no other") || strings.Contains(calls, "--restart=no addon") {
		c.t.Errorf("touches another container\n%s", calls)
	}
}

func TestARuleThatIsRefusedIsNotPutInPlace(t *testing.T) {
	key, _ := hostileKey()
	for _, l := range setup.Lines(key) {
		programs := map[string]string{}
		for name, script := range standIns[family(l.Name)] {
			programs[name] = script
		}
		programs["visudo"], programs["doas"] = "exit 1", "exit 1"
		c := newCage(t, programs)
		c.write("etc/doas.conf", "permit root") // without a line end
		if out, err := c.run("sh", "-c", l.Line); err == nil {
			t.Errorf("%s goes on: %s", l.Name, out)
		}
		if strings.Contains(c.state(), "sudoers.d/z2mha ") || c.read("etc/doas.conf") != "permit root" || strings.Contains(c.state(), "authorized_keys") {
			t.Errorf("%s: left behind\n%s", l.Name, c.state())
		}
	}
}

func TestAlpineWithADirectoryOfRules(t *testing.T) {
	key, _ := hostileKey()
	for _, l := range setup.Lines(key) {
		if family(l.Name) != "Alpine" {
			continue
		}
		c := newCage(t, standIns["Alpine"])
		must(t, os.MkdirAll(filepath.Join(c.dir, "etc/doas.d"), 0o755))
		if out, err := c.run("sh", "-c", l.Line); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got := c.read("etc/doas.d/z2mha.conf"); got != "permit nopass z2mha as root\n" || strings.Contains(c.state(), "doas.conf") {
			t.Errorf("got %q\n%s", got, c.state())
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// missing skips a test for want of a program, but not where everything is to be there.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// TestAnotherUserOfTheSameNameIsLeftAlone: neither line touches a user z2mha that no line
// has made, nor its home.
func TestAnotherUserOfTheSameNameIsLeftAlone(t *testing.T) {
	key, _ := hostileKey()
	for _, l := range setup.Lines(key) {
		t.Run(fmt.Sprintf("%s, stand-by %v", l.Name, l.Standby), func(t *testing.T) {
			c := newCage(t, standIns[family(l.Name)])
			c.write("etc/init.d/zigbee2mqtt", "")
			c.write("etc/passwd", c.read("etc/passwd")+"z2mha:x:500:500::/srv/home:/sbin/nologin\n")
			must(t, os.MkdirAll(filepath.Join(c.dir, "srv/home/.ssh"), 0o700))
			c.write("srv/home/.ssh/authorized_keys", "their own\n")
			before := c.state()
			for _, line := range []string{l.Line, l.Undo} {
				if out, err := c.run("sh", "-c", line); err == nil || !strings.Contains(out, "another user z2mha here, with the home /srv/home") {
					t.Errorf("%v: %s\n%s", err, out, line)
				}
			}
			if after := c.state(); after != before || c.read("calls") != "open "+filepath.Join(c.dir, "calls")+": no such file or directory" {
				t.Errorf("something was done: %s\n%s\ninstead of\n%s", c.read("calls"), after, before)
			}
		})
	}
}

// TestTheServiceIsAnotherUser: the controller may run on a host that the lines prepare.
func TestTheServiceIsAnotherUser(t *testing.T) {
	unit, err := os.ReadFile("../../packaging/z2mha.service")
	must(t, err)
	for line := range strings.Lines(string(unit)) {
		if strings.TrimSpace(line) == "User=z2mha" {
			t.Error("packaging/z2mha.service runs as the user that the lines make: taking a line back removes its home")
		}
	}
}
