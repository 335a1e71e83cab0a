package setup

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"z2mha/internal/config"
	"z2mha/web"
)

// A state is what is there: z2mha.yaml, and the node that waits.
type state struct {
	path   string // of the file itself, where a link leads
	src    []byte // of z2mha.yaml
	exists bool
	err    error          // why z2mha.yaml could not be read
	parsed *config.Config // nil when it cannot be used
	wrong  []string       // why not
	draft  *entry
	saved  []byte // setup.json
}

// read looks at the disk; it does not fail, it remembers what failed.
func (s *Setup) read() state {
	st := state{path: s.cfg.File}
	if real, err := filepath.EvalSymlinks(st.path); err == nil {
		st.path = real
	}
	src, err := os.ReadFile(st.path)
	switch {
	case err == nil:
		st.src, st.exists = src, true
	case !errors.Is(err, fs.ErrNotExist):
		st.err = err
	}
	if st.exists {
		st.parsed, st.wrong = s.parse(src)
	}
	st.saved, _ = os.ReadFile(s.draftFile())
	st.draft = readDraft(st.saved)
	return st
}

// parse is config.ParseWith with what is wrong as lines for people.
func (s *Setup) parse(src []byte) (*config.Config, []string) {
	c, err := config.ParseWith(s.cfg.File, src, s.defaults())
	if problems, ok := errors.AsType[*config.Problems](err); ok {
		var lines []string
		for _, p := range problems.List {
			lines = append(lines, clean(p.String()))
		}
		return nil, lines
	}
	if err != nil {
		return nil, []string{clean(err.Error())}
	}
	return c, nil
}

// defaults lets an add-on's file do without a broker, also while Home Assistant has
// none: it will tell.
func (s *Setup) defaults() config.Defaults {
	d := s.cfg.Defaults()
	if d.MQTT == nil && s.cfg.Addon {
		d.MQTT = &config.MQTT{Server: config.Server{Address: "localhost:1883"}, ClientID: "z2mha"}
	}
	return d
}

func (s *Setup) draftFile() string { return filepath.Join(s.cfg.State, "setup.json") }

// readDraft returns nil for what cannot be used: the host can be looked at again.
func readDraft(data []byte) *entry {
	var e entry
	if json.Unmarshal(data, &e) != nil || e.Name == "" || e.Network == "" {
		return nil
	}
	return &e
}

// nodes are those of z2mha.yaml in their networks, also when other things are wrong
// with it.
func (st state) nodes(network string) []string {
	b, err := openBook(st.src)
	if err != nil {
		return nil
	}
	n := b.network(network)
	if n == nil {
		return nil
	}
	var names []string
	_, list := pair(n, "nodes")
	if list == nil {
		return nil
	}
	for _, one := range resolved(list).Content {
		if _, name := pair(resolved(one), "name"); name != nil {
			names = append(names, resolved(name).Value)
		}
	}
	return names
}

func (st state) has(network, node string) bool {
	for _, name := range st.nodes(network) {
		if name == node {
			return true
		}
	}
	return false
}

// list is what is set up already.
func (st state) list() []web.SetupNode {
	var list []web.SetupNode
	if st.parsed != nil {
		for _, n := range st.parsed.Networks {
			for _, x := range n.Nodes {
				list = append(list, web.SetupNode{Network: n.Name, Node: x.Name, Text: x.Host.String() + ", " + string(x.Service.Kind), Check: true})
			}
		}
	}
	if d := st.draft; d != nil {
		list = append(list, web.SetupNode{Network: clean(d.Network), Node: clean(d.Name),
			Text: clean(d.where()) + "; waits for a second node of this network before it is written"})
	}
	return list
}

// nextNetwork is the network that the next node most likely belongs to.
func (st state) nextNetwork() string {
	switch {
	case st.draft != nil:
		return st.draft.Network
	case st.parsed != nil && len(st.parsed.Networks) == 1:
		return st.parsed.Networks[0].Name
	case st.parsed == nil && !st.exists, st.parsed != nil && len(st.parsed.Networks) == 0:
		return "home"
	}
	return ""
}
