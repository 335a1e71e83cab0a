package home

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// State is the controller's own directory: journal, shelf, keys.
func (h *Home) State() string { return filepath.Join(h.Dir, "controller", "state") }

// keyFile is the key the hosts admit.
func (h *Home) keyFile() string { return filepath.Join(h.Dir, "controller", "id_ed25519") }

// writeController writes z2mha.yaml for the two nodes.
func (h *Home) writeController(_ context.Context, o Options) error {
	h.Config = filepath.Join(h.Dir, "controller", "z2mha.yaml")
	return os.WriteFile(h.Config, []byte(h.Configuration()+o.More), 0o600)
}

// Configuration is the text of z2mha.yaml.
func (h *Home) Configuration() string {
	var b strings.Builder
	fmt.Fprintf(&b, "state: %s\n\nmqtt:\n  server: mqtt://%s\n%s\n", h.State(), h.addr, credentials(h.login))
	fmt.Fprint(&b, "networks:\n  - name: home\n    base_topic: zigbee2mqtt\n    nodes:\n")
	for _, n := range h.Nodes() {
		b.WriteString(n.configuration(h.keyFile()))
	}
	fmt.Fprint(&b, "\ntiming:\n  settle: 200ms\n  stop: 40s\n  start: 40s\n  prove: 30s\n  watch: 3s\n")
	return b.String()
}

func (n *Node) configuration(keyFile string) string {
	return fmt.Sprintf(`      - name: %[1]s
        host: %[2]s
        user: %[3]s
        key_file: %[4]s
        dongle: %[5]s
        data: %[6]s
        helper_dir: %[7]s/helper
        service:
          start: %[8]s start
          stop: %[8]s stop
          status: %[8]s status
          kill: %[8]s kill
`, n.Name, n.Host.Addr(), userName(), keyFile, n.TTY, n.Data, n.Dir, n.Script())
}

// userName is the login on the hosts: whoever runs this.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "root"
}
