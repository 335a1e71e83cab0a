package setup

import (
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"go.yaml.in/yaml/v3"

	"z2mha/internal/config"
	"z2mha/internal/z2m/yamledit"
	"z2mha/web"
)

// A removal is what goes, and what is shown of it before.
type removal struct {
	network, node string
	whole         bool     // the network goes, since one node alone would be left
	last          bool     // and it is the only one
	draft         bool     // the node waits in setup.json, and z2mha.yaml stays as it is
	goes, stays   []string // nodes of the network
	file          string
	result        []byte // of z2mha.yaml
	cut           string // what is taken out, and nothing else of the file
	seen          string // fingerprint of everything that this was made for
}

func (r removal) doing() doing {
	return doing("remove the node " + clean(r.node) + " from the network " + clean(r.network))
}

// removal works out what to take out of z2mha.yaml, or that the node that waits is to be
// forgotten.
func (s *Setup) removal(st state, form url.Values) (removal, error) {
	r := removal{network: form.Get("network"), node: form.Get("node"), file: st.path}
	if st.draft != nil && st.draft.Network == r.network && st.draft.Name == r.node && !st.has(r.network, r.node) {
		r.draft, r.file, r.cut = true, s.draftFile(), strings.TrimRight(block(st.draft.node()), "\n")
		r.seen = fingerprint(st.src, st.saved, nil)
		return r, nil
	}
	if st.err != nil {
		return r, r.doing().refused("z2mha.yaml cannot be read: "+clean(st.err.Error()), "put that right")
	}
	if st.parsed == nil {
		return r, r.doing().refused(strings.Join(append([]string{"z2mha.yaml cannot be used"}, st.wrong...), "; "), "put that right first")
	}
	n, _ := st.parsed.Network(r.network)
	if _, ok := n.Node(r.node); !ok {
		return r, r.doing().refused("there is no such node", "load the page again")
	}
	r.whole, r.last = len(n.Nodes) <= 2, len(st.parsed.Networks) == 1
	for _, x := range n.Nodes {
		if r.whole || x.Name == r.node {
			r.goes = append(r.goes, x.Name)
		} else {
			r.stays = append(r.stays, x.Name)
		}
	}
	if err := s.spared(r); err != nil {
		return r, err
	}
	err := s.cutOut(&r, st)
	r.seen = fingerprint(st.src, st.saved, r.result)
	return r, err
}

// spared refuses what would take a node away from under those who need it now. What is
// not known does not keep anybody from removing a node: it may be broken.
func (s *Setup) spared(r removal) error {
	for _, n := range s.cfg.Networks() {
		switch {
		case n.Name != r.network:
		case n.Run != nil:
			return r.doing().refused("a plan is being carried out in this network", "wait until it has ended")
		case !r.whole && n.Active == r.node:
			return r.doing().refused("it is active: it carries the network now", "switch over to another node first")
		}
	}
	return nil
}

func (s *Setup) cutOut(r *removal, st state) error {
	b, err := openBook(st.src)
	if err != nil {
		return r.doing().refused(err.Error(), "correct z2mha.yaml by hand first")
	}
	byHand := "remove it from z2mha.yaml by hand"
	_, networks := pair(b.root, "networks")
	i := named(networks, r.network)
	if i < 0 {
		return r.doing().refused(errShape.Error(), byHand)
	}
	list, at := networks, i
	if !r.whole {
		_, list = pair(resolved(networks.Content[i]), "nodes")
		if at = named(list, r.node); at < 0 {
			return r.doing().refused(errShape.Error(), byHand)
		}
	}
	out, err := b.cut(list, at)
	if err != nil {
		return r.doing().refused(err.Error(), byHand)
	}
	r.result, r.cut = out.outOf(b.src), strings.Trim(out.of(b.src), "\r\n")
	after, err := openBook(r.result)
	if err != nil || !shrunk(valueOf(b), valueOf(after), i, at, r.whole) || !s.sameBut(st.parsed, *r) {
		return r.doing().refused(errShape.Error(), byHand)
	}
	return nil
}

// named finds the entry with a name in a list; -1: there is none.
func named(list *yaml.Node, name string) int {
	if list == nil {
		return -1
	}
	return slices.IndexFunc(list.Content, func(n *yaml.Node) bool {
		_, v := pair(resolved(n), "name")
		return v != nil && resolved(v).Value == name
	})
}

