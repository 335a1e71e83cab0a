package config_test

import (
	"fmt"
	"strings"
	"testing"

	"z2mha/internal/config"
)

// withFence is a file whose attic has one fence, written in one line.
func withFence(t *testing.T, fence string) []byte {
	t.Helper()
	return []byte(strings.Replace(file(t, nil), "service: systemd", "service: systemd\n        fence: [{"+fence+"}]", 1))
}

func TestFenceProblems(t *testing.T) {
	const web = `kind: http, url: "http://a/?key=hunter2", confirm_url: "http://a/", expect: "off"`
	for _, tt := range []struct{ fence, want string }{
		{"entity: switch.a", "kind: missing; write home_assistant, mqtt, http, command or person"},
		{"kind: smoke", "write one of: home_assistant, mqtt, http, command, person"},
		{"kind: person, entity: switch.a", "entity: not a known key"},
		{"kind: home_assistant", "entity: missing; name what is to be turned off"},
		{"kind: home_assistant, entity: attic plug", "write it with its domain"},
		{"kind: home_assistant, entity: switch.a, below: 3", "watts without a sensor"},
		{"kind: home_assistant, entity: switch.a, power: sensor.a, below: 0", "not a number of watts"},
		{"kind: home_assistant, entity: switch.a, power: switch.a", "not a sensor"},
		{"kind: home_assistant, entity: switch.a, topic: x", "topic: not a known key"},
		{"kind: mqtt, topic: a, payload: x", "confirm_topic: missing"},
		{"kind: mqtt, topic: a/#, payload: x, confirm_topic: b, expect: y", "not a topic"},
		{"kind: mqtt, topic: a, payload: x, confirm_topic: b", "expect: missing"},
		{"kind: command, run: a", "confirm: missing"},
		{"kind: command, run: a, confirm: b, expect: c, off_time: 30s", "off_time is \"30s\": not below timeout"},
		{"kind: command, run: a, confirm: b, expect: c, timeout: 3m", "write a time from 5s to 100s"},
		{"kind: command, run: a, confirm: b, expect: c, off_time: 5", "write 5s for seconds"},
		{web + ", method: HEAD", "write one of: GET, POST"},
		{strings.Replace(web, "http://a/?", "ftp://a/?", 1), "url: not an address"},
		{web + ", expect_key: a b", "write it with dots"},
	} {
		_, err := config.Parse("z2mha.yaml", withFence(t, tt.fence))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v\nwant %s", tt.fence, err, tt.want)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: shows the secret: %v", tt.fence, err)
		}
	}
}

func TestFenceSecrets(t *testing.T) {
	t.Setenv("PLUG_URL", "http://user:hunter2@plug/off")
	c, err := config.Parse("z2mha.yaml", withFence(t, `kind: http, url: !env PLUG_URL, confirm_url: "http://a/?key=hunter2", authorization: Bearer hunter2, expect: "off"`))
	if err != nil {
		t.Fatal(err)
	}
	f := c.Networks[0].Nodes[0].Fences[0]
	if f.URL.Reveal() != "http://user:hunter2@plug/off" || f.Authorization.Reveal() != "Bearer hunter2" || f.Method != "POST" {
		t.Errorf("got %+v", f)
	}
	if shown := fmt.Sprintf("%+v %#v %v", f, f, c.Networks); strings.Contains(shown, "hunter2") {
		t.Errorf("it shows the secret: %s", shown)
	}
}
