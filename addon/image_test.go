package addon_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An image is the file tree of the add-on's image, as far as it is ours.
type image struct{ dir string }

const serviceDir = "etc/s6-overlay/s6-rc.d/z2mha"

// stageImage does what the Dockerfile's last stage does with COPY. program stands for
// what the build stage compiles.
func stageImage(t testing.TB, program string) image {
	t.Helper()
	i := image{t.TempDir()}
	for _, c := range dockerfile(t).stage(t, "addon").copies() {
		for _, source := range c.sources {
			switch {
			case c.from == "" && c.to == "/":
				must(t, os.CopyFS(i.dir, os.DirFS(filepath.Join(root, source))))
			case c.from == "build" && source == "/out/z2mha":
				must(t, os.MkdirAll(filepath.Dir(i.path(c.to)), 0o755))
				must(t, os.Link(program, i.path(c.to)))
			default:
				t.Fatalf("COPY %v is not understood", c)
			}
		}
	}
	i.stageBase(t)
	return i
}

func (i image) path(name string) string { return filepath.Join(i.dir, name) }

// stageBase adds a stand-in for what the base image brings: with-contenv, which reads
// the container's environment from a directory, and the results of the container.
func (i image) stageBase(t testing.TB) {
	t.Helper()
	for _, dir := range []string{"command", "run/s6/container_environment", "run/s6/basedir/bin", "run/s6-linux-init-container-results"} {
		must(t, os.MkdirAll(i.path(dir), 0o755))
	}
	script(t, i.path("command/with-contenv"), `
for f in '`+i.path("run/s6/container_environment")+`'/*; do
  export "${f##*/}=$(cat "$f")"
done
exec "$@"`)
	must(t, os.WriteFile(i.path("run/s6-linux-init-container-results/exitcode"), []byte("0\n"), 0o644))
	script(t, i.path("run/s6/basedir/bin/halt"), "echo halted")
}

// setenv sets a variable of the container.
func (i image) setenv(t testing.TB, name, value string) {
	t.Helper()
	must(t, os.WriteFile(i.path("run/s6/container_environment/"+name), []byte(value), 0o600))
}

// service is the command that s6 would start: the script's first line says with what.
// Like there, its own environment holds a PATH alone. shell stands for the image's sh.
func (i image) service(t testing.TB, name, shell string) *exec.Cmd {
	t.Helper()
	file := i.path(serviceDir + "/" + name)
	b, err := os.ReadFile(file)
	must(t, err)
	first, _, _ := strings.Cut(string(b), "\n")
	words := strings.Fields(strings.TrimPrefix(first, "#!"))
	if words[0] == "/command/with-contenv" {
		words[0] = i.path(words[0])
	}
	must(t, os.MkdirAll(i.path("bin"), 0o755))
	if err := os.Symlink(shell, i.path("bin/sh")); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	if words[0] == "/bin/sh" {
		words[0] = i.path(words[0])
	}
	cmd := exec.Command(words[0], append(words[1:], file)...)
	cmd.Dir = i.path(serviceDir)
	cmd.Env = []string{"PATH=" + strings.Join([]string{i.path("bin"), i.path("command"), i.path("usr/bin"), "/usr/bin", "/bin"}, ":")}
	return cmd
}

// shells are the shells to try: the machine's, and those that images have.
func shells(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{"sh", "dash", "busybox"} {
		if found, err := exec.LookPath(name); err == nil {
			out[name] = found
		}
	}
	if len(out) == 0 {
		t.Fatal("there is no shell")
	}
	return out
}

func script(t testing.TB, file, body string) {
	t.Helper()
	must(t, os.WriteFile(file, []byte("#!/bin/sh\n"+body+"\n"), 0o755))
}

// s6 finds one service, which starts after its base and with the container.
func TestServiceIsFound(t *testing.T) {
	i := stageImage(t, recorder(t))
	if b, err := os.ReadFile(i.path(serviceDir + "/type")); err != nil || string(b) != "longrun\n" {
		t.Errorf("type %q, %v", b, err)
	}
	for _, name := range []string{serviceDir + "/dependencies.d/base", "etc/s6-overlay/s6-rc.d/user/contents.d/z2mha"} {
		if info, err := os.Stat(i.path(name)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v", name, err)
		}
	}
	entries, err := os.ReadDir(i.path(serviceDir))
	must(t, err)
	for _, e := range entries {
		if !slices.Contains([]string{"type", "run", "finish", "dependencies.d"}, e.Name()) {
			t.Errorf("s6 knows nothing of %s; a time limit of its own would cut a plan short", e.Name())
		}
	}
	for _, name := range []string{"run", "finish"} {
		info, err := os.Stat(i.path(serviceDir + "/" + name))
		must(t, err)
		if info.Mode().Perm()&0o111 != 0o111 {
			t.Errorf("%s cannot be started: mode %o", name, info.Mode().Perm())
		}
	}
}

