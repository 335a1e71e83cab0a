package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/rehearsal"
)

// A Policy is how a network is looked after, and when it is moved for practice.
type Policy struct {
	decide.Policy
	Rehearsal rehearsal.Plan
}

// DefaultPolicy is used for what the file leaves out.
var DefaultPolicy = Policy{Policy: decide.DefaultPolicy}

// policy reads the section of that name in s, over what holds otherwise.
func (r *reader) policy(s *section, d Policy) Policy {
	v, ok := s.field("policy")
	if !ok {
		return d
	}
	return v.policy(d)
}

func (v value) policy(d Policy) Policy {
	s := v.section()
	defer s.close()
	p := Policy{Policy: decide.Policy{
		Automatic:  read(s, "automatic", parseBool, d.Automatic),
		Settle:     read(s, "settle", lasting(time.Second, time.Minute), d.Settle),
		Confirm:    read(s, "confirm", lasting(5*time.Second, time.Hour), d.Confirm),
		Respawn:    read(s, "respawn", lasting(time.Second, 10*time.Minute), d.Respawn),
		CoolDown:   read(s, "cool_down", lasting(time.Minute, 7*24*time.Hour), d.CoolDown),
		PerDay:     read(s, "per_day", parseCount(1, 24), d.PerDay),
		Repairs:    read(s, "repairs", parseCount(0, 10), d.Repairs),
		Return:     read(s, "return", parseBool, d.Return),
		FailBack:   read(s, "fail_back", parseName, d.FailBack),
		AcceptRisk: read(s, "accept_risk", parseRisk, d.AcceptRisk),
	}, Rehearsal: d.Rehearsal}
	if rv, ok := s.field("rehearsal"); ok {
		p.Rehearsal = rv.rehearsal()
	}
	if v, ok := s.fields["accept_risk"]; ok && p.AcceptRisk != "" {
		v.warn("a stand-by takes over even when nobody can prove that the old stick is silent", "give each host a fence, then remove it")
	}
	if p.Confirm < p.Settle {
		s.place("confirm").problem("shorter than settle", "what is to be repaired first must be seen for a shorter time than what leads to a failover")
	}
	return p
}

// parseRisk takes nothing but the whole sentence: nobody writes it by chance.
func parseRisk(s string) (string, error) {
	if s == "" || s == decide.RiskWords {
		return s, nil
	}
	return "", refuse("not the words that accept it", fmt.Sprintf("without proof that the old stick is silent both may be on air; "+
		"to accept that write accept_risk: %q, word for word, else remove the line", decide.RiskWords))
}

// lasting returns a parser of durations within bounds.
func lasting(shortest, longest time.Duration) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		if err == nil && (d < shortest || d > longest) {
			err = refuse("not a time that can be used here", "write one from "+short(shortest)+" to "+short(longest))
		}
		return d, err
	}
}

// short leaves the zeros at the end of a duration out.
func short(d time.Duration) string {
	if d >= time.Hour {
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strings.TrimSuffix(d.String(), "0s")
}

func (v value) rehearsal() rehearsal.Plan {
	s := v.section()
	defer s.close()
	p := rehearsal.Plan{
		Cron:     several(s, "cron", parseCron),
		Blackout: several(s, "blackout", parseWindow),
		Zone:     read(s, "time_zone", parseZone, time.Local),
	}
	if p.Cron == nil {
		p.Zone = nil // off: nothing else matters, and equal policies are equal
	}
	return p
}

// several reads a list, or one value alone.
func several[T any](s *section, name string, parse func(string) (T, error)) []T {
	v, ok := s.field(name)
	if !ok {
		return nil
	}
	entries := []value{v}
	if v.node.Kind == yaml.SequenceNode {
		entries = v.list()
	}
	var out []T
	for _, e := range entries {
		before := len(e.r.problems)
		var none T
		if x := scalar(e, parse, none); len(e.r.problems) == before {
			out = append(out, x)
		}
	}
	return out
}

func parseCron(s string) (rehearsal.Cron, error) {
	c, err := rehearsal.ParseCron(s)
	if err != nil {
		return "", refuse(err.Error(), `write for example "31 3 * * 3" for Wednesdays at 03:31`)
	}
	return c, nil
}

func parseWindow(s string) (rehearsal.Window, error) {
	w, err := rehearsal.ParseWindow(s)
	if err != nil {
		return rehearsal.Window{}, refuse(err.Error(), `write days as in "12-24..01-06", or hours as in "mon..fri 06:00..08:30"`)
	}
	return w, nil
}

func parseZone(s string) (*time.Location, error) {
	z, err := time.LoadLocation(s)
	if err != nil || s == "" {
		return nil, refuse("not a time zone that this machine knows", "write one as Europe/Berlin, or leave it out for that of this machine")
	}
	return z, nil
}

// checkFailBack sees that a network can go back to where it shall.
func checkFailBack(n Network, at value) {
	if n.Policy.FailBack == "" || slices.ContainsFunc(n.Nodes, func(x Node) bool { return x.Name == n.Policy.FailBack }) {
		return
	}
	at.problem(fmt.Sprintf("fail_back names %s, which is no node of this network", n.Policy.FailBack), "name one of its nodes, or write it into the policy of the network that has it")
}
