package fence_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/fence"
)

func TestCommand(t *testing.T) {
	for _, tt := range []struct {
		name         string
		run, confirm string // in a directory with the file power, which says on
		want         string
	}{
		{"cuts", "echo off > power", "cat power", ""},
		{"does not believe one that lies", "echo done; true", "cat power", `confirmation says: "on"`},
		{"does not wait for one that is slow", "sleep 60 & wait", "echo off", "sleep does not end"},
		{"does not wait for a slow confirmation", "true", "sleep 60; echo off", "does not answer"},
		{"does not believe one that fails", "echo off > power; exit 3", "cat power", "exit status 3"},
		{"does not believe a confirmation that fails", "echo off > power", "cat power; exit 1", "exit status 1"},
		{"does not believe one that is not there", "/nowhere/poe off", "cat power", "poe ends with exit status 127"},
		{"shows no word of a value in quotes", "TOKEN='correct " + secret + " battery' false", "cat power", "the configuration ends with exit status 1"},
		{"shows only the program", "TOKEN=" + secret + " false " + secret, "cat power", "false ends with exit status 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "power"), []byte("on\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			in := func(line string) string { return "cd " + dir + " && { " + line + "\n}" }
			if strings.HasPrefix(tt.run, "/") || strings.HasPrefix(tt.run, "TOKEN") || strings.HasPrefix(tt.run, "sleep") {
				in = func(line string) string { return strings.ReplaceAll(line, "power", filepath.Join(dir, "power")) }
			}
			began := time.Now()
			proves(t, &fence.Command{Run: in(tt.run), Confirm: in(tt.confirm), Expect: fence.Expectation{Text: "off"}}, tt.want)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestCommandCheckSwitchesNothing(t *testing.T) {
	power := filepath.Join(t.TempDir(), "power")
	if err := os.WriteFile(power, []byte("on\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for run, good := range map[string]bool{"/bin/sh -c 'echo off > " + power + "'": true, "/nowhere/poe off": false} {
		c := &fence.Command{Run: run, Confirm: "cat " + power, Expect: fence.Expectation{Text: "off"}}
		if err := fence.New(c, quick).Check(t.Context()); (err == nil) != good {
			t.Errorf("%s: %v", run, err)
		}
	}
	if got, _ := os.ReadFile(power); string(got) != "on\n" {
		t.Errorf("it says %q", got)
	}
}
