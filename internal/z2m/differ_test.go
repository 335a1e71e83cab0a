package z2m_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/z2m"
)

func TestCompareConfiguration(t *testing.T) {
	after := edit("channel: 15", "channel: 20")(home, "configuration.yaml")
	after = edit("enabled: true", "enabled: true\n  auth_token: letmein")(after, "configuration.yaml")
	after = edit("  user: z2m\n", "")(after, "configuration.yaml")
	after = edit("mqtt://192.0.2.1:1883", "mqtt://bob:hunter22@192.0.2.9:1883")(after, "configuration.yaml")
	after = edit("advanced:", "advanced:\n  note: say hunter2 aloud\n  mirror: [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]\n  hooks: [{url: a, api_key: b}]")(after, "configuration.yaml")
	after = edit("lamp", "hall")(after, "devices.yaml")
	after = edit("hunter2", "hunter3")(after, "secret.yaml")
	got, err := z2m.CompareConfiguration(home.get, after.get)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"advanced.channel: 15 → 20",
		"advanced.hooks[0].api_key: added (hidden)",
		"advanced.hooks[0].url: added, a",
		"advanced.mirror: added (hidden)",
		"advanced.note: added (hidden)",
		"devices.0x0000000000000a01.friendly_name: lamp → hall",
		"frontend.auth_token: added (hidden)",
		"mqtt.server: changed (hidden)",
		"mqtt.user: removed, was z2m",
		"secret.yaml: mqtt_password: changed (hidden)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, secret := range []string{"hunter", "letmein", "16", "14"} {
		if strings.Contains(strings.Join(got, "\n"), secret) {
			t.Errorf("%s is shown", secret)
		}
	}
	same, err := z2m.CompareConfiguration(after.get, after.get)
	if err != nil || len(same) > 0 {
		t.Errorf("the same: %v, %v", same, err)
	}
}

// A login in an address is no secret that a file tells of, and is hidden all the same.
func TestCompareConfigurationHidesLogins(t *testing.T) {
	with := func(server string) z2m.Files {
		return dir{"configuration.yaml": "mqtt:\n  server: " + server + "\n"}.get
	}
	got, err := z2m.CompareConfiguration(with("mqtt://a:pass@b"), with("mqtt://c:word@b"))
	if err != nil || !slices.Equal(got, []string{"mqtt.server: mqtt://(hidden)@b → mqtt://(hidden)@b"}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := z2m.CompareConfiguration(with("x"), dir{"configuration.yaml": "password: 'hunter2"}.get); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a torn one: %v", err)
	}
}