func TestScriptsArePlainShell(t *testing.T) {
	dir := filepath.Join(root, "rootfs", serviceDir)
	for _, name := range []string{"run", "finish"} {
		for shell, file := range shells(t) {
			args := []string{"-n", filepath.Join(dir, name)}
			if shell == "busybox" {
				args = append([]string{"sh"}, args...)
			}
			if out, err := exec.Command(file, args...).CombinedOutput(); err != nil {
				t.Errorf("%s is nothing for %s: %s", name, shell, out)
			}
		}
	}
	checker := need(t, "shellcheck")
	for _, name := range []string{"run", "finish"} {
		if out, err := exec.Command(checker, "--shell=sh", "--exclude=SC1008", filepath.Join(dir, name)).CombinedOutput(); err != nil {
			t.Errorf("%s", out)
		}
	}
}

// recorder stands for z2mha: it says who it is, how it was called, and what it can see.
func recorder(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "z2mha")
	script(t, file, `echo "pid $$"; echo "args $*"; env`)
	return file
}

func TestRunStartsTheProgram(t *testing.T) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			i := stageImage(t, recorder(t))
			i.setenv(t, "SUPERVISOR_TOKEN", "a token with 'quotes' and spaces")
			i.setenv(t, "TZ", "Europe/Berlin")
			cmd := i.service(t, "run", shell)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			must(t, cmd.Run())
			for _, want := range []string{
				"pid " + strconv.Itoa(cmd.Process.Pid), // no shell stands between s6 and the program
				"args serve --addon",
				"SUPERVISOR_TOKEN=a token with 'quotes' and spaces",
				"TZ=Europe/Berlin",
			} {
				if !slices.Contains(strings.Split(out.String(), "\n"), want) {
					t.Errorf("no line %q in:\n%s", want, &out)
				}
			}
		})
	}
}

func TestFinish(t *testing.T) {
	for _, tt := range []struct {
		name      string
		args      []string
		wanted    string // what s6 says of the service: "true" is that it should be up
		code      string // exit code of the container afterwards
		container bool   // goes down
	}{
		{"leaves a container alone that is told to stop", []string{"0", "0"}, "false", "0", false},
		{"leaves it alone when the program minded the signal", []string{"256", "15"}, "false", "0", false},
		{"takes it down with the program's code", []string{"2", "0"}, "true", "2", true},
		{"takes it down when the program just ended", []string{"0", "0"}, "true", "0", true},
		{"takes it down with 128 and the signal", []string{"256", "9"}, "true", "137", true},
		{"takes it down when s6 cannot be asked", []string{"1", "0"}, "", "1", true},
	} {
		for name, shell := range shells(t) {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				i := stageImage(t, recorder(t))
				if tt.wanted != "" {
					script(t, i.path("command/s6-svstat"), fmt.Sprintf(`[ "$*" = "-o wantedup ." ] && echo %s`, tt.wanted))
				}
				i.moveRun(t)
				cmd := i.service(t, "finish", shell)
				cmd.Args = append(cmd.Args, append(tt.args, "z2mha", "100")...)
				out, err := cmd.Output()
				must(t, err)
				code, err := os.ReadFile(i.path("run/s6-linux-init-container-results/exitcode"))
				must(t, err)
				if string(code) != tt.code+"\n" || (string(out) == "halted\n") != tt.container {
					t.Errorf("exit code %q, said %q", code, out)
				}
			})
		}
	}
}

// moveRun makes finish use the image's /run instead of this machine's.
func (i image) moveRun(t testing.TB) {
	t.Helper()
	file := i.path(serviceDir + "/finish")
	b, err := os.ReadFile(file)
	must(t, err)
	moved := regexp.MustCompile(`/run/s6`).ReplaceAllString(string(b), i.path("run/s6"))
	must(t, os.WriteFile(file, []byte(moved), 0o755))
}
