package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// z2mhaBinary is the program under test, built once for all tests of the package.
var z2mhaBinary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "z2mha-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	z2mhaBinary = filepath.Join(dir, "z2mha")
	build := exec.Command("go", "build", "-o", z2mhaBinary, "z2mha/cmd/z2mha")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build z2mha:", err)
		return 1
	}
	defer endChromium()
	return m.Run()
}
