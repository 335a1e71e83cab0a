package helperapi

import (
	"strconv"
	"time"

	"z2mha/internal/dongle/zigbee"
)

// The helper's verbs.
const (
	VerbInfo     = "info"
	VerbRead     = "read"
	VerbWrite    = "write"
	VerbPatch    = "patch"
	VerbVerify   = "verify"
	VerbReset    = "reset"
	VerbPark     = "park"
	VerbUnplug   = "unplug"
	VerbReplug   = "replug"
	VerbListen   = "listen"
	VerbProbe    = "probe"
	VerbEnd      = "end"
	VerbManifest = "manifest"
	VerbPromote  = "promote"
	VerbSFTP     = "sftp"
	VerbVersion  = "version"
)

// Stdin as an image path means standard input, to its end.
const Stdin = "-"

// The Args types below are one verb's arguments each. Argv returns the words after
// the program's name, verb first; they carry no secrets.

// InfoArgs asks who the stick is.
type InfoArgs struct {
	Port     string
	Attached bool // stop when stdin ends, which it does when the connection is lost
}

// Argv returns the command line.
func (a InfoArgs) Argv() []string {
	return new(argv).verb(VerbInfo, a.Port).flag("--attached", a.Attached).words
}

// ReadArgs reads the whole memory. With Known a Layout on standard input tells what is
// there to be read.
type ReadArgs struct {
	Port     string
	Known    bool
	Attached bool
}

// Argv returns the command line.
func (a ReadArgs) Argv() []string {
	return new(argv).verb(VerbRead, a.Port).flag("--known", a.Known).flag("--attached", a.Attached).words
}

// WriteArgs loads an image, read from Image or, with Stdin, from standard input.
type WriteArgs struct {
	Image        string
	Port         string
	Run          string
	FromRevision uint32 // firmware the image was read from; or else AnyRevision
	AnyRevision  bool
	ExpectBefore string // hash the stick's content must have, "" for any
	Keep         string // directory for the old content, "" for the default
	State        string // directory of run records, "" for the default
}

// Argv returns the command line.
func (a WriteArgs) Argv() []string {
	w := new(argv).verb(VerbWrite, a.Image, a.Port).value("--run", a.Run)
	if a.FromRevision != 0 {
		w.value("--from-revision", strconv.FormatUint(uint64(a.FromRevision), 10))
	}
	return w.flag("--any-revision", a.AnyRevision).
		value("--expect-before", a.ExpectBefore).
		value("--keep", a.Keep).
		value("--state", a.State).words
}

// PatchArgs changes some items of a parked stick; which, a Patch on standard input tells.
type PatchArgs struct {
	Port  string
	Run   string
	Reset bool   // boot the stick at the end
	Keep  string // directory for the old values, "" for the default
	State string // directory of run records, "" for the default
}

// Argv returns the command line.
func (a PatchArgs) Argv() []string {
	return new(argv).verb(VerbPatch, a.Port).value("--run", a.Run).
		flag("--reset", a.Reset).
		value("--keep", a.Keep).
		value("--state", a.State).words
}

// VerifyArgs compares a stick with an image.
type VerifyArgs struct {
	Image string
	Port  string
}

// Argv returns the command line.
func (a VerifyArgs) Argv() []string {
	return new(argv).verb(VerbVerify, a.Image, a.Port).words
}

// SilenceArgs are those of reset and park. A Run that is done is not done again:
// give every request for fresh proof a new one, or none.
type SilenceArgs struct {
	Port  string
	Run   string
	State string
}

// ResetArgv resets the stick in any case.
func (a SilenceArgs) ResetArgv() []string { return a.argv(VerbReset) }

// ParkArgv resets the stick unless it is in HOLD.
func (a SilenceArgs) ParkArgv() []string { return a.argv(VerbPark) }

func (a SilenceArgs) argv(verb string) []string {
	return new(argv).verb(verb, a.Port).value("--run", a.Run).value("--state", a.State).words
}

// AwayArgs are those of unplug and replug. Keep is where the helper notes which USB device
// it was, for as long as that is away: then no port leads to it.
type AwayArgs struct {
	Port string
	Keep string // directory, "" for the default
}

// UnplugArgv takes the stick's USB device away.
func (a AwayArgs) UnplugArgv() []string { return a.argv(VerbUnplug) }

// ReplugArgv gives it back.
func (a AwayArgs) ReplugArgv() []string { return a.argv(VerbReplug) }

