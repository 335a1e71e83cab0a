package port_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"z2mha/internal/dongle/port"
)

// openPTY returns the master of a new pseudo terminal and the path of its slave, which
// nobody has open.
func openPTY(t *testing.T) (*os.File, string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo terminals: %v", err)
	}
	master := os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

// settings reads a tty's line settings through another descriptor than the port's.
func settings(t *testing.T, path string) unix.Termios {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	s, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *s
}

const (
	roleVar = "PORT_TEST_ROLE"
	portVar = "PORT_TEST_PORT"
)

// TestMain lets the test binary play the other program that has a port open.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		if err := hold(role, os.Getenv(portVar)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// hold opens a port in one of the ways programs do and keeps it until stdin ends.
func hold(role, address string) error {
	switch role {
	case "plain", "flock":
		fd, err := unix.Open(address, unix.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			return err
		}
		if role == "flock" {
			if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
				return err
			}
		}
	case "port":
		if _, err := port.Open(context.Background(), address); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	return nil
}

// startHolder starts another process that has address open, and returns its pid and how
// to end it.
func startHolder(t *testing.T, role, address string) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"="+role, portVar+"="+address)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	if strings.TrimSpace(line) != "ready" {
		t.Fatalf("the other program could not open %s: %s", address, line)
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			_ = stdin.Close()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(end)
	return cmd.Process.Pid, end
}

// self is the name under which this program appears as a holder.
func self() string { return filepath.Base(os.Args[0]) }

// soon fails the test when done does not close in a while.
func soon(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal(what)
	}
}
