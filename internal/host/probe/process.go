package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// procDir is where the kernel shows its processes.
const procDir = "/proc"

// A process is one that runs now. Reading from it may fail at any time.
type process int

func (p process) file(name string) string {
	return filepath.Join(procDir, strconv.Itoa(int(p)), name)
}

// words are the arguments, the program first; none for a kernel thread.
func (p process) words() []string {
	data, _ := os.ReadFile(p.file("cmdline"))
	line := strings.TrimRight(string(data), "\x00")
	if line == "" {
		return nil
	}
	return strings.Split(line, "\x00")
}

// command is program and first argument; more might show a password.
func (p process) command() string {
	words := p.words()
	if len(words) == 0 {
		return firstLine(p.file("comm"))
	}
	name := filepath.Base(words[0])
	if len(words) > 1 && !strings.HasPrefix(words[1], "-") {
		name += " " + words[1]
	}
	return name
}

// env returns a variable of the environment the process was started with.
func (p process) env(name string) (string, error) {
	data, err := os.ReadFile(p.file("environ"))
	if err != nil {
		return "", err
	}
	for entry := range strings.SplitSeq(string(data), "\x00") {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, nil
		}
	}
	return "", nil
}

// dir is the working directory.
func (p process) dir() (string, error) { return os.Readlink(p.file("cwd")) }

// exe is the program's file, "" when it may not be known.
func (p process) exe() string {
	path, _ := os.Readlink(p.file("exe"))
	return strings.TrimSuffix(path, " (deleted)")
}

// ours says that the process is a helper from the folder that this one is from, such as
// one that goes on after its connection was lost.
func (p process) ours() bool {
	const name = "znp-helper"
	self, exe := process(os.Getpid()).exe(), p.exe()
	return exe != "" && filepath.Dir(exe) == filepath.Dir(self) &&
		strings.HasPrefix(filepath.Base(exe), name) && strings.HasPrefix(filepath.Base(self), name)
}

// writes names an open file below dir that the process may write; "" when there is
// none. Somebody who merely reads a log is no user of the data.
func (p process) writes(dir folder) (string, error) {
	fds, err := os.ReadDir(p.file("fd"))
	if err != nil {
		return "", err
	}
	foreign := p.isForeign()
	for _, fd := range fds {
		target, err := os.Readlink(p.file("fd/" + fd.Name()))
		if err == nil && p.holds(fd.Name(), target, dir, foreign) && p.writable(fd.Name()) {
			return target, nil
		}
	}
	return "", nil
}

func (p process) writable(fd string) bool {
	info, _ := os.ReadFile(p.file("fdinfo/" + fd))
	for line := range strings.Lines(string(info)) {
		if flags, ok := strings.CutPrefix(line, "flags:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(flags), 8, 64)
			return err == nil && n&unix.O_ACCMODE != unix.O_RDONLY
		}
	}
	return false
}

func (p process) parent() process {
	stat, _ := os.ReadFile(p.file("stat"))
	_, rest, _ := strings.Cut(string(stat), ") ")
	if fields := strings.Fields(rest); len(fields) > 1 {
		n, _ := strconv.Atoi(fields[1])
		return process(n)
	}
	return 0
}

// others are all processes but this one and those it was started by: the session
// that looks is not what it looks for.
func others() ([]process, error) {
	entries, err := os.ReadDir(procDir)
	if err != nil {
		return nil, err
	}
	own := ancestry()
	var all []process
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err == nil && !slices.Contains(own, process(n)) {
			all = append(all, process(n))
		}
	}
	return all, nil
}

func ancestry() []process {
	var line []process
	for p := process(os.Getpid()); p > 1 && !slices.Contains(line, p); p = p.parent() {
		line = append(line, p)
	}
	return line
}

// errBlind is wrapped when some processes could not be looked into.
var errBlind = errors.New("some processes could not be looked into, which takes root's rights")

func blindness(hidden, of int) error {
	if hidden == 0 {
		return nil
	}
	return fmt.Errorf("%w (%d of %d)", errBlind, hidden, of)
}

// hides says that an error means "not for you" rather than "ended meanwhile".
func hides(err error) bool { return errors.Is(err, fs.ErrPermission) }
