package setup

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"z2mha/internal/config"
	"z2mha/internal/failover/network"
	"z2mha/internal/z2m/yamledit"
)

// A plan is what saving would write, and what is shown of it before.
type plan struct {
	entry   entry
	waits   bool   // the node is kept as a draft; z2mha.yaml stays as it is
	clears  bool   // the draft is used up
	result  []byte // of z2mha.yaml, or of setup.json when the node waits
	yaml    string // what is added, and nothing else of the file
	news    []string
	dropped *entry // a draft that makes room
	seen    string // fingerprint of everything that this plan was made for
}

// A doing is what is being done when it is refused.
type doing string

func (d doing) refused(why, remedy string) error {
	return &network.RefusedError{What: string(d), Why: why, Remedy: remedy}
}

func (a entry) adding() doing {
	return doing("add the node " + a.Name + " to the network " + a.Network)
}

func refused(e entry, why, remedy string) error { return e.adding().refused(why, remedy) }

// plan works out what to write for a node.
func (s *Setup) plan(st state, e entry) (plan, error) {
	if st.err != nil {
		return plan{}, refused(e, "z2mha.yaml cannot be read: "+clean(st.err.Error()), "put that right")
	}
	b, err := openBook(st.src)
	if err != nil {
		return plan{}, refused(e, strings.Join(append([]string{err.Error()}, st.wrong...), "; "), "correct z2mha.yaml by hand first")
	}
	p := plan{entry: e}
	switch {
	case b.network(e.Network) != nil:
		err = s.join(&p, st, b)
	case st.draft != nil && st.draft.Network == e.Network && !st.draft.same(e):
		err = s.newNetwork(&p, st, b, *st.draft)
	default:
		err = s.wait(&p, st)
	}
	p.seen = fingerprint(st.src, st.saved, p.result)
	return p, err
}

// join adds the node to a network that is in the file.
func (s *Setup) join(p *plan, st state, b book) error {
	if st.has(p.entry.Network, p.entry.Name) {
		return refused(p.entry, "this network has a node of this name already", "choose another name")
	}
	node := p.entry.node()
	cut, err := b.add(b.network(p.entry.Network), "nodes", node)
	if err != nil {
		return refused(p.entry, err.Error(), "add the node to z2mha.yaml by hand")
	}
	p.clears = st.draft != nil && st.draft.same(p.entry)
	p.result, p.yaml = cut.into(b.src), strings.Trim(cut.text, "\r\n")
	if err := s.prove(p, b, "nodes", p.entry); err != nil {
		return err
	}
	s.compareTopic(p)
	return nil
}

// compareTopic says when this Zigbee2MQTT speaks elsewhere than its network will.
func (s *Setup) compareTopic(p *plan) {
	parsed, _ := s.parse(p.result)
	if parsed == nil {
		return
	}
	n, _ := parsed.Network(p.entry.Network)
	if own := p.entry.BaseTopic; own != "" && own != n.BaseTopic {
		p.news = append(p.news, "Zigbee2MQTT on this host uses the base topic "+own+", the network "+n.BaseTopic+"; the first sync brings that along.")
	}
}

// newNetwork makes a network of the node that waits and this one.
func (s *Setup) newNetwork(p *plan, st state, b book, first entry) error {
	both := []entry{first, p.entry}
	src, added := b.src, ""
	if !b.hasMQTT() && s.defaults().MQTT == nil {
		server := broker(both)
		if server == "" {
			return refused(p.entry, "it is not known which broker Zigbee2MQTT uses", "write mqtt: {server: mqtt://ADDRESS} into "+st.path+" and try again")
		}
		added = encoded(with(mapping(), "mqtt", mapping("server", server)))
		p.news = append(p.news, "The broker is the one that Zigbee2MQTT uses. When it wants a login, write user and password beside server after this has been saved.")
	}
	if !st.exists {
		added = "# z2mha.yaml: which hosts carry which Zigbee network. Change it as you like.\n" + added
	}
	if added != "" {
		cut := b.lines(len(src), added)
		added, src = cut.text, cut.into(src)
		var err error
		if b, err = openBook(src); err != nil {
			return refused(p.entry, errShape.Error(), "add a section mqtt to z2mha.yaml by hand")
		}
	}
	cut, err := b.add(b.root, "networks", networkOf(p.entry.Network, both...))
	if err != nil {
		return refused(p.entry, err.Error(), "add the network to z2mha.yaml by hand")
	}
	p.clears, p.result = true, cut.into(src)
	p.yaml = strings.Trim(added+cut.text, "\r\n")
	if first.Running && p.entry.Running {
		p.news = append(p.news, "Zigbee2MQTT runs on both hosts. Only one may run: stop the stand-by's, with the line for a stand-by.")
	}
	if first.BaseTopic != "" && p.entry.BaseTopic != "" && first.BaseTopic != p.entry.BaseTopic {
		p.news = append(p.news, "The two use different base topics, "+first.BaseTopic+" and "+p.entry.BaseTopic+". "+baseTopic(both)+" is written; the stand-by gets it with the first sync.")
	}
	return s.prove(p, b, "networks", both...)
}

