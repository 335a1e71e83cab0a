package addon_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"z2mha/internal/homeassistant/supervisor/supervisortest"
)

// patience is how long the real program may take for anything on a busy machine.
const patience = 60 * time.Second

// program is z2mha, compiled as in the image, for this machine.
func program(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "z2mha")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X z2mha/internal/version.Version=1.2.3-test", "-o", file, "./cmd/z2mha")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

func TestImageRunsTheServer(t *testing.T) {
	fake := supervisortest.Start(t, supervisortest.Options{})
	i, data := stageImage(t, program(t)), t.TempDir()
	must(t, os.WriteFile(filepath.Join(data, "options.json"), []byte(`{"log_level":"debug","mqtt":{}}`), 0o600))
	for name, value := range map[string]string{
		"SUPERVISOR_TOKEN": fake.Token, "Z2MHA_SUPERVISOR": fake.URL, "Z2MHA_DATA": data, "Z2MHA_LISTEN": "127.0.0.1:0",
	} {
		i.setenv(t, name, value)
	}
	shell, err := exec.LookPath("sh")
	must(t, err)
	s := start(t, i.service(t, "run", shell))

	address := s.await(t, regexp.MustCompile(`msg="page served" address=(\S+)`))
	fake.Wait("a call with our token", func(f *supervisortest.Fake) bool {
		return slices.ContainsFunc(f.Calls(), func(c supervisortest.Call) bool { return c.Status == http.StatusOK })
	})
	s.wantOurs(t, i)
	i.wantHealthy(t, address)
	i.hook(t, "backup_pre", data)
	if _, err := os.Stat(filepath.Join(data, "state", "backed-up.json")); err != nil {
		t.Errorf("before a backup: %v", err)
	}
	i.hook(t, "backup_post", data)
	if _, err := os.Stat(filepath.Join(data, "state", "backed-up.json")); err == nil {
		t.Error("after a backup the marker still stands")
	}
	log := s.stop(t)
	for what, secret := range map[string]string{"the token": fake.Token, "a private key": "PRIVATE KEY"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s", what)
		}
	}
	if !strings.Contains(log, "version=1.2.3-test") {
		t.Errorf("the image's version did not reach the program:\n%s", log)
	}
}

// A running is a service that was started, with what it says.
type running struct {
	cmd   *exec.Cmd
	said  io.Closer   // the end that the service writes to
	lines chan string // what it says; closed with said
	seen  bytes.Buffer
}

func start(t testing.TB, cmd *exec.Cmd) *running {
	t.Helper()
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	must(t, cmd.Start())
	s := &running{cmd: cmd, said: write, lines: make(chan string, 10_000)}
	go func() {
		for scan := bufio.NewScanner(read); scan.Scan(); {
			s.lines <- scan.Text()
		}
		close(s.lines)
	}()
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		_ = write.Close()
	})
	return s
}

// await reads on until a line has what is looked for, and returns its first group.
func (s *running) await(t testing.TB, form *regexp.Regexp) string {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case line, more := <-s.lines:
			s.seen.WriteString(line + "\n")
			if found := form.FindStringSubmatch(line); found != nil {
				return found[1]
			}
			if !more {
				t.Fatalf("it ended without %s:\n%s", form, &s.seen)
			}
		case <-limit:
			t.Fatalf("waited in vain for %s:\n%s", form, &s.seen)
		}
	}
}

// wantOurs checks that what s6 would supervise is the program itself, not a shell.
func (s *running) wantOurs(t testing.TB, i image) {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid))
	if exe, err := os.Readlink(proc + "/exe"); err != nil || exe != i.path("usr/bin/z2mha") {
		t.Errorf("the process runs %s, %v", exe, err)
	}
	line, err := os.ReadFile(proc + "/cmdline")
	must(t, err)
	if got := strings.ReplaceAll(strings.TrimSuffix(string(line), "\x00"), "\x00", " "); !strings.HasSuffix(got, "z2mha serve --addon") {
		t.Errorf("the process was called as %q", got)
	}
}

// stop is s6's way to stop a service. It returns all that was said.
func (s *running) stop(t testing.TB) string {
	t.Helper()
	must(t, s.cmd.Process.Signal(syscall.SIGTERM))
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("told to stop, it ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("told to stop, it goes on:\n%s", &s.seen)
	}
	must(t, s.said.Close())
	for line := range s.lines {
		s.seen.WriteString(line + "\n")
	}
	return s.seen.String()
}

// inside runs a command of the image as "docker exec" does: with the container's
// environment, without a shell.
func (i image) inside(t testing.TB, env []string, command ...string) {
	t.Helper()
	cmd := exec.Command(i.path(command[0]), command[1:]...)
	cmd.Env, cmd.Dir = env, t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", strings.Join(command, " "), err, out)
	}
}

// wantHealthy runs the image's own health check.
func (i image) wantHealthy(t testing.TB, address string) {
	t.Helper()
	check := dockerfile(t).stage(t, "addon").all("HEALTHCHECK")[0]
	_, list, _ := strings.Cut(check, "CMD [")
	var words []string
	for _, w := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(list, -1) {
		words = append(words, w[1])
	}
	i.inside(t, []string{"Z2MHA_LISTEN=" + address}, words...)
}

// hook runs one of the manifest's commands for backups.
func (i image) hook(t testing.TB, key, data string) {
	t.Helper()
	i.inside(t, []string{"SUPERVISOR_TOKEN=x", "Z2MHA_DATA=" + data}, strings.Fields(manifest(t)[key].(string))...)
}
