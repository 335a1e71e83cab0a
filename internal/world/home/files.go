package home

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/world/z2msim"
)

// WriteActive fills the data directory of the node that has carried the network so
// far, to match the image of its stick.
func (n *Node) WriteActive(broker string, login Login, image *nvimage.Image, now time.Time) error {
	backup, err := z2msim.EncodeBackup(image, now)
	if err != nil {
		return err
	}
	return n.write(map[string]string{
		"configuration.yaml":      n.activeConfiguration(broker, login),
		"database.db":             database(now),
		"coordinator_backup.json": string(backup),
		"state.json":              states(),
	})
}

// WriteStandby leaves what a fresh installation on the other host has: a
// configuration of its own and nothing else.
func (n *Node) WriteStandby(broker string, login Login) error {
	return n.write(map[string]string{"configuration.yaml": n.standbyConfiguration(broker, login)})
}

func (n *Node) write(files map[string]string) error {
	if err := os.MkdirAll(n.Data, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(n.Data, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) activeConfiguration(broker string, login Login) string {
	return fmt.Sprintf(`# Zigbee2MQTT at home. This comment must survive every switchover.
version: 5
mqtt:
  base_topic: zigbee2mqtt
  server: mqtt://%s # the broker runs on the home server
%sserial:
  port: %s # the stick in the attic
  adapter: zstack
advanced:
  channel: %d
  pan_id: %d
  # Never change these: every device would have to be paired again.
  ext_pan_id: %s
  network_key: %s
  log_output:
    - console
  log_level: info
frontend:
  enabled: false
  port: %d
homeassistant:
  enabled: false
z2mha:
  node: %s
devices:
%s`, broker, credentials(login), n.TTY, Identity.Channel, uint16(Identity.PanID),
		numbers(binary.BigEndian.AppendUint64(nil, uint64(Identity.ExtPanID))), numbers(networkKey[:]),
		n.frontend, n.Name, deviceEntries())
}

func (n *Node) standbyConfiguration(broker string, login Login) string {
	return fmt.Sprintf(`# Zigbee2MQTT in the cellar, waiting.
version: 5
mqtt:
  base_topic: zigbee2mqtt
  server: mqtt://%s
%sserial:
  port: %s # the stick in the cellar
  adapter: zstack
frontend:
  enabled: false
  port: %d # the usual port is taken here
z2mha:
  node: %s
`, broker, credentials(login), n.TTY, n.frontend, n.Name)
}

func credentials(login Login) string {
	if login == (Login{}) {
		return ""
	}
	return fmt.Sprintf("  user: %s\n  password: %s\n", login.User, login.Password)
}

// numbers is a YAML flow list of bytes.
func numbers(b []byte) string {
	parts := make([]string, len(b))
	for i, c := range b {
		parts[i] = strconv.Itoa(int(c))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func deviceEntries() string {
	var b strings.Builder
	for _, d := range devices {
		fmt.Fprintf(&b, "  '%s':\n    friendly_name: %s\n", d.ieee, d.name)
	}
	return b.String()
}

func states() string {
	out := map[string]json.RawMessage{}
	for _, d := range devices {
		out[d.ieee.String()] = json.RawMessage(d.state)
	}
	raw, err := json.MarshalIndent(out, "", "    ")
	if err != nil {
		panic(err) // constants
	}
	return string(raw)
}

// A line is one entry of database.db, fields in Zigbee2MQTT's order.
type line struct {
	ID             int                 `json:"id"`
	Type           string              `json:"type"`
	IEEE           string              `json:"ieeeAddr"`
	Nwk            int                 `json:"nwkAddr"`
	MakerID        int                 `json:"manufId"`
	Maker          string              `json:"manufName,omitempty"`
	Power          string              `json:"powerSource,omitempty"`
	Model          string              `json:"modelId,omitempty"`
	EPList         []int               `json:"epList"`
	Endpoints      map[string]endpoint `json:"endpoints"`
	Interviewed    bool                `json:"interviewCompleted"`
	InterviewState string              `json:"interviewState"`
	Meta           json.RawMessage     `json:"meta"`
	LastSeen       int64               `json:"lastSeen,omitempty"`
}

type endpoint struct {
	Profile  int             `json:"profId"`
	ID       int             `json:"epId"`
	Device   int             `json:"devId"`
	In       []int           `json:"inClusterList"`
	Out      []int           `json:"outClusterList"`
	Clusters json.RawMessage `json:"clusters"`
	Binds    []int           `json:"binds"`
	Reports  []int           `json:"configuredReportings"`
	Meta     json.RawMessage `json:"meta"`
}

var (
	empty      = json.RawMessage("{}")
	configured = json.RawMessage(`{"configured":"0.0.0"}`) // by Zigbee2MQTT, when it was paired
)

func database(now time.Time) string {
	lines := []line{coordinatorLine()}
	for i, d := range devices {
		lines = append(lines, d.line(i+2, now))
	}
	var b strings.Builder
	for _, l := range lines {
		raw, err := json.Marshal(l)
		if err != nil {
			panic(err) // constants
		}
		b.Write(append(raw, '\n'))
	}
	return b.String()
}

func coordinatorLine() line {
	return line{
		ID: 1, Type: "Coordinator", IEEE: atticIEEE.String(), EPList: []int{1},
		Endpoints:   map[string]endpoint{"1": newEndpoint(5, nil)},
		Interviewed: true, InterviewState: "SUCCESSFUL", Meta: empty,
	}
}

func (d device) line(id int, now time.Time) line {
	return line{
		ID: id, Type: d.kind, IEEE: d.ieee.String(), Nwk: int(d.nwk), MakerID: 4742, Maker: d.maker,
		Power: d.power, Model: d.model, EPList: []int{1},
		Endpoints:   map[string]endpoint{"1": newEndpoint(int(d.deviceID), d.clusters)},
		Interviewed: true, InterviewState: "SUCCESSFUL", Meta: configured,
		LastSeen: now.Add(-time.Minute).UnixMilli(),
	}
}

func newEndpoint(deviceID int, clusters []uint16) endpoint {
	in := make([]int, len(clusters))
	for i, c := range clusters {
		in[i] = int(c)
	}
	return endpoint{
		Profile: 0x0104, ID: 1, Device: deviceID, In: in, Out: []int{},
		Clusters: empty, Binds: []int{}, Reports: []int{}, Meta: empty,
	}
}