// wait keeps the node until a second one is there. Only one waits at a time.
func (s *Setup) wait(p *plan, st state) error {
	data, err := json.MarshalIndent(p.entry, "", "  ")
	if err != nil {
		return refused(p.entry, err.Error(), "")
	}
	p.waits, p.result, p.yaml = true, append(data, '\n'), strings.TrimRight(block(p.entry.node()), "\n")
	if st.draft != nil && !st.draft.same(p.entry) {
		p.dropped = st.draft
	}
	// What would be refused later is better refused now.
	_, err = s.alone(p.entry)
	return err
}

// prove makes sure that the result says what the file before said, and the new nodes,
// and nothing else. key is the list that has grown.
func (s *Setup) prove(p *plan, before book, key string, added ...entry) error {
	after, err := openBook(p.result)
	if err != nil || !grown(before, after, p.entry.Network, key) {
		return refused(p.entry, errShape.Error(), "add it to z2mha.yaml by hand")
	}
	parsed, wrong := s.parse(p.result)
	if parsed == nil {
		return refused(p.entry, "z2mha.yaml would not be right: "+strings.Join(wrong, "; "), "put that right, or choose otherwise")
	}
	n, _ := parsed.Network(p.entry.Network)
	for _, e := range added {
		want, err := s.alone(e)
		if err != nil {
			return err
		}
		if got, _ := n.Node(e.Name); !reflect.DeepEqual(got, want) {
			return refused(p.entry, errShape.Error(), "add it to z2mha.yaml by hand")
		}
	}
	return nil
}

// alone reads a node as it would be read in a file of its own, and makes sure that it
// says what was wanted.
func (s *Setup) alone(e entry) (config.Node, error) {
	other := e
	other.Name, other.Dongle, other.Host = "other", "tcp://other.invalid:1", config.Host{Name: "other.invalid", Port: 22}
	if e.Name == other.Name {
		other.Name = "another"
	}
	file := mapping()
	file = with(file, "mqtt", mapping("server", "mqtt://localhost"))
	file = with(file, "networks", &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{networkOf(e.Network, e, other)}})
	parsed, wrong := s.parse([]byte(encoded(file)))
	if parsed == nil {
		return config.Node{}, refused(e, strings.Join(wrong, "; "), "choose otherwise")
	}
	n, ok := parsed.Networks[0].Node(e.Name)
	if !ok || n.Host != e.Host || n.User != e.User || n.Become != e.Become || n.Data != e.Data || string(n.Service.Kind) != string(e.Kind) || n.Service.Unit != e.Unit {
		return config.Node{}, refused(e, "it cannot be written into z2mha.yaml so that it says the same", "write it by hand")
	}
	return n, nil
}

// grown says that after is before with one more entry at the end of one list.
func grown(before, after book, name, key string) bool {
	was, is := valueOf(before), valueOf(after)
	if key == "networks" {
		return dropLast(was, is, "networks")
	}
	for i, one := range after.networks() {
		if n := yamledit.Lookup(one, "name"); n == nil || resolved(n).Value != name {
			continue
		}
		old, ok := at(was, i)
		now, ok2 := at(is, i)
		return ok && ok2 && dropLast(old, now, "nodes") && yamledit.Equal(was, is)
	}
	return false
}

func at(m map[string]any, i int) (map[string]any, bool) {
	list, _ := m["networks"].([]any)
	if i >= len(list) {
		return nil, false
	}
	n, ok := list[i].(map[string]any)
	return n, ok
}

// dropLast takes the last entry of a list out of is and compares. A list that was not
// there, or empty, is the same.
func dropLast(was, is map[string]any, key string) bool {
	list, ok := is[key].([]any)
	if !ok || len(list) == 0 {
		return false
	}
	is[key] = list[:len(list)-1]
	if len(list) == 1 {
		delete(is, key)
		if old, _ := was[key].([]any); len(old) == 0 {
			delete(was, key)
		}
	}
	return yamledit.Equal(was, is)
}

func valueOf(b book) map[string]any {
	if b.root == nil {
		return map[string]any{}
	}
	m, _ := expanded(b.root).(map[string]any)
	return m
}

// expanded is yamledit.Value for files with aliases.
func expanded(n *yaml.Node) any {
	var v any
	if err := n.Decode(&v); err != nil {
		return errors.New("unreadable")
	}
	return v
}
