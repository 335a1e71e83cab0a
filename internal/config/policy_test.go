package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"z2mha/internal/config"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/rehearsal"
)

func TestPolicy(t *testing.T) {
	c, err := config.Parse("z2mha.yaml", []byte(strings.Replace(file(t, nil), "name: home\n", "name: home\n    policy: {confirm: 45s, fail_back: attic}\n", 1)+
		"policy: {automatic: false, cool_down: 2h, accept_risk: two coordinators may speak at once}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 1 || c.Warnings[0].Key != "policy.accept_risk" {
		t.Errorf("the risk is not warned of: %v", c.Warnings)
	}
	want := config.DefaultPolicy
	want.Automatic, want.CoolDown, want.AcceptRisk = false, 2*time.Hour, decide.RiskWords
	if d := cmp.Diff(want, c.Policy, cmpopts.IgnoreFields(config.Policy{}, "Rehearsal")); d != "" {
		t.Errorf("the policy of all (-want +got):\n%s", d)
	}
	want.Confirm, want.FailBack = 45*time.Second, "attic"
	if d := cmp.Diff(want, c.Networks[0].Policy, cmpopts.IgnoreFields(config.Policy{}, "Rehearsal")); d != "" {
		t.Errorf("the network's own policy lies over that of all (-want +got):\n%s", d)
	}
}

func TestRehearsal(t *testing.T) {
	c, err := config.Parse("z2mha.yaml", []byte(file(t, nil)+`policy:
  rehearsal:
    cron: ["31 3 * * 3", "31 3 * * 0"]
    time_zone: Europe/Berlin
    blackout: 12-24..01-06
`))
	if err != nil {
		t.Fatal(err)
	}
	got := c.Networks[0].Policy.Rehearsal
	if d := cmp.Diff([]rehearsal.Cron{"31 3 * * 3", "31 3 * * 0"}, got.Cron); d != "" {
		t.Error(d)
	}
	if got.Zone.String() != "Europe/Berlin" || len(got.Blackout) != 1 || got.Blackout[0].String() != "12-24..01-06" {
		t.Errorf("got %+v", got)
	}
}

func TestPolicyProblems(t *testing.T) {
	for _, tt := range []struct{ name, wrong, want string }{
		{"spells out the words of the risk", "accept_risk: true", `write accept_risk: "two coordinators may speak at once", word for word`},
		{"takes no words that merely resemble them", "accept_risk: Two coordinators may speak at once", "not the words that accept it"},
		{"knows its keys", "confrim: 20s", "not a known key"},
		{"wants a time that can be meant", "confirm: 1s", "write one from 5s to 1h"},
		{"wants the repair before the failover", "{settle: 30s, confirm: 10s}", "shorter than settle"},
		{"wants a node of the network", "fail_back: nowhere", "no node of this network"},
		{"allows at least one failover", "per_day: 0", "from 1 to 24"},
		{"wants five fields", "rehearsal: {cron: 31 3 * *}", "not five fields"},
		{"wants one a night", `rehearsal: {cron: "* * * * *"}`, "more than once a night"},
		{"wants a zone that exists", "rehearsal: {cron: 31 3 * * 0, time_zone: Mars/Olympus}", "not a time zone"},
		{"wants windows that it understands", "rehearsal: {cron: 31 3 * * 0, blackout: [christmas]}", "neither days nor hours"},
		{"knows the keys of a rehearsal", "rehearsal: {crown: 31 3 * * 0}", "not a known key"},
	} {
		text := "policy: {" + strings.Trim(tt.wrong, "{}") + "}\n"
		if strings.HasPrefix(tt.wrong, "rehearsal") {
			text = "policy:\n  " + tt.wrong + "\n"
		}
		if _, err := config.Parse("z2mha.yaml", []byte(file(t, nil)+text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
