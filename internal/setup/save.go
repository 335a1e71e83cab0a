package setup

import (
	"bytes"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/service"
	"z2mha/web"
)

// chosen makes a node of a look and of what was chosen among the things it found.
func (s *Setup) chosen(form url.Values) (entry, error) {
	found, err := s.looks.find(form.Get("look"))
	if err != nil {
		return entry{}, err
	}
	e := entry{Network: found.Network, Name: found.Node, Host: found.Host, User: found.User, Become: found.Become}
	which := func(what string) error {
		return refused(e, "no "+what+" was chosen among those that were found", "look at the host again and choose one")
	}
	i := slices.IndexFunc(found.services, func(f service.Found) bool { return serviceValue(f) == form.Get("service") })
	j := slices.IndexFunc(found.data, func(d directory) bool { return d.path == form.Get("data") })
	k := slices.IndexFunc(found.sticks, func(k stick) bool { return k.path == form.Get("stick") })
	switch {
	case i < 0:
		return e, which("service")
	case j < 0:
		return e, which("data directory")
	case k < 0:
		return e, which("stick")
	case found.sticks[k].verdict().unusable:
		return e, refused(e, found.sticks[k].verdict().note, "choose another stick")
	}
	e.Kind, e.Unit, e.Running = found.services[i].Kind, found.services[i].Unit, found.services[i].State == network.ServiceRunning
	e.Data, e.BaseTopic, e.Server = found.data[j].path, found.data[j].baseTopic, found.data[j].server
	e.Dongle = found.sticks[k].path
	return e, nil
}

// review shows what would be written. It writes nothing.
func (s *Setup) review(form url.Values) (templ.Component, error) {
	e, err := s.chosen(form)
	if err != nil {
		return nil, err
	}
	st := s.read()
	p, err := s.plan(st, e)
	if err != nil {
		return nil, err
	}
	r := web.SetupReview{Title: "Add " + e.Name + " to the network " + e.Network + "?", File: st.path, YAML: p.yaml, Sentences: p.sentences()}
	if p.waits {
		r.File = s.draftFile()
	}
	for _, name := range []string{"look", "service", "data", "stick"} {
		r.Hidden = append(r.Hidden, web.Hidden{Name: name, Value: form.Get(name)})
	}
	r.Hidden = append(r.Hidden, web.Hidden{Name: "seen", Value: p.seen})
	return web.SetupReviewPart(r), nil
}

func (p plan) sentences() []string {
	var all []string
	if p.waits {
		all = append(all, "A network needs two nodes. This one is kept until the second is there; then both go into z2mha.yaml.")
	} else {
		all = append(all, "From then on "+p.entry.Name+" is watched. Nothing on the host changes before you sync or switch over.",
			"Everything else in the file stays as it is, and the file as it was is kept beside it.")
	}
	if p.dropped != nil {
		all = append(all, "The node "+p.dropped.Name+", which waits for a second one in the network "+p.dropped.Network+", is forgotten: only one can wait.")
	}
	return append(all, p.news...)
}

// save writes what was reviewed, if everything is as it was then.
func (s *Setup) save(form url.Values, by string) (templ.Component, error) {
	e, err := s.chosen(form)
	if err != nil {
		return nil, err
	}
	part, p, err := s.write(e, form.Get("seen"))
	if err != nil {
		return nil, err
	}
	s.cfg.Log.Info("node set up", "network", e.Network, "node", e.Name, "host", e.Host.String(), "by", by, "waits", p.waits)
	if !p.waits {
		s.cfg.Saved()
	}
	return web.SetupSavedPart(part), nil
}

func (s *Setup) write(e entry, seen string) (web.SetupSaved, plan, error) {
	s.saving.Lock()
	defer s.saving.Unlock()
	st := s.read()
	p, err := s.plan(st, e)
	if err != nil {
		return web.SetupSaved{}, p, err
	}
	if p.seen != seen {
		return web.SetupSaved{}, p, refused(e, "z2mha.yaml, or the node that waits, has changed since this was shown", "look at the host again, and see what would be written now")
	}
	if p.waits {
		return p.saved(), p, s.replace(e.adding(), s.draftFile(), p.result)
	}
	if err := s.keepOld(e.adding(), st); err != nil {
		return web.SetupSaved{}, p, err
	}
	if err := s.replace(e.adding(), st.path, p.result); err != nil {
		return web.SetupSaved{}, p, err
	}
	if p.clears {
		if err := s.forgetDraft(); err != nil {
			s.cfg.Log.Warn("setup.json not removed", "err", err)
		}
	}
	return p.saved(), p, nil
}

func (s *Setup) forgetDraft() error {
	if err := os.Remove(s.draftFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// replace writes a file, readable by us only, and reads it back.
func (s *Setup) replace(what doing, path string, data []byte) error {
	if err := s.cfg.Disk.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return notWritten(what, err)
	}
	if err := s.cfg.Disk.WriteFile(path, data, 0o600); err != nil {
		return notWritten(what, err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
		return what.refused(path+" does not hold what was just written", "look at the disk of this machine")
	}
	return nil
}

func notWritten(what doing, err error) error {
	return what.refused(clean(err.Error()), "see that the directory can be written and the disk has room; the file is as it was")
}

// oldMark is between the name of z2mha.yaml and the moment until which it was so.
const oldMark, mostOld = ".old-", 5

// keepOld copies z2mha.yaml as it was, and removes the oldest of more than five copies.
func (s *Setup) keepOld(what doing, st state) error {
	if !st.exists {
		return nil
	}
	path := st.path + oldMark + s.cfg.Now().UTC().Format("20060102T150405Z")
	if err := s.cfg.Disk.WriteFile(path, st.src, 0o600); err != nil {
		return notWritten(what, err)
	}
	entries, err := os.ReadDir(filepath.Dir(st.path))
	if err != nil {
		return notWritten(what, err)
	}
	var old []string
	for _, one := range entries {
		if strings.HasPrefix(one.Name(), filepath.Base(st.path)+oldMark) {
			old = append(old, one.Name())
		}
	}
	for _, name := range old[:max(0, len(old)-mostOld)] { // sorted by name, and so by age
		if err := os.Remove(filepath.Join(filepath.Dir(st.path), name)); err != nil {
			s.cfg.Log.Warn("old z2mha.yaml not removed", "file", name, "err", err)
		}
	}
	return nil
}

func (p plan) saved() web.SetupSaved {
	e := p.entry
	if p.waits {
		return web.SetupSaved{What: "The node " + e.Name + " waits for the second node of the network " + e.Network + ".",
			Next: []string{"Prepare the other host, with the line for its kind.", "Then add it here, with the same name of the network."}}
	}
	return web.SetupSaved{What: "The node " + e.Name + " belongs to the network " + e.Network + " now.",
		Next: []string{
			"It is looked at within half a minute. The overview says what is still missing before a switchover; put that right first.",
			"Sync once, so that the stand-by has the data of the active node.",
			"Read the plan of a switchover on the overview, which changes nothing, and try one while you are at home.",
		}}
}
