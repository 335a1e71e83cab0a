// Package dash serves the page: it admits who may come in, hands what they ask for to
// the desk, and fills the view models of web with what the desk knows. It decides
// nothing about networks.
//
// There are two ways to reach it. As an add-on, everything comes from Supervisor's
// ingress proxy, which has checked the login and names the user; only administrators
// act. Standalone, it listens on the loopback interface, or elsewhere behind a
// password; whoever is in may act.
//
// What it does not do: encrypt. Ingress is encrypted by Home Assistant; standalone
// with a password belongs behind a proxy or in a network that is trusted.
package dash

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/a-h/templ"

	"z2mha/internal/failover/desk"
	"z2mha/web"
)

// A Mode is how the page is reached.
type Mode string

const (
	Addon      Mode = "addon"      // through Home Assistant's ingress only
	Standalone Mode = "standalone" // directly
)

// DefaultAddress is listened on when nothing else is said, DefaultAddonAddress in an
// add-on, where only the ingress proxy is admitted.
const (
	DefaultAddress      = "127.0.0.1:8099"
	DefaultAddonAddress = ":8099"
)

// SupervisorAddress is where requests through ingress come from, always.
// Source: Home Assistant developer documentation, "Presenting your app".
var SupervisorAddress = netip.MustParseAddr("172.30.32.2")

// Config says what to serve, and to whom. Only Desk is needed.
type Config struct {
	Desk desk.Service
	Mode Mode // Standalone when ""

	Admins   Admins   // add-on: who may act; nil means that it cannot be told, and nobody may
	Password Password // standalone: needed to listen on more than loopback

	Listener net.Listener // taken over; when nil, Address is listened on
	Address  string       // "host:port"; see DefaultAddress

	// Notices are what the server has to tell at the top of the page: the broker
	// cannot be reached, the configuration has problems. It is asked for every page
	// and at least every 15 s while somebody looks. May be nil.
	Notices func() []Notice
	Setup   Setup // pages of the first use; nil when there are none

	Version  string
	Language string // of Home Assistant; without effect while the texts are English only
	Log      *slog.Logger
	Now      func() time.Time

	// Ingress is the only address that an add-on's page is served to. Tests have a
	// proxy of their own; otherwise leave it out: SupervisorAddress.
	Ingress netip.Addr
}

// A Notice stands at the top of the page.
type Notice = web.Notice

// Admins knows who administrates Home Assistant. It is asked for every page and every
// act, so it should remember for a while; an error means that it cannot be told now,
// and then nobody may act.
type Admins interface {
	IsAdmin(ctx context.Context, userID string) (bool, error)
}

// Setup is the pages of the first use. The guard has been passed when it is called,
// and Step is called only for people who may act.
type Setup interface {
	// Page fills GET setup; CanAct and the server's notices are added to it.
	Page(ctx context.Context) (web.Setup, error)
	// Step carries out POST setup/NAME and returns what takes the place of the form:
	// one of web's Setup…Part. A *network.RefusedError is shown as it is.
	Step(ctx context.Context, name string, form url.Values, by string) (templ.Component, error)
}
