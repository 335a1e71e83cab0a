package snmp_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"z2mha/internal/notify/snmp"
)

// packages is what a person installs to run every test here.
const packages = "Debian: apt-get install snmp snmptrapd smitools libsmi2ldbl"

// need returns the path of a program. Without it the test is skipped, or fails
// where nothing may be skipped.
func need(t testing.TB, program string) string {
	t.Helper()
	for _, candidate := range []string{program, "/usr/sbin/" + program, "/usr/local/sbin/" + program} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed (%s)", program, packages)
	}
	t.Skipf("%s is not installed (%s)", program, packages)
	return ""
}

// modules are what our MIB imports, and the one that names sysUpTime.
var modules = []string{"SNMPv2-SMI", "SNMPv2-TC", "SNMPv2-CONF", "SNMP-FRAMEWORK-MIB", "NET-SNMP-MIB", "SNMPv2-MIB"}

const standIns = "testdata/mibs"

// systemMIBs are where systems keep the modules of the IETF and of Net-SNMP. Debian
// has the IETF's only with its package snmp-mibs-downloader.
var systemMIBs = []string{
	"/usr/share/snmp/mibs", "/usr/share/snmp/mibs/ietf", "/var/lib/mibs/ietf",
	"/usr/share/mibs/ietf", "/usr/local/share/snmp/mibs", "/opt/homebrew/share/snmp/mibs",
}

// realMIBs gathers the system's own modules in one directory; false when one is
// missing. Z2MHA_MIBS names more directories to look in.
func realMIBs(t testing.TB) (string, bool) {
	t.Helper()
	dirs := append(filepath.SplitList(os.Getenv("Z2MHA_MIBS")), systemMIBs...)
	gathered := t.TempDir()
	for _, m := range modules {
		raw := firstFile(dirs, m, m+".txt", m+".mib")
		if raw == nil {
			return "", false
		}
		if err := os.WriteFile(filepath.Join(gathered, m+".txt"), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return gathered, true
}

func firstFile(dirs []string, names ...string) []byte {
	for _, dir := range dirs {
		for _, name := range names {
			if raw, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				return raw
			}
		}
	}
	return nil
}

// eachMIBs runs a test with our stand-ins for the modules that ours imports, and
// with the real ones where the system has them.
func eachMIBs(t *testing.T, test func(t *testing.T, dir string)) {
	t.Run("stand-ins", func(t *testing.T) { test(t, absolute(t, standIns)) })
	if dir, ok := realMIBs(t); ok {
		t.Run("real modules", func(t *testing.T) { test(t, dir) })
	} else {
		t.Log("this system has not all modules of the IETF; Z2MHA_MIBS may name their directory")
	}
}

func absolute(t testing.TB, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// netSNMP is a program of Net-SNMP that reads and writes nothing outside of a
// temporary directory, and knows only our MIB and what it imports.
func netSNMP(t testing.TB, program, imports string, args ...string) *exec.Cmd {
	t.Helper()
	path, own := need(t, program), t.TempDir()
	cmd := exec.CommandContext(t.Context(), path, append([]string{"-M", imports + ":" + absolute(t, snmp.MIBDir)}, args...)...)
	cmd.Env = append(os.Environ(), "SNMP_PERSISTENT_DIR="+own, "SNMPCONFPATH="+own, "HOME="+own, "MIBS=", "LC_ALL=C")
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

func TestSmilintFindsNothing(t *testing.T) {
	smilint := need(t, "smilint")
	eachMIBs(t, func(t *testing.T, imports string) {
		// A configuration of our own: Debian's hides warnings about long names.
		conf := filepath.Join(t.TempDir(), "smi.conf")
		if err := os.WriteFile(conf, []byte("path "+imports+"\nlevel 0\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		lint := func(file string) string {
			out, err := exec.CommandContext(t.Context(), smilint, "-c", conf, "-l", "6", "-s", "-m", file).CombinedOutput()
			if err != nil {
				t.Errorf("smilint: %v", err)
			}
			return string(out)
		}
		if out := lint(absolute(t, snmp.MIBFile)); out != "" {
			t.Errorf("smilint says\n%s", out)
		}
		// It would have said something: it does of a worse MIB.
		raw, err := os.ReadFile(snmp.MIBFile)
		if err != nil {
			t.Fatal(err)
		}
		worse := filepath.Join(t.TempDir(), "Z2MHA-MIB.txt")
		if err := os.WriteFile(worse, []byte(strings.Replace(string(raw), "z2mhaRehearsalSkipped }", "z2mhaReturned }", 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		if out := lint(worse); !strings.Contains(out, "`z2mhaRehearsalSkipped' must be contained") {
			t.Errorf("of a MIB with a forgotten notification smilint says %q", out)
		}
	})
}

func TestNetSNMPReadsTheCodesNumbers(t *testing.T) {
	need(t, "snmptranslate")
	eachMIBs(t, func(t *testing.T, imports string) {
		want := snmp.OIDs()
		names := slices.Sorted(maps.Keys(want))
		out, err := netSNMP(t, "snmptranslate", imports, append([]string{"-m", "Z2MHA-MIB", "-IR", "-On"}, names...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(string(out))
		if len(got) != len(names) {
			t.Fatalf("%d numbers for %d names:\n%s", len(got), len(names), out)
		}
		for i, name := range names {
			if got[i] != "."+want[name] {
				t.Errorf("%s is %s in the MIB and .%s in the code", name, got[i], want[name])
			}
		}
	})
}
