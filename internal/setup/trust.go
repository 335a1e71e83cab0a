package setup

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"z2mha/internal/host/remote"
	"z2mha/web"
)

// check logs in to a host that is configured and says at its name whether that works. A
// host with another key is shown, to be trusted or not.
func (s *Setup) check(ctx context.Context, form url.Values) (templ.Component, error) {
	t, err := s.configured(form)
	if err != nil {
		return nil, err
	}
	return s.checked(ctx, t, "")
}

// checked begins its note with what was done before.
func (s *Setup) checked(ctx context.Context, t target, before string) (templ.Component, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.enter(within, t)
	if changed, ok := errors.AsType[*remote.HostKeyChangedError](err); ok {
		return web.SetupTrustPart(s.trustView(t, changed, true)), nil
	}
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	list := s.read().list()
	for i, n := range list {
		if n.Network == t.Network && n.Node == t.Node {
			list[i].Note, list[i].NoteState = before+"Our key lets "+t.User+" in, who can become root there.", web.LightGood
			if err != nil {
				list[i].Note, list[i].NoteState = before+sentence(whyNot(err)), web.LightBad
			}
		}
	}
	return web.SetupNodesPart(list, true), nil
}

func (s *Setup) enter(ctx context.Context, t target) error {
	conn, err := s.dial(t)
	if err != nil {
		return err
	}
	defer conn.Close()
	return checkRoot(ctx, conn)
}

// configured is the node of z2mha.yaml that a form names.
func (s *Setup) configured(form url.Values) (target, error) {
	network, node := form.Get("network"), form.Get("node")
	if parsed := s.read().parsed; parsed != nil {
		n, _ := parsed.Network(network)
		if x, ok := n.Node(node); ok {
			return target{Network: network, Node: node, Host: x.Host, User: x.User, Become: x.Become, key: x.KeyFile}, nil
		}
	}
	return target{}, doing("look at the node "+clean(node)).refused("there is no such node", "load the page again")
}

// trustView shows a host's new key. The hidden fields carry everything that is needed to
// do it: what they say is compared with the host and with known_hosts once more.
func (s *Setup) trustView(t target, changed *remote.HostKeyChangedError, there bool) web.SetupTrust {
	v := web.SetupTrust{Title: t.Host.String() + " shows another key than before", Old: changed.Pinned, New: changed.Offered,
		Word: s.read().nameOf(t), AtNodes: there,
		Hidden: []web.Hidden{{Name: "network", Value: t.Network}, {Name: "node", Value: t.Node},
			{Name: "old", Value: strings.Join(changed.Pinned, " ")}, {Name: "new", Value: changed.Offered}}}
	if !there {
		v.Hidden = append(v.Hidden, web.Hidden{Name: "host", Value: t.Host.Name}, web.Hidden{Name: "port", Value: strconv.Itoa(t.Host.Port)},
			web.Hidden{Name: "user", Value: t.User}, web.Hidden{Name: "become", Value: string(t.Become)})
	}
	v.Sentences = []string{
		"Either the host was installed anew, or got a new disk: then this is its new key. Or somebody else answers in its place, who would get everything that we send there, your network key too.",
		"If you know why the key is new, compare it: on the host itself, “ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub” shows the same one. If you do not know why, do not trust it.",
		"Until then nothing is sent to this host, and no network is moved there.",
	}
	return v
}

// nameOf is how the host of t is called in z2mha.yaml, or in the form.
func (st state) nameOf(t target) string {
	if st.has(t.Network, t.Node) || st.parsed == nil {
		return t.Node
	}
	for _, n := range st.parsed.Networks {
		for _, x := range n.Nodes {
			if x.Host == t.Host {
				return x.Name
			}
		}
	}
	return t.Node
}

// trust takes the new key of a host for the old one, if it is the one that was shown, and
// goes on where the old one was in the way.
func (s *Setup) trust(ctx context.Context, form url.Values, by string) (templ.Component, error) {
	there := !form.Has("host")
	t, err := s.trusted(form, there)
	if err != nil {
		return nil, err
	}
	what := doing("trust the new key of " + t.Host.String())
	if word := s.read().nameOf(t); strings.TrimSpace(form.Get("confirm")) != word {
		return nil, what.refused("what was typed is not the name of the node", "type "+word+", exactly like that")
	}
	cfg, err := s.remote(t)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = remote.Trust(within, cfg, remote.HostKeyChangedError{Pinned: strings.Fields(form.Get("old")), Offered: form.Get("new")})
	switch {
	case errors.Is(err, remote.ErrNotAsShown):
		return nil, what.refused(err.Error(), "look at the host again, and do not trust a key that keeps changing")
	case errors.Is(err, context.Canceled):
		return nil, err
	case errors.As(err, new(*remote.UnreachableError)):
		return nil, what.refused(whyNot(err), "the old key stays known; try again")
	case err != nil:
		return nil, what.refused(clean(err.Error()), "put that right and try again")
	}
	s.cfg.Log.Warn("host key trusted", "network", t.Network, "node", t.Node, "host", t.Host.String(), "old", form.Get("old"), "new", form.Get("new"), "by", by)
	if there {
		return s.checked(ctx, t, "The new key is trusted. ")
	}
	return s.look(ctx, form)
}

func (s *Setup) trusted(form url.Values, there bool) (target, error) {
	if there {
		return s.configured(form)
	}
	if _, t, ok := parseForm(form); ok {
		return t, nil
	}
	return target{}, doing("trust the new key of a host").refused("the form is not the one that was shown", "look at the host again")
}

// whyNot is what keeps us out of a host, for people.
func whyNot(err error) string {
	var f web.SetupForm
	if blame(&f, err) {
		return cmp.Or(f.Host.Error, f.User.Error, f.Become.Error)
	}
	return brokenOff(err)
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

// remote says how to reach a host.
func (s *Setup) remote(t target) (remote.Config, error) {
	signer, _, err := s.keyIn(cmp.Or(t.key, s.cfg.KeyFile))
	if err != nil {
		return remote.Config{}, doing("look at the host").refused(err.Error(), "put our key right first")
	}
	return remote.Config{Address: t.Host.String(), User: t.User, Signer: signer, KnownHosts: s.pins(),
		Become: remote.Become(t.Become), CommandTimeout: commandTime, Dial: s.cfg.Dial, Log: s.cfg.Log}, nil
}

func (s *Setup) pins() string { return filepath.Join(s.cfg.State, "known_hosts") }

func (s *Setup) dial(t target) (*remote.Conn, error) {
	cfg, err := s.remote(t)
	if err != nil {
		return nil, err
	}
	return remote.New(cfg)
}
