package config

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A placedNode is a node and where it stands in the file, for the checks that
// compare nodes with one another.
type placedNode struct {
	Node
	network int
	at      *section
}

func (r *reader) networks(top *section, policy Policy) []Network {
	v, ok := top.field("networks")
	if empty, written := top.fields["networks"]; !ok && written {
		empty.warnOfNone()
		return nil
	}
	if !ok {
		top.missing("networks", "describe at least one network with two nodes; see docs/z2mha.example.yaml")
		return nil
	}
	var out []Network
	var nodes []placedNode
	var places []*section
	for _, entry := range v.list() {
		s := entry.named().section()
		n, own := r.network(s, len(out), policy)
		out, nodes, places = append(out, n), append(nodes, own...), append(places, s)
	}
	if len(out) == 0 && v.node.Kind == yaml.SequenceNode {
		v.warnOfNone()
	}
	checkNetworks(out, places)
	checkNodes(out, nodes)
	return out
}

// warnOfNone is for a file that says on purpose that there is no network: one is to be
// added, or the last one was removed.
func (v value) warnOfNone() {
	v.warn("no network yet", "add two hosts on the page, or describe a network with two nodes; see docs/z2mha.example.yaml")
}

func (r *reader) network(s *section, index int, policy Policy) (Network, []placedNode) {
	defer s.close()
	n := Network{
		Name:      need(s, "name", parseName, "give the network a name, for example home"),
		BaseTopic: read(s, "base_topic", parseTopic, "zigbee2mqtt"),
		Policy:    r.policy(s, policy),
	}
	v, ok := s.field("nodes")
	if !ok {
		s.missing("nodes", "list the two or more hosts that can carry this network")
		return n, nil
	}
	var placed []placedNode
	for _, entry := range v.list() {
		at := entry.named().section()
		node := r.node(at)
		n.Nodes = append(n.Nodes, node)
		placed = append(placed, placedNode{node, index, at})
	}
	checkFailBack(n, s.place("policy"))
	if len(n.Nodes) < 2 && v.node.Kind == yaml.SequenceNode {
		v.problem("fewer than two nodes", "a network that survives its host needs a second one; add it")
	}
	return n, placed
}

func (r *reader) node(s *section) Node {
	defer s.close()
	return Node{
		Name:      need(s, "name", parseName, "give the node a name, for example attic"),
		Host:      need(s, "host", parseHost, "say where the host is reached over SSH"),
		User:      read(s, "user", parseWord, "root"),
		Become:    read(s, "become", oneOf(BecomeNone, BecomeSudo, BecomeDoas), BecomeNone),
		Dongle:    r.dongle(s),
		Data:      need(s, "data", parsePath, "say where Zigbee2MQTT has its data on this host, for example /opt/zigbee2mqtt/data"),
		Service:   r.service(s),
		Keep:      r.keep(s),
		Staging:   read(s, "staging", parsePath, ""),
		Previous:  read(s, "previous", parsePath, ""),
		HelperDir: read(s, "helper_dir", parsePath, ""),
		KeyFile:   read(s, "key_file", parsePath, ""),
		Fences:    r.fences(s),
	}
}

func (r *reader) dongle(s *section) Dongle {
	d := need(s, "dongle", parseDongle, "name the stick, for example /dev/serial/by-id/… or tcp://HOST:PORT")
	if unstableName.MatchString(string(d)) {
		s.place("dongle").warn("a name that may change at the next boot", "use the stick's name under /dev/serial/by-id/ if it has one")
	}
	return d
}

// service reads systemd, openrc, docker or the node's own commands.
func (r *reader) service(s *section) Service {
	unit, hasUnit := s.field("unit")
	container, hasContainer := s.field("container")
	v, ok := s.field("service")
	if !ok {
		s.missing("service", "write systemd, openrc, docker, or start: and stop: with commands of your own")
		return Service{}
	}
	if v.node.Kind == yaml.MappingNode {
		if hasUnit {
			unit.problem("a unit beside commands of your own", "remove it, or write service: systemd")
		}
		if hasContainer {
			container.problem("a container beside commands of your own", "remove it, or write service: docker")
		}
		return v.commands()
	}
	kind := scalar(v, oneOf(ServiceSystemd, ServiceOpenRC, ServiceDocker), "")
	if kind == ServiceDocker {
		if hasUnit {
			unit.problem("a unit of a docker container", "write container: with the container's name")
		}
		return Service{Kind: kind, Unit: read(s, "container", parseContainer, "zigbee2mqtt")}
	}
	if hasContainer && kind != "" {
		container.problem("a container of a service that is none", "write unit:, or service: docker")
	}
	return Service{Kind: kind, Unit: read(s, "unit", parseWord, "zigbee2mqtt")}
}

// parseContainer admits what docker and podman admit as a name.
func parseContainer(s string) (string, error) {
	if !containerName.MatchString(s) {
		return "", refuse("not the name of a container", "write the name that \"docker ps -a\" shows")
	}
	return s, nil
}

var containerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

func (v value) commands() Service {
	s := v.section()
	defer s.close()
	return Service{
		Kind:   ServiceCommands,
		Start:  need(s, "start", parseCommand, "write the command that starts Zigbee2MQTT and returns"),
		Stop:   need(s, "stop", parseCommand, "write the command that stops Zigbee2MQTT"),
		Status: read(s, "status", parseCommand, ""),
		Kill:   read(s, "kill", parseCommand, ""),
	}
}

func (r *reader) keep(s *section) []string {
	v, ok := s.field("keep")
	if !ok {
		return nil
	}
	var out []string
	for _, entry := range v.list() {
		key := scalar(entry, parseKey, "")
		if key == "" {
			continue
		}
		if shared, ok := sharedWith(key); ok {
			entry.problem(shared+" must be equal on all nodes", "take it out of the list")
			continue
		}
		out = append(out, key)
	}
	return out
}

// sharedKeys of Zigbee2MQTT's configuration.yaml no node may keep for itself: with
// another identity its stick would form another network, with other names or lists
// Zigbee2MQTT would rename or remove devices. The package that merges configurations
// refuses the same ones.
var sharedKeys = []string{
	"advanced.network_key", "advanced.pan_id", "advanced.ext_pan_id", "advanced.channel", "mqtt.base_topic",
	"homeassistant", "devices", "groups", "device_options", "passlist", "blocklist", "version",
}

// sharedWith returns the shared key that key is, contains or lies in.
func sharedWith(key string) (string, bool) {
	for _, shared := range sharedKeys {
		if key == shared || strings.HasPrefix(shared, key+".") || strings.HasPrefix(key, shared+".") {
			return shared, true
		}
	}
	return "", false
}

// named returns a list entry under the name that it gives itself, so that the
// messages say nodes[attic] and not nodes[0].
func (v value) named() value {
	if v.node.Kind != yaml.MappingNode {
		return v
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		if key, val := v.node.Content[i], v.node.Content[i+1]; key.Value == "name" && val.Value != "" {
			v.key = fmt.Sprintf("%s[%s]", v.key[:strings.LastIndexByte(v.key, '[')], val.Value)
		}
	}
	return v
}
