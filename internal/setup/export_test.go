package setup

import (
	"net/url"

	"z2mha/internal/config"
	"z2mha/web"
)

// SetRoot puts a directory before every path that a look reads.
func (s *Setup) SetRoot(dir string) { s.root = dir }

// DrawnLine is one line of the page with its way back.
type DrawnLine struct {
	Name, Line, Undo string
	Standby          bool
}

// Lines are the lines for a key.
func Lines(key string) []DrawnLine {
	key, _ = plainKey(key)
	var all []DrawnLine
	for _, k := range kinds {
		for _, standby := range []bool{false, true} {
			all = append(all, DrawnLine{k.name, k.line(key, standby), k.asRoot(k.undo), standby})
		}
	}
	return all
}

// Hosts are the lines for a key as the page shows them.
func Hosts(key string) []web.SetupHost { return hosts(key) }

// Splice adds a fixed node to a network of a file, or a network when add is "".
func Splice(src []byte, network string) (out []byte, text string, err error) {
	s := New(Config{File: "/nowhere/z2mha.yaml", State: "/nowhere"})
	e := entry{Network: network, Name: "shed", Host: config.Host{Name: "192.0.2.99", Port: 22}, User: "z2mha", Become: "sudo",
		Dongle: "/dev/serial/by-id/usb-shed-if00", Data: "/opt/zigbee2mqtt/data", Kind: "systemd", Unit: "zigbee2mqtt"}
	first := e
	first.Name, first.Host, first.Dongle = "barn", config.Host{Name: "192.0.2.98", Port: 22}, "/dev/serial/by-id/usb-barn-if00"
	st := state{src: src, exists: true, draft: &first}
	if _, wrong := s.parse(src); wrong != nil {
		st.wrong = wrong
	}
	p, err := s.plan(st, e)
	return p.result, p.yaml, err
}

// Cut takes a node of a network out of a file, or the network when that is all that can go.
func Cut(src []byte, network, node string) (out []byte, text string, err error) {
	s := New(Config{File: "/nowhere/z2mha.yaml", State: "/nowhere"})
	st := state{src: src, exists: true}
	st.parsed, st.wrong = s.parse(src)
	r, err := s.removal(st, url.Values{"network": {network}, "node": {node}})
	return r.result, r.cut, err
}

// Verdict is what is thought of a stick by its USB names.
func Verdict(path, vendor, product, manufacturer, name string) (note string, unusable bool) {
	v := stick{path: path, vendor: vendor, product: product, manufacturer: manufacturer, name: name}.verdict()
	return v.note, v.unusable
}

// ReadingShell is the script of a look for a root.
func ReadingShell(root string) string { return reading(root, nil).Shell }
