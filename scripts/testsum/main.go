// Command testsum runs go test -json with the given arguments and prints a
// summary; see package testsum. With CI=true a skipped test is a failure.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"

	"z2mha/internal/testsum"
)

func main() {
	ok, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(args []string) (bool, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	result, err := testsum.Summarize(os.Stdout, io.Reader(events))
	if err != nil {
		return false, err
	}
	strict := os.Getenv("CI") == "true"
	if strict && result.Skipped > 0 {
		fmt.Fprintln(os.Stderr, "CI=true: nothing may be skipped here")
	}
	return cmd.Wait() == nil && result.OK(strict), nil
}
