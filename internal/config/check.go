package config

import (
	"fmt"
	"regexp"
	"strings"
)

// unstableName are device files numbered in the order of plugging in.
var unstableName = regexp.MustCompile(`^/dev/tty(USB|ACM)\d+$`)

// checkNetworks compares the networks with one another.
func checkNetworks(networks []Network, places []*section) {
	names, topics := map[string]int{}, map[string]string{}
	for i, n := range networks {
		if first, ok := names[n.Name]; ok && n.Name != "" {
			places[i].place("name").problem(fmt.Sprintf("a second network of this name, the first is in line %d", first), "give each network a name of its own")
		}
		if other, ok := topics[n.BaseTopic]; ok {
			places[i].place("base_topic").problem(
				fmt.Sprintf("the base topic %s is the one of network %s too", n.BaseTopic, other),
				"give each Zigbee2MQTT a base topic of its own, here and in its configuration.yaml")
		}
		names[n.Name], topics[n.BaseTopic] = places[i].place("name").node.Line, n.Name
	}
}

// checkNodes compares every node with those before it.
func checkNodes(networks []Network, nodes []placedNode) {
	for i, b := range nodes {
		checkDirectories(b)
		for _, a := range nodes[:i] {
			checkPair(networks, a, b)
		}
	}
}

func checkPair(networks []Network, a, b placedNode) {
	other := fmt.Sprintf("node %s of network %s", a.Name, networks[a.network].Name)
	if a.network == b.network && a.Name == b.Name && a.Name != "" {
		b.at.place("name").problem(fmt.Sprintf("a second node of this name, the first is in line %d", a.at.place("name").node.Line), "give each node of a network a name of its own")
	}
	if a.Host.Name == "" || a.Dongle == "" || a.Data == "" {
		return // incomplete; said already
	}
	sameHost := a.Host == b.Host
	if a.Dongle == b.Dongle && (sameHost || a.Dongle.InNetwork()) {
		b.at.place("dongle").problem("the same coordinator as "+other, "every node needs a coordinator of its own")
	}
	if sameHost && a.Data == b.Data {
		b.at.place("data").problem("the same host and data directory as "+other, "every node needs a data directory of its own")
	}
	if a.network == b.network && a.Host.Name == b.Host.Name {
		b.at.place("host").warn("the same machine as "+other, "they share fate: when it fails, both do")
	}
}

// checkDirectories keeps a node's directories apart: each is exchanged, emptied
// or removed as a whole.
func checkDirectories(n placedNode) {
	dirs := []struct{ key, path string }{{"data", n.Data}, {"staging", n.Staging}, {"previous", n.Previous}, {"helper_dir", n.HelperDir}}
	for i, b := range dirs {
		for _, a := range dirs[:i] {
			if a.path == "" || b.path == "" || !nested(a.path, b.path) {
				continue
			}
			n.at.place(b.key).problem(fmt.Sprintf("inside %s, around it or equal (%s)", a.key, a.path), "choose a directory beside it")
		}
	}
	if n.Data == "/" {
		n.at.place("data").problem("the root directory", "name Zigbee2MQTT's own data directory")
	}
}

func nested(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// place is the place of a key, or of the group when a default is used.
func (s *section) place(name string) value {
	if v, ok := s.fields[name]; ok && !v.isNull() {
		return v
	}
	return value{s.r, s.path(name), s.node}.hide()
}
