package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
	"z2mha/web"
)

// patience is how long a look may take in all, commandTime one command of it.
const patience, commandTime = 45 * time.Second, 20 * time.Second

// look shows what is on a host. What is wrong with the form, or keeps us out of the
// host, comes back in the form; nothing is ever changed there.
func (s *Setup) look(ctx context.Context, form url.Values) (templ.Component, error) {
	f, t, ok := parseForm(form)
	if !ok {
		return web.SetupFormPart(f), nil
	}
	if there := s.read(); there.has(t.Network, t.Node) {
		f.Node.Error = "the network " + t.Network + " has a node of this name already; choose another"
		return web.SetupFormPart(f), nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := s.visit(ctx, t)
	changed, isChanged := errors.AsType[*remote.HostKeyChangedError](err)
	switch {
	case isChanged:
		return web.SetupTrustPart(s.trustView(t, changed, false)), nil
	case err == nil:
		s.cfg.Log.Info("host looked at", "network", t.Network, "node", t.Node, "host", t.Host.String())
		return web.SetupFoundPart(found.view(s.looks.keep(found))), nil
	case errors.Is(err, context.Canceled):
		return nil, err
	case blame(&f, err):
	default:
		f.Host.Error = brokenOff(err)
	}
	s.cfg.Log.Info("host could not be looked at", "network", t.Network, "node", t.Node, "host", t.Host.String(), "err", clean(err.Error()))
	return web.SetupFormPart(f), nil
}

// brokenOff leaves out the commands, which nobody at the form has asked for.
func brokenOff(err error) string {
	if refused, ok := errors.AsType[*network.RefusedError](err); ok {
		return clean(refused.Why + "; " + refused.Remedy)
	}
	switch {
	case errors.As(err, new(*remote.DeadlineError)) || errors.Is(err, context.DeadlineExceeded):
		return "the host took too long to answer; look again, and see whether it is overloaded"
	case errors.As(err, new(*remote.LostError)):
		return "the connection to the host was lost; look again"
	}
	return "the host gave an answer that cannot be used; the log says more"
}

// visit logs in and reads. Errors are those of remote.Conn.
func (s *Setup) visit(ctx context.Context, t target) (sight, error) {
	conn, err := s.dial(t)
	if err != nil {
		return sight{}, err
	}
	defer conn.Close()
	found := sight{target: t}
	if _, err := conn.Connect(ctx); err != nil {
		return found, err
	}
	found.keys = pinned(s.pins(), t.Host.String())
	if err := checkRoot(ctx, conn); err != nil {
		return found, err
	}
	return found, s.readHost(ctx, conn, &found)
}

// checkRoot makes sure that commands run as root.
func checkRoot(ctx context.Context, conn *remote.Conn) error {
	out, err := conn.Run(ctx, remote.Command{Argv: []string{"id", "-u"}, Become: true})
	if err != nil {
		return err
	}
	if said := strings.TrimSpace(string(out.Stdout)); out.Exit != 0 || said != "0" {
		return &remote.BecomeError{Host: conn.Address(), User: conn.User(), Become: conn.Become(), Said: "its user is number " + clean(said) + " " + clean(out.Said())}
	}
	return nil
}

// readHost runs reading commands only.
func (s *Setup) readHost(ctx context.Context, conn *remote.Conn, found *sight) error {
	_, services, err := service.Detect(ctx, conn.Run)
	if refused, ok := errors.AsType[*network.RefusedError](err); ok {
		found.trouble = clean(refused.What + ": " + refused.Why + "; " + refused.Remedy)
	} else if err != nil {
		return err
	}
	services = slices.DeleteFunc(services, ours)
	found.services = services[:min(len(services), mostListed)]
	var known []string
	for _, one := range found.services {
		if one.Data != "" && !slices.Contains(known, one.Data) {
			known = append(known, one.Data)
		}
	}
	out, err := conn.Run(ctx, reading(s.root, known))
	if err != nil {
		return err
	}
	found.parseReading(out.Stdout)
	for i := range found.data {
		if err := s.readDirectory(ctx, conn, &found.data[i]); err != nil {
			return err
		}
	}
	found.addNetworkSticks()
	return nil
}

// ours says that a container is our own add-on, whose slug begins like Zigbee2MQTT's.
func ours(f service.Found) bool { return strings.Contains(f.Unit+" "+f.Image, "zigbee2mqtt_ha") }

// mostConfiguration is more than any configuration.yaml holds.
const mostConfiguration = 1 << 20

func (s *Setup) readDirectory(ctx context.Context, conn *remote.Conn, d *directory) error {
	if !d.configured {
		return nil
	}
	out, err := conn.Run(ctx, remote.Command{Argv: []string{"head", "-c", fmt.Sprint(mostConfiguration), s.root + d.path + "/configuration.yaml"}, Become: true})
	if err != nil {
		return err
	}
	if out.Exit != 0 || len(out.Stdout) >= mostConfiguration {
		d.unreadable = "its configuration.yaml cannot be read"
		return nil
	}
	if d.settings, err = readSettings(out.Stdout); err != nil {
		d.unreadable = "its configuration.yaml cannot be understood" // the error may quote it
	}
	return nil
}

// pinned are the fingerprints that a known_hosts file of ours has for an address.
func pinned(file, address string) []string {
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var all []string
	for len(bytes.TrimSpace(rest)) > 0 {
		_, names, key, _, more, err := ssh.ParseKnownHosts(rest)
		if err != nil {
			return all
		}
		if slices.Contains(names, knownhosts.Normalize(address)) {
			all = append(all, ssh.FingerprintSHA256(key))
		}
		rest = more
	}
	return all
}
