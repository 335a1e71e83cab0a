package z2msim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/zigbee"
)

const configuration = `# a comment
mqtt:
  server: mqtt://127.0.0.1:1883
  password: '!secret broker'
advanced:
  pan_id: 4660
  ext_pan_id: [1, 2, 3, 4, 5, 6, 7, 8]
  network_key: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
z2mha: {node: attic}
`

func configIn(t *testing.T) (*config, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"configuration.yaml": configuration, "secret.yaml": "broker: hush\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := loadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c, filepath.Join(dir, "configuration.yaml")
}

func TestConfigurationIsReadAsZigbee2MQTTDoes(t *testing.T) {
	c, _ := configIn(t)
	got, err := c.identity()
	if err != nil {
		t.Fatal(err)
	}
	want := zigbee.Identity{
		PanID: 0x1234, ExtPanID: 0x0102030405060708, Channel: defaultChannel,
		Key: zigbee.Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := c.text("mqtt.password", ""); got != "hush" {
		t.Errorf("password %q, want the referenced one", got)
	}
}

func TestBridgeInfoShowsNoSecrets(t *testing.T) {
	c, _ := configIn(t)
	public := c.public()
	want := map[string]any{"node": "attic"}
	if diff := cmp.Diff(want, public["z2mha"]); diff != "" {
		t.Error("unknown keys must be published:", diff)
	}
	if diff := cmp.Diff(map[string]any{"base_topic": "zigbee2mqtt", "server": "mqtt://127.0.0.1:1883"}, public["mqtt"]); diff != "" {
		t.Error(diff)
	}
	if _, ok := public["advanced"].(map[string]any)["network_key"]; ok {
		t.Error("the network key is published")
	}
	if _, ok := c.values["advanced"].(map[string]any)["network_key"]; !ok {
		t.Error("hiding the key removed it from the configuration")
	}
}

func TestConfigurationIsRewrittenOnlyWhenItChanges(t *testing.T) {
	c, path := configIn(t)
	c.apply(map[string]any{})
	c.apply(map[string]any{"advanced": map[string]any{"pan_id": 4660}})
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	if raw, _ := os.ReadFile(path); string(raw) != configuration {
		t.Errorf("an unchanged configuration was rewritten:\n%s", raw)
	}

	c.apply(map[string]any{"advanced": map[string]any{"log_level": "debug"}})
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	raw, _ := os.ReadFile(path)
	if strings.Contains(string(raw), "# a comment") || !strings.Contains(string(raw), "node: attic") {
		t.Errorf("a saved configuration loses comments and keeps unknown keys:\n%s", raw)
	}
}
