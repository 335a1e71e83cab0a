// Package supervisor speaks with the Home Assistant Supervisor, and through it with
// Home Assistant Core, as an add-on does: over HTTP with the token that the Supervisor
// put into the environment.
//
// Two programs answer behind one address. The Supervisor itself wraps what it says into
// {"result":"ok","data":{…}}; what lies below /core/ is Home Assistant's and comes as it
// is. Both may be away for a while: at a start, at an update, at a restart. Calls wait
// for them until their context ends, so give every context a deadline.
//
// The token goes to the configured address and nowhere else: redirects are not followed,
// proxies from the environment are not used, and no error or log line holds it.
// Source: supervisor/api of the Supervisor, 2026.08.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Address is where an add-on finds the Supervisor.
const Address = "http://supervisor"

// Config says how to reach the Supervisor.
type Config struct {
	URL   string // Address when ""
	Token Secret // SUPERVISOR_TOKEN, a new one at every start of the add-on
	Log   *slog.Logger

	// Dialer replaces the network. Simulations use it.
	Dialer func(ctx context.Context) (net.Conn, error)
}

// A Client makes calls. It is safe for concurrent use and needs no closing.
type Client struct {
	base  string // without a slash at the end
	token Secret
	http  *http.Client
	log   *slog.Logger
}

// New returns a client; it makes no call. It fails with ErrNoToken when there is no
// token, and when the address is none.
func New(cfg Config) (*Client, error) {
	if !cfg.Token.IsSet() {
		return nil, ErrNoToken
	}
	if strings.ContainsFunc(cfg.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("SUPERVISOR_TOKEN holds a character that no token has; look for a line break at its end")
	}
	base := strings.TrimSuffix(cfg.URL, "/")
	if base == "" {
		base = Address
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("the Supervisor's address is not of the form http://HOST")
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Client{base: base, token: cfg.Token, http: httpClient(cfg), log: log}, nil
}

// httpClient makes one connection per call: calls are rare, and a kept connection is
// dead after the Supervisor's next restart.
func httpClient(cfg Config) *http.Client {
	transport := &http.Transport{
		DisableKeepAlives:   true,
		TLSHandshakeTimeout: 10 * time.Second,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	}
	if cfg.Dialer != nil {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return cfg.Dialer(ctx) }
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}
}

// String names the address.
func (c *Client) String() string { return fmt.Sprintf("Supervisor at %s", c.base) }
