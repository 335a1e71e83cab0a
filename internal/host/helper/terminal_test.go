package helper_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// onTerminal runs a command with a terminal as its output, and leaves what a person
// would have seen, line by line, in the file "screen".
func onTerminal(ts *testscript.TestScript, neg bool, args []string) {
	master, slave, err := openPTY()
	ts.Check(err)
	defer master.Close()
	cmd := exec.CommandContext(contextOf(ts), args[0], args[1:]...)
	cmd.Path, cmd.Err = filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], args[0]), nil
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "Z2MHA_STATE="+ts.Getenv("Z2MHA_STATE"))
	cmd.Stdout, cmd.Stderr = slave, slave
	ts.Check(cmd.Start())
	_ = slave.Close()
	seen, _ := io.ReadAll(master) // ends with an error when the last writer is gone
	failed := cmd.Wait() != nil
	screen := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(seen))
	ts.Check(os.WriteFile(ts.MkAbs("screen"), []byte(screen), 0o600))
	ts.Logf("%s", screen)
	if failed != neg {
		ts.Fatalf("%s: failed is %v", args[0], failed)
	}
}

func openPTY() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	return master, slave, err
}
