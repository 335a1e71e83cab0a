package snmp

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gosnmp/gosnmp"

	"z2mha/internal/failover/status"
)

const (
	mibDir  = "../../../mibs"
	mibFile = mibDir + "/Z2MHA-MIB.txt"
)

// objectNames are the names that the MIB gives to the objects of the code.
var objectNames = map[object]string{
	network: "z2mhaNetwork", text: "z2mhaText", severity: "z2mhaSeverity", at: "z2mhaTime",
	controller: "z2mhaController", number: "z2mhaNumber", node: "z2mhaNode", from: "z2mhaFrom", to: "z2mhaTo",
	cause: "z2mhaCause", requestedBy: "z2mhaRequestedBy", run: "z2mhaRun", step: "z2mhaStep",
	duration: "z2mhaDuration", remedy: "z2mhaRemedy",
	previousProtection: "z2mhaPreviousProtection", protection: "z2mhaProtection",
}

// notificationName is what the MIB calls the notification for an event.
func notificationName(e status.EventType) string {
	if e == status.EventProtection {
		return "z2mhaProtectionChanged"
	}
	name := "z2mha"
	for word := range strings.SplitSeq(string(e), "_") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return name
}

// A definition is one of the MIB's, as far as we read it.
type definition struct {
	macro, syntax, objects, description string
	parent                              string
	number                              int
}

var (
	definitionLike = regexp.MustCompile(`(?ms)^(z2mha\w*) +([A-Z-]+|OBJECT IDENTIFIER)\s.*?::= \{ (\w+) (\d+) \}`)
	syntaxLike     = regexp.MustCompile(`(?s)SYNTAX +(.*?)\n    [A-Z]`)
	objectsLike    = regexp.MustCompile(`(?s)\n    OBJECTS +\{ (.*?) \}`)
	spokenLike     = regexp.MustCompile(`(?s)DESCRIPTION\s+"(.*?)"`)
	namedNumber    = regexp.MustCompile(`(\w+)\((\d+)\)`)
)

func readMIB(t testing.TB) map[string]definition {
	t.Helper()
	raw, err := os.ReadFile(mibFile)
	if err != nil {
		t.Fatal(err)
	}
	first := func(re *regexp.Regexp, in string) string {
		if found := re.FindStringSubmatch(in); found != nil {
			return strings.Join(strings.Fields(found[1]), " ")
		}
		return ""
	}
	all := map[string]definition{}
	for _, m := range definitionLike.FindAllStringSubmatch(string(raw), -1) {
		n, err := strconv.Atoi(m[4])
		if err != nil {
			t.Fatal(err)
		}
		all[m[1]] = definition{
			macro: m[2], parent: m[3], number: n,
			syntax: first(syntaxLike, m[0]), objects: first(objectsLike, m[0]), description: first(spokenLike, m[0]),
		}
	}
	return all
}

// oids are the numbers of everything that the code sends, by the MIB's names.
func oids() map[string]string {
	all := map[string]string{}
	for o, name := range objectNames {
		all[name] = strings.TrimSuffix(o.oid(), ".0")
	}
	for _, k := range kinds {
		all[notificationName(k.event)] = k.oid()
	}
	return all
}

func TestTheCodeSendsTheMIBsNumbers(t *testing.T) {
	mib := readMIB(t)
	inMIB := map[string]string{}
	for name, d := range mib {
		if d.macro == "OBJECT-TYPE" || d.macro == "NOTIFICATION-TYPE" {
			branch := mib[d.parent]
			if branch.parent != "z2mhaMIB" {
				t.Errorf("%s lies under %s", name, d.parent)
			}
			inMIB[name] = fmt.Sprintf("%s.%d.%d", arc, branch.number, d.number)
		}
	}
	if diff := cmp.Diff(inMIB, oids()); diff != "" {
		t.Errorf("MIB (-) and code (+) differ:\n%s", diff)
	}
	root := mib["z2mhaMIB"]
	if got := fmt.Sprintf("%s %d", root.parent, root.number); got != "netSnmpPlaypen 92642" {
		t.Errorf("the MIB lies at %s", got)
	}
}

