package helper

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"z2mha/internal/host/helperapi"
)

// A verb is one thing the helper does.
type verb struct {
	name   string
	form   string // arguments, for the help text
	about  string
	writes bool // it changes a stick or the disk, and must not be cut short
	run    func(*call) error
	more   string // what else a person should know before using it; lines, or ""
}

// copyWarning is what loading an image by hand does not do.
const copyWarning = `
"write" copies the image as it is: frame counters are not raised. Devices ignore a
network whose image is older than what they have heard. Never let two sticks with the
same image on air. To move a network to another stick use "z2mha switchover".
`

func verbs() []verb {
	return []verb{
		{helperapi.VerbInfo, "PORT", "say which stick is there, changing nothing", false, runInfo, ""},
		{helperapi.VerbRead, "PORT [-o FILE [-force]]", "read the stick's memory, interchangeable with zigpy-znp", false, runRead, ""},
		{helperapi.VerbWrite, "IMAGE PORT", "make a parked stick hold an image: only what differs, read back", true, runWrite, copyWarning},
		{helperapi.VerbPatch, "PORT --run ID [--reset]", "change a few items of a parked stick; which, standard input says", true, runPatch, ""},
		{helperapi.VerbVerify, "IMAGE PORT", "compare a stick with an image", false, runVerify, ""},
		{helperapi.VerbReset, "PORT", "reset the stick; its radio is silent afterwards", true, runReset, ""},
		{helperapi.VerbPark, "PORT", "prove the stick silent, resetting it only if need be", true, runPark, ""},
		{helperapi.VerbUnplug, "PORT", "take the stick's USB device away from this host", true, runUnplug, ""},
		{helperapi.VerbReplug, "PORT", "give it back", true, runReplug, ""},
		{helperapi.VerbListen, "PORT --channel N --ext-pan-id ID", "have a parked stick ask who is on air in a network", true, runListen, ""},
		{helperapi.VerbProbe, "[--tty PORT] [--data DIR]", "see who uses port and data directory, touching neither", false, runProbe, ""},
		{helperapi.VerbEnd, "--tty PORT --data DIR [--ask LINE]", "end Zigbee2MQTT as soon as it has saved", true, runEnd, ""},
		{helperapi.VerbManifest, "DIR", "list and hash a directory that may be in use", false, runManifest, ""},
		{helperapi.VerbPromote, "--staging DIR --data DIR --previous DIR --run ID --expect HASH", "make staging the data directory; --undo takes it back", true, runPromote, ""},
		{helperapi.VerbSFTP, "[--read-only]", "serve SFTP on stdin and stdout", false, runSFTP, ""},
		{helperapi.VerbVersion, "", "say which helper this is", false, runVersion, ""},
	}
}

func findVerb(name string) (verb, bool) {
	all := verbs()
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == name })
	if i < 0 {
		return verb{}, false
	}
	return all[i], true
}

// byMachine are the verbs that a person hardly needs.
var byMachine = []string{helperapi.VerbEnd, helperapi.VerbListen, helperapi.VerbManifest, helperapi.VerbPatch, helperapi.VerbPromote, helperapi.VerbProbe, helperapi.VerbReplug, helperapi.VerbSFTP, helperapi.VerbUnplug}

func list(w io.Writer, machine bool) {
	for _, v := range verbs() {
		if slices.Contains(byMachine, v.name) == machine {
			fmt.Fprintf(w, "  %-10s%s\n", v.name, v.about)
		}
	}
}

// usage is the whole help text.
func usage() string {
	var b strings.Builder
	b.WriteString(`znp-helper works on a Z-Stack coordinator stick and on Zigbee2MQTT's data directory.

  znp-helper read /dev/ttyUSB0 -o backup.json
  znp-helper write backup.json tcp://192.168.1.7:6638

PORT is a device such as /dev/serial/by-id/... or tcp://host:port. Nothing else may
use it meanwhile: stop Zigbee2MQTT first. IMAGE is a file, or - for standard input.

`)
	list(&b, false)
	b.WriteString("\nUsed by z2mha:\n")
	list(&b, true)
	b.WriteString(copyWarning + `
"znp-helper VERB --help" lists the arguments of one verb. On a terminal, and with -o,
it prints text; elsewhere one JSON object a line, errors on standard error.

What must outlive a reboot (records of what was written, and what a stick held before)
is kept in ` + stateHome() + `; the environment variable Z2MHA_STATE names
another directory, by its whole path.

Exit status:
`)
	for _, e := range helperapi.Exits() {
		fmt.Fprintf(&b, "  %-4d%-12s%s\n", int(e), e, e.Meaning())
	}
	return b.String()
}