// shrunk says that is is was without one entry of one list: networks[i], or a node of it.
func shrunk(was, is map[string]any, i, at int, whole bool) bool {
	list, _ := was["networks"].([]any)
	if i >= len(list) {
		return false
	}
	if !whole {
		n, _ := list[i].(map[string]any)
		nodes, _ := n["nodes"].([]any)
		if at >= len(nodes) {
			return false
		}
		n["nodes"] = slices.Delete(slices.Clone(nodes), at, at+1)
		return yamledit.Equal(was, is)
	}
	was["networks"] = slices.Delete(slices.Clone(list), i, i+1)
	left, written := is["networks"]
	if rest, _ := left.([]any); written && len(list) == 1 && len(rest) == 0 {
		delete(was, "networks")
		delete(is, "networks")
	}
	return yamledit.Equal(was, is)
}

// sameBut says that the result is read like the file before, without what goes.
func (s *Setup) sameBut(before *config.Config, r removal) bool {
	after, _ := s.parse(r.result)
	if after == nil {
		return false
	}
	want, got := *before, *after
	want.Networks, want.Warnings, got.Warnings = nil, nil, nil
	for _, n := range before.Networks {
		if n.Name != r.network {
			want.Networks = append(want.Networks, n)
		} else if !r.whole {
			n.Nodes = slices.DeleteFunc(slices.Clone(n.Nodes), func(x config.Node) bool { return x.Name == r.node })
			want.Networks = append(want.Networks, n)
		}
	}
	return reflect.DeepEqual(want, got)
}

// reviewRemoval shows what would go. It changes nothing.
func (s *Setup) reviewRemoval(form url.Values) (templ.Component, error) {
	r, err := s.removal(s.read(), form)
	if err != nil {
		return nil, err
	}
	v := web.SetupRemoval{Title: "Remove " + clean(r.node) + " from the network " + clean(r.network) + "?", Label: "Remove it",
		Sentences: r.sentences(), File: r.file, YAML: r.cut,
		Hidden: []web.Hidden{{Name: "network", Value: r.network}, {Name: "node", Value: r.node}, {Name: "seen", Value: r.seen}}}
	if r.whole {
		v.Title, v.Label = "Remove the whole network "+r.network+"?", "Remove the whole network"
	}
	return web.SetupRemovalPart(v), nil
}

func (r removal) sentences() []string {
	if r.draft {
		return []string{"This node waits for a second one, and is forgotten. Nothing changes on the host, and z2mha.yaml stays as it is."}
	}
	var all []string
	if r.whole {
		all = append(all, "A network needs two nodes, so "+clean(r.node)+" cannot go alone: the whole network "+r.network+" goes, with "+and(r.goes)+".",
			"If you want to replace a host, add the new one first: then the old one can be removed alone.",
			"Zigbee2MQTT is not touched on these hosts: where it runs it goes on, and sticks and data stay. The network is not watched any more and cannot be moved.",
			"Its devices go from Home Assistant, those of its nodes, too.")
	} else {
		all = append(all, "The network "+r.network+" goes on with "+and(r.stays)+". It cannot be moved to "+r.node+" any more.",
			"Zigbee2MQTT is not touched on this host: it stays as it is, and so do its stick and its data. Keep it from starting there while another node is active.",
			"The device of "+r.node+" goes from Home Assistant.")
	}
	if r.whole && r.last {
		all = append(all, "It is the only network: afterwards none is set up.")
	}
	return append(all, "Everything else in the file stays as it is, and the file as it was is kept beside it.")
}

func and(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// remove does what was reviewed, if everything is as it was then.
func (s *Setup) remove(form url.Values, by string) (templ.Component, error) {
	r, err := s.writeRemoval(form)
	if err != nil {
		return nil, err
	}
	s.cfg.Log.Info("node removed", "network", r.network, "node", r.node, "whole network", r.whole, "by", by)
	if !r.draft {
		s.cfg.Saved()
	}
	return web.SetupSavedPart(r.saved()), nil
}

func (s *Setup) writeRemoval(form url.Values) (removal, error) {
	s.saving.Lock()
	defer s.saving.Unlock()
	st := s.read()
	r, err := s.removal(st, form)
	if err != nil {
		return r, err
	}
	if r.seen != form.Get("seen") {
		return r, r.doing().refused("z2mha.yaml, or the node that waits, has changed since this was shown", "load the page again, and see what would go now")
	}
	if r.draft {
		if err := s.forgetDraft(); err != nil {
			return r, notWritten(r.doing(), err)
		}
		return r, nil
	}
	if err := s.keepOld(r.doing(), st); err != nil {
		return r, err
	}
	return r, s.replace(r.doing(), st.path, r.result)
}

func (r removal) saved() web.SetupSaved {
	saved := web.SetupSaved{AtNodes: true, What: "The node " + clean(r.node) + " is removed from the network " + clean(r.network) + "."}
	if r.whole {
		saved.What = "The network " + r.network + " is removed."
	}
	saved.Next = []string{"To take our user and our key away from a host, paste the line that takes it back; it is under “Prepare the host”.",
		"To come back with other settings, add the host again."}
	return saved
}
