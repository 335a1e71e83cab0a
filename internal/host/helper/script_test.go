package helper_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/host/helper"
	"z2mha/internal/host/helperapi"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"znp-helper": func() { os.Exit(helper.Main(helper.OSEnv(), os.Args[1:])) },
		"hold":       hold,
	})
}

// hold FILE opens a file or device for writing, says so and keeps it open until its
// standard input ends. It stands for any other program.
func hold() {
	f, err := os.OpenFile(os.Args[1], os.O_RDWR, 0)
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString("held\n")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	_ = f.Close()
}

// TestScripts runs the command line as a person and as the controller would.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("Z2MHA_STATE", filepath.Join(env.WorkDir, "state"))
			ctx, cancel := context.WithCancel(context.Background())
			env.Defer(cancel)
			env.Values[contextKey{}] = ctx
			env.Values[sticksKey{}] = map[string]*znpsim.Dongle{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"terminal": onTerminal,
			"peer":     startPeer,
			"stick":    startStick,
			"image":    saveStick,
			"onair":    onAir,
			"fault":    setFault,
			"holding":  startHolding,
			"mode":     checkMode,
			"hash":     keepHash,
			"patch":    makePatch,
			"layout":   makeLayout,
		},
	})
}

type contextKey struct{}

func contextOf(ts *testscript.TestScript) context.Context {
	return ts.Value(contextKey{}).(context.Context)
}

// startHolding runs "hold" on a path for the rest of the script.
func startHolding(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.CommandContext(contextOf(ts), "hold", ts.MkAbs(args[0]))
	cmd.Path = filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "hold")
	cmd.Err = nil
	cmd.Env = append(os.Environ(), args[1:]...)
	in, err := cmd.StdinPipe()
	ts.Check(err)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = in.Close(); _ = cmd.Wait() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "held\n" {
		ts.Fatalf("holding %s: %q", args[0], line)
	}
}

// keepHash makes the hash in the last output the variable HASH.
func keepHash(ts *testscript.TestScript, _ bool, _ []string) {
	m, err := helperapi.Result[helperapi.ManifestResult]([]byte(ts.ReadFile("stdout")))
	ts.Check(err)
	ts.Setenv("HASH", m.Hash)
}

// checkMode compares a file's permissions: mode -rw------- FILE.
func checkMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := info.Mode().String(); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