func TestNotificationsCarryWhatTheMIBSays(t *testing.T) {
	mib := readMIB(t)
	for _, k := range kinds {
		t.Run(string(k.event), func(t *testing.T) {
			var names []string
			for _, o := range slices.Concat(common, k.more) {
				names = append(names, objectNames[o])
			}
			d := mib[notificationName(k.event)]
			if diff := cmp.Diff(d.objects, strings.Join(names, ", ")); diff != "" {
				t.Error(diff)
			}
			said := map[int]string{information: "information", warning: "warning", critical: "critical"}
			want := "z2mhaSeverity is " + said[trap{Event: status.Event{Type: k.event}}.severity()]
			if k.event == status.EventProtection {
				want = "z2mhaSeverity is critical for unprotected, warning for degraded, and information otherwise."
			}
			if !strings.Contains(d.description, want) {
				t.Errorf("%q does not say %q", d.description, want)
			}
		})
	}
}

func TestObjectsHaveTheMIBsTypes(t *testing.T) {
	syntax := map[gosnmp.Asn1BER]string{
		gosnmp.OctetString: "SnmpAdminString (SIZE (0..255))", gosnmp.Gauge32: "Unsigned32", gosnmp.Integer: "INTEGER {",
	}
	mib := readMIB(t)
	for o, name := range objectNames {
		v := trap{}.value(o)
		if want := syntax[v.Type]; !strings.HasPrefix(mib[name].syntax, want) {
			t.Errorf("%s is %s in the MIB and %s in the code", name, mib[name].syntax, want)
		}
	}
}

func TestNamedNumbersAreTheMIBs(t *testing.T) {
	mib := readMIB(t)
	named := func(name string) map[string]int {
		all := map[string]int{}
		for _, m := range namedNumber.FindAllStringSubmatch(mib[name].syntax, -1) {
			all[m[1]], _ = strconv.Atoi(m[2])
		}
		return all
	}
	wantCauses := map[string]int{}
	for _, c := range status.Causes {
		wantCauses[string(c)] = causes[c]
	}
	wantProtections := map[string]int{"unknown": 0}
	for _, p := range status.Protections {
		wantProtections[string(p)] = protections[p]
	}
	for _, c := range []struct {
		name string
		want map[string]int
	}{
		{"z2mhaCause", wantCauses},
		{"z2mhaProtection", wantProtections},
		{"z2mhaPreviousProtection", wantProtections},
		{"z2mhaSeverity", map[string]int{"information": information, "warning": warning, "critical": critical}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(named(c.name), c.want); diff != "" {
				t.Errorf("MIB (-) and code (+) differ:\n%s", diff)
			}
			if values := slices.Sorted(maps.Values(c.want)); len(slices.Compact(values)) != len(c.want) {
				t.Errorf("a number stands for two things: %v", c.want)
			}
		})
	}
}

func TestEveryEventHasANotification(t *testing.T) {
	steps := []status.EventType{status.EventStepBegun, status.EventStepDone, status.EventStepFailed, status.EventStepUndone}
	for _, e := range slices.Concat(status.EventTypes, steps) {
		if (trap{Event: status.Event{Type: e}}).kind() == nil {
			t.Errorf("%s has none", e)
		}
	}
}

const (
	tableBegin = "<!-- notifications: begin -->\n"
	tableEnd   = "<!-- notifications: end -->\n"
)

// What people read of the notifications is made from the MIB and the code.
func TestTheReadmeListsEveryNotification(t *testing.T) {
	const file = mibDir + "/README.md"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), tableBegin)
	got, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table of notifications", file)
	}
	want := notificationTable(readMIB(t))
	if *Update {
		if err := os.WriteFile(file, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("go test ./internal/notify/snmp -update rewrites it:\n%s", diff)
	}
}

func notificationTable(mib map[string]definition) string {
	var b strings.Builder
	b.WriteString("| number | name | severity | prototype | meaning |\n|---|---|---|---|---|\n")
	for _, k := range kinds {
		old := "–"
		if tr := (trap{Event: status.Event{Type: k.event}}); tr.prototype() {
			old = tr.prototypeValues()[3].Value.(string)
		}
		name := notificationName(k.event)
		meaning, severity, _ := strings.Cut(mib[name].description, " z2mhaSeverity is ")
		fmt.Fprintf(&b, "| `.0.%d` | `%s` | %s | %s | %s |\n", k.number, name, strings.TrimSuffix(severity, "."), old, meaning)
	}
	return b.String()
}
