package readiness

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/network"
)

// source is what an answer was taken from; the zero one is the look at the node.
type source uint8

const (
	fromLook source = iota
	fromStick
	fromRecord  // what was read back from the stick when it was written last
	fromStaging // when the staged files were compared last
)

func (f source) at(s subject) time.Time {
	switch f {
	case fromStick:
		return s.v.StickAt
	case fromRecord:
		return s.in.Record.Sticks[s.v.Name].Verified
	case fromStaging:
		return s.in.Record.Staged[s.v.Name].At
	case fromLook:
	}
	return s.o.At
}

func stickPresent(s subject) (finding, bool) {
	if s.o.TTYPresent {
		return finding{ok: true, evidence: s.o.TTY}, true
	}
	if f, ok := s.in.Record.Fenced[s.v.Name]; ok && f.Rung == network.ByUnplug {
		return finding{evidence: "it was taken off USB, since it could not be silenced otherwise: " + f.By,
			fix: fmt.Sprintf("see what is wrong with the stick of %s, pull it and plug it in again", s.v.Name)}, true
	}
	return finding{evidence: s.o.TTY + " does not exist",
		fix: fmt.Sprintf("plug the stick of %s in, or correct `dongle` in the configuration", s.v.Name)}, true
}

func stickAnswers(s subject) (finding, bool) {
	switch {
	case s.v.Stick != nil:
		return finding{ok: true, evidence: s.v.Stick.Stick.String(), from: fromStick}, true
	case s.v.StickErr != nil:
		return finding{evidence: s.v.StickErr.Error(), from: fromStick,
			fix: fmt.Sprintf("see that `dongle` of %s names its Zigbee stick", s.v.Name)}, true
	}
	return finding{}, false
}

func silent(s subject) (finding, bool) {
	if s.v.Stick == nil {
		return finding{}, false
	}
	if s.v.Stick.Silent {
		return finding{ok: true, evidence: "it says " + s.v.Stick.State, from: fromStick}, true
	}
	return finding{evidence: fmt.Sprintf("the stick is in state %s although nothing runs: it may be on air", s.v.Stick.State),
		fix: "the next switchover resets it first", from: fromStick}, true
}

// firmware compares revisions: what is in a stick's memory is laid out by its firmware.
func firmware(s subject) (finding, bool) {
	air := s.in.Newest.Stick.Revision
	if b := s.in.Bridge; b != nil && b.Err == nil && b.Revision != 0 {
		air = b.Revision
	}
	if s.v.Stick == nil || air == 0 {
		return finding{}, false
	}
	own, on := s.v.Stick.Stick.Revision, cmp.Or(s.active, "the network")
	out := finding{ok: own == air, evidence: fmt.Sprintf("revision %d on both", own), from: fromStick}
	if out.ok {
		return out, true
	}
	out.evidence = fmt.Sprintf("the stick of %s has firmware revision %d, that of %s has %d", on, air, s.v.Name, own)
	out.fix = fmt.Sprintf("flash revision %d onto the stick of %s, or have Zigbee2MQTT restore its backup there once: `z2mha switchover --let-zigbee2mqtt-restore`", air, s.v.Name)
	switch warm, _ := Warm(*s.in, s.v.Name); {
	case s.in.AnyRevision:
		out.ok = true
		out.evidence += ", which `any_revision` allows"
	case warm && !s.in.Copies:
		out.note, out.warns = true, true
		out.evidence += "; it holds the network already, so nothing of the other's memory is brought onto it"
	}
	return out, true
}

// identity says whose network the stick would speak for. What it says of itself is its
// address only; the rest is what was read back when it was loaded.
func identity(s subject) (finding, bool) {
	air := s.in.coordinator()
	said := zigbee.IEEE(0)
	if s.v.Stick != nil {
		said = s.v.Stick.Address
	}
	held := s.in.Holds[s.v.Name]
	switch {
	case s.in.knows(s.v.Name):
		if diff := s.in.unlike(held); len(diff) > 0 {
			return finding{evidence: "it was loaded with another network: " + strings.Join(diff, ", "), fix: reload, from: fromRecord}, true
		}
		if said != 0 && said != held.IEEE {
			return finding{evidence: fmt.Sprintf("it says it is %s and was loaded as %s: it was exchanged or written by somebody else", said, held.IEEE),
				fix: reload, from: fromStick}, true
		}
		return finding{ok: true, evidence: fmt.Sprintf("PAN id %s, coordinator %s", held.PanID, held.IEEE), from: fromRecord}, air != 0
	case said == 0 || air == 0:
		return finding{}, false
	case said == air:
		return finding{ok: true, evidence: fmt.Sprintf("it says it is %s", said), from: fromStick}, true
	}
	return finding{note: true, evidence: fmt.Sprintf("it says it is %s and not %s: it was not loaded yet", said, air), fix: reload, from: fromStick}, true
}

// reload is what makes the memory of a stick known again.
const reload = "run `z2mha seed` (“Make ready …” on the page), which restarts Zigbee2MQTT once and loads the stick; a switchover loads it too"

// coordinator is the address of the network on air, 0 when that is not known.
func (in Input) coordinator() zigbee.IEEE {
	if b := in.Bridge; b != nil && b.Err == nil && b.Coordinator != 0 {
		return b.Coordinator
	}
	a, err := zigbee.ParseIEEE(in.Newest.Summary.Coordinator)
	if err != nil {
		return 0
	}
	return a
}

// unlike says how id is another network than the one on air, and than the last copy.
func (in Input) unlike(id zigbee.Identity) []string {
	var out []string
	diff := func(what string, is, should any) {
		if is != should {
			out = append(out, fmt.Sprintf("%s %v is not %v", what, is, should))
		}
	}
	if b := in.Bridge; b != nil && b.Err == nil && b.Coordinator != 0 {
		diff("coordinator", id.IEEE, b.Coordinator)
		diff("PAN id", id.PanID, b.PanID)
		diff("extended PAN id", id.ExtPanID, b.ExtPanID)
		diff("channel", id.Channel, b.Channel)
	}
	copied := func(what, is, should string) {
		if should != "" && len(out) == 0 {
			diff(what, is, should)
		}
	}
	copied("coordinator", id.IEEE.String(), in.Newest.Summary.Coordinator)
	copied("PAN id", id.PanID.String(), in.Newest.Summary.PanID)
	copied("network key", id.Key.Fingerprint(), in.Newest.Summary.KeyFingerprint)
	return out
}