func (a AwayArgs) argv(verb string) []string {
	return new(argv).verb(verb, a.Port).value("--keep", a.Keep).words
}

// ListenArgs asks a parked stick who is on air in a network.
type ListenArgs struct {
	Port     string
	Channel  zigbee.Channel
	ExtPanID zigbee.ExtPanID
}

// Argv returns the command line.
func (a ListenArgs) Argv() []string {
	return new(argv).verb(VerbListen, a.Port).
		value("--channel", strconv.Itoa(int(a.Channel))).
		value("--ext-pan-id", a.ExtPanID.String()).words
}

// ProbeArgs says what to look at; every field may be empty.
type ProbeArgs struct {
	TTY     string // device or tcp:// address
	Also    string // another port: only which device it is
	Data    string
	Staging string
	Broker  string // host:port; whether it can be connected to
	Program string // Zigbee2MQTT's folder or script, for its version
}

// Argv returns the command line.
func (a ProbeArgs) Argv() []string {
	return new(argv).verb(VerbProbe).
		value("--tty", a.TTY).
		value("--also", a.Also).
		value("--data", a.Data).
		value("--staging", a.Staging).
		value("--broker", a.Broker).
		value("--program", a.Program).words
}

// EndArgs ends Zigbee2MQTT as soon as it has saved. Ask is a line of shell that asks
// the service manager for the end, and Settle one that makes it agree afterwards. Both
// may be empty. With Term whoever is to end is sent a TERM besides, unless a supervisor
// runs it that would start it again.
type EndArgs struct {
	TTY    string
	Data   string
	Budget time.Duration // for the saving
	Term   bool
	Ask    string
	Settle string
	Run    string
	State  string
}

// Argv returns the command line.
func (a EndArgs) Argv() []string {
	return new(argv).verb(VerbEnd).
		value("--tty", a.TTY).
		value("--data", a.Data).
		value("--budget", a.Budget.String()).
		flag("--term", a.Term).
		value("--ask", a.Ask).
		value("--settle", a.Settle).
		value("--run", a.Run).
		value("--state", a.State).words
}

// ManifestArgs lists and hashes a directory. An Exclude without a slash matches a
// name at any depth, and then all below it; with one, a path from the root.
type ManifestArgs struct {
	Dir      string
	Exclude  []string
	Attached bool
	Talk     bool // answer each Fetch on standard input, until that ends
}

// Argv returns the command line.
func (a ManifestArgs) Argv() []string {
	return new(argv).verb(VerbManifest, a.Dir).
		values("--exclude", a.Exclude).
		flag("--attached", a.Attached).
		flag("--talk", a.Talk).words
}

// PromoteArgs makes the staging directory the data directory, keeping the old one
// as Previous. Local names (log, ota, node_modules …) stay with the host. With Undo
// the promotion of the same run is taken back. Without Expect, the hash of what was
// staged (see HashFiles; local names apart), no promotion begins, but one that had
// begun is continued or its result told.
type PromoteArgs struct {
	Staging  string
	Data     string
	Previous string
	Run      string
	Local    []string
	Expect   string
	Undo     bool
	State    string
}

// Argv returns the command line.
func (a PromoteArgs) Argv() []string {
	return new(argv).verb(VerbPromote).
		value("--staging", a.Staging).
		value("--data", a.Data).
		value("--previous", a.Previous).
		value("--run", a.Run).
		values("--local", a.Local).
		value("--expect", a.Expect).
		flag("--undo", a.Undo).
		value("--state", a.State).words
}

// SFTPArgs serves SFTP on stdin and stdout.
type SFTPArgs struct{ ReadOnly bool }

// Argv returns the command line.
func (a SFTPArgs) Argv() []string {
	return new(argv).verb(VerbSFTP).flag("--read-only", a.ReadOnly).words
}

// VersionArgs asks for the helper's version.
type VersionArgs struct{}

// Argv returns the command line.
func (VersionArgs) Argv() []string { return []string{VerbVersion} }

// argv collects words; empty values leave their flag out.
type argv struct{ words []string }

func (a *argv) verb(words ...string) *argv {
	a.words = append(a.words, words...)
	return a
}

func (a *argv) flag(name string, on bool) *argv {
	if on {
		a.words = append(a.words, name)
	}
	return a
}

func (a *argv) value(name, value string) *argv {
	if value != "" {
		a.words = append(a.words, name, value)
	}
	return a
}

func (a *argv) values(name string, values []string) *argv {
	for _, v := range values {
		a.value(name, v)
	}
	return a
}
