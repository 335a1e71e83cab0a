package setup

import (
	"bytes"
	"cmp"
	"strings"

	"go.yaml.in/yaml/v3"

	"z2mha/internal/config"
	"z2mha/internal/host/service"
	"z2mha/internal/z2m/yamledit"
)

// An entry is one node as it will be written. It is kept as JSON while it waits for
// another one, and holds no secret.
type entry struct {
	Network string        `json:"network"`
	Name    string        `json:"name"`
	Host    config.Host   `json:"host"`
	User    string        `json:"user"`
	Become  config.Become `json:"become"`
	Dongle  string        `json:"dongle"`
	Data    string        `json:"data"`
	Kind    service.Kind  `json:"kind"`
	Unit    string        `json:"unit"`

	// What a new network needs to know of its first node.
	BaseTopic string `json:"base_topic,omitempty"` // "" when it is not told
	Server    string `json:"server,omitempty"`     // broker, as this host is told
	Running   bool   `json:"running"`              // Zigbee2MQTT ran when it was looked at
}

// same says that b is meant to be the same node as a, or is in its way: a second try.
func (a entry) same(b entry) bool {
	return a.Network == b.Network && (a.Name == b.Name || a.Host == b.Host && (a.Dongle == b.Dongle || a.Data == b.Data))
}

func (a entry) where() string {
	return a.Host.String() + ", " + cmp.Or(kindNames[a.Kind], string(a.Kind))
}

// address is the host as it is written into the file.
func address(h config.Host) string {
	if h.Port != 22 {
		return h.String()
	}
	if strings.Contains(h.Name, ":") {
		return "[" + h.Name + "]"
	}
	return h.Name
}

// node is the entry of the list nodes.
func (a entry) node() *yaml.Node {
	n := mapping("name", a.Name, "host", address(a.Host), "user", a.User, "become", string(a.Become),
		"dongle", a.Dongle, "data", a.Data, "service", string(a.Kind))
	if a.Kind == service.Docker {
		return with(n, "container", text(a.Unit))
	}
	return with(n, "unit", text(a.Unit))
}

// networkOf is the entry of the list networks. The base topic is that of the node whose
// Zigbee2MQTT runs, since the other one will get its settings.
func networkOf(name string, nodes ...entry) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, e := range nodes {
		list.Content = append(list.Content, e.node())
	}
	return with(mapping("name", name, "base_topic", baseTopic(nodes)), "nodes", list)
}

func baseTopic(nodes []entry) string {
	topic := ""
	for _, e := range nodes {
		if e.Running && e.BaseTopic != "" {
			return e.BaseTopic
		}
		topic = cmp.Or(topic, e.BaseTopic)
	}
	return cmp.Or(topic, "zigbee2mqtt")
}

// broker is the address that the nodes are told, as it is seen from here; "" when none
// of them is told one.
func broker(nodes []entry) string {
	for _, e := range nodes {
		server, err := config.ParseServer(e.Server)
		if err != nil {
			continue
		}
		for _, own := range []string{"localhost:", "127.0.0.1:", "[::1]:"} {
			if port, ok := strings.CutPrefix(server.Address, own); ok {
				name := e.Host.Name
				if strings.Contains(name, ":") {
					name = "[" + name + "]"
				}
				server.Address = name + ":" + port
			}
		}
		return server.String()
	}
	return ""
}

func mapping(pairs ...string) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i := 0; i+1 < len(pairs); i += 2 {
		m = with(m, pairs[i], text(pairs[i+1]))
	}
	return m
}

func with(m *yaml.Node, key string, value *yaml.Node) *yaml.Node {
	m.Content = append(m.Content, text(key), value)
	return m
}

// text is a value with the quotes it needs.
func text(s string) *yaml.Node {
	n, err := yamledit.NodeOf(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return n
}

// block writes an entry of a list as lines: "- name: …".
func block(n *yaml.Node) string {
	return encoded(&yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{n}})
}

// flow writes an entry for a place between brackets.
func flow(n *yaml.Node) string {
	var style func(n *yaml.Node) *yaml.Node
	style = func(n *yaml.Node) *yaml.Node {
		c := *n
		c.Content = nil
		if c.Kind != yaml.ScalarNode {
			c.Style = yaml.FlowStyle
		}
		for _, child := range n.Content {
			c.Content = append(c.Content, style(child))
		}
		return &c
	}
	return strings.ReplaceAll(strings.TrimSpace(encoded(style(n))), "\n", " ")
}

func encoded(n *yaml.Node) string {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		panic(err) // nodes made here can always be written
	}
	return out.String()
}
