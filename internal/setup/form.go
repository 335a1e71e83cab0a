package setup

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"z2mha/internal/config"
	"z2mha/internal/host/remote"
	"z2mha/web"
)

// A target is a host that a person named, checked.
type target struct {
	Network string
	Node    string
	Host    config.Host
	User    string
	Become  config.Become
	key     string // file of the private key; "" means ours
}

// maxField is longer than anything sensible; it bounds what is shown and written.
const maxField = 100

// parseForm reads the form; ok is false when a field of it has an error.
func parseForm(form url.Values) (f web.SetupForm, t target, ok bool) {
	f = web.SetupForm{
		Network: fieldOf(form, "network"), Node: fieldOf(form, "node"), Host: fieldOf(form, "host"),
		User: fieldOf(form, "user"), Port: fieldOf(form, "port"), Become: fieldOf(form, "become"),
	}
	t.Network = parse(&f.Network, config.ParseName)
	t.Node = parse(&f.Node, config.ParseName)
	t.User = parse(&f.User, config.ParseUser)
	t.Become = parse(&f.Become, config.ParseBecome)
	port := parse(&f.Port, parsePort)
	t.Host = parse(&f.Host, parseHost)
	t.Host.Port = port
	for _, field := range []web.Field{f.Network, f.Node, f.Host, f.User, f.Port, f.Become} {
		if field.Error != "" {
			return f, target{}, false
		}
	}
	return f, t, true
}

func fieldOf(form url.Values, name string) web.Field {
	value := strings.TrimSpace(form.Get(name))
	if len(value) > maxField {
		return web.Field{Value: cut(value, maxField), Error: fmt.Sprintf("longer than %d characters", maxField)}
	}
	return web.Field{Value: value}
}

// parse puts what is wrong with a field into it.
func parse[T any](f *web.Field, read func(string) (T, error)) T {
	var none T
	switch {
	case f.Error != "":
		return none
	case f.Value == "":
		f.Error = "is missing"
		return none
	case strings.ContainsFunc(f.Value, unprintable):
		f.Error = "holds a character that cannot be printed"
		return none
	}
	out, err := read(f.Value)
	if err != nil {
		f.Error = err.Error()
		return none
	}
	return out
}

func parsePort(s string) (int, error) {
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || port == 0 {
		return 0, errors.New("not a port; write a number from 1 to 65535, usually 22")
	}
	return int(port), nil
}

// parseHost takes an IPv6 address without brackets, too: the port has its own field.
func parseHost(s string) (config.Host, error) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Is6() {
		s = "[" + s + "]"
	}
	h, err := config.ParseHost(s)
	if err == nil && h.Port != 22 {
		return h, errors.New("the port has a field of its own; write the name or the address alone")
	}
	return h, err
}

// blame puts why a host could not be looked at beside the field that may be the reason.
func blame(f *web.SetupForm, err error) bool {
	var (
		unreachable *remote.UnreachableError
		auth        *remote.AuthError
		become      *remote.BecomeError
	)
	switch {
	case errors.As(err, &become) && become.Become == remote.BecomeNone:
		f.Become.Error = "the user " + become.User + " is not root on this host; choose sudo or doas, whichever the host has"
	case errors.As(err, &become):
		f.Become.Error = clean(fmt.Sprintf("%s does not let %s become root without a password (%s); paste the line of step 2 on that host, or choose another way", become.Become, become.User, clean(become.Said)))
	case errors.As(err, &auth):
		f.User.Error = "the host does not let " + auth.User + " in with our key; paste the line of step 2 on that host, then look again"
	case errors.As(err, &unreachable):
		f.Host.Error = unreachableText(unreachable)
	default:
		return false
	}
	return true
}
