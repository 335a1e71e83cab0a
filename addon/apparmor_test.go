package addon_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Supervisor looks for the one profile that begins in column 1 and gives it the
// add-on's full slug as its name. Source: supervisor/utils/apparmor.py.
func TestProfile(t *testing.T) {
	profile := string(read(t, "apparmor.txt"))
	outer := regexp.MustCompile(`(?m)^profile (\S+) flags=\(attach_disconnected,mediate_deleted\) \{$`).FindAllStringSubmatch(profile, -1)
	if len(outer) != 1 || outer[0][1] != manifest(t)["slug"] {
		t.Errorf("profiles in column 1: %v, want one called %v", outer, manifest(t)["slug"])
	}
	if n := len(regexp.MustCompile(`(?m)^profile`).FindAllString(profile, -1)); n != 1 {
		t.Errorf("%d lines begin with profile", n)
	}
	if strings.Count(profile, "{\n")-strings.Count(profile, "}\n") != 0 {
		t.Error("a brace is not closed")
	}
}

// The program may write its state and nothing of the image, and start nothing.
func TestProfileOfTheProgram(t *testing.T) {
	_, inner, ok := strings.Cut(string(read(t, "apparmor.txt")), "  profile z2mha ")
	if !ok {
		t.Fatal("there is no nested profile")
	}
	if !strings.Contains(string(read(t, "apparmor.txt")), "/usr/bin/z2mha cx -> z2mha,") {
		t.Error("nothing leads into the nested profile")
	}
	writable := map[string]bool{"/data/**": true, "/config/**": true, "/tmp/**": true, "/dev/tty": true}
	for _, rule := range regexp.MustCompile(`(?m)^\s+([/@]\S*) ([a-zA-Z]+)`).FindAllStringSubmatch(inner, -1) {
		if strings.ContainsAny(rule[2], "xX") {
			t.Errorf("%s may be started", rule[1])
		}
		if strings.ContainsAny(rule[2], "wal") && !writable[rule[1]] {
			t.Errorf("%s may be written", rule[1])
		}
		delete(writable, rule[1])
	}
	if len(writable) > 0 {
		t.Errorf("not writable: %v", writable)
	}
	if strings.Contains(inner, "capability") || strings.Contains(inner, " file,") {
		t.Error("the program needs neither capabilities nor every file")
	}
}

func TestProfileCompiles(t *testing.T) {
	parser := need(t, "apparmor_parser", "/usr/sbin/apparmor_parser")
	out, err := exec.Command(parser, "--names", "--skip-cache", filepath.Join(root, "apparmor.txt")).CombinedOutput()
	slug := manifest(t)["slug"].(string)
	if err != nil || !strings.Contains(string(out), slug+"//z2mha\n") {
		t.Errorf("%v: %s", err, out)
	}
	out, err = exec.Command(parser, "--skip-kernel-load", "--skip-cache", "--quiet", filepath.Join(root, "apparmor.txt")).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// need is a program that not every machine has.
func need(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed", names[0])
	return ""
}
