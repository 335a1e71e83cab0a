// Package remote is one SSH connection to one host: made when it is needed, kept
// alive, used for everything, made again when it is dead.
//
// What it does not promise: that a command whose answer did not come has not run.
// Errors that leave this open wrap ErrOutcomeUnknown; the caller looks again.
package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Config says where a host is and how to get in. Address, User, Signer and
// KnownHosts are required.
type Config struct {
	Address    string     // host, host:port, IPv6 address, [IPv6]:port; port 22 when absent
	User       string     // login on the host
	Signer     ssh.Signer // our key, see LoadOrCreateKey
	KnownHosts string     // file in which host keys are pinned on first use
	Become     Become     // how commands that ask for it become root; "" is none

	ConnectTimeout time.Duration // dial and handshake; 10 s when zero
	CommandTimeout time.Duration // for commands without one of their own; 30 s when zero
	KeepAlive      time.Duration // between two questions whether the host is there; 5 s when zero
	Patience       time.Duration // without an answer the connection is dead; 15 s when zero

	// Dial replaces net.Dialer, for links that are not TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger // nil: silent
}

// withDefaults checks c and fills in what was left out.
func (c Config) withDefaults() (Config, error) {
	address, err := hostPort(c.Address)
	if err != nil {
		return c, err
	}
	c.Address = address
	switch {
	case c.User == "":
		return c, fmt.Errorf("ssh to %s: no user is configured", c.Address)
	case c.Signer == nil:
		return c, fmt.Errorf("ssh to %s: no key is configured", c.Address)
	case c.KnownHosts == "":
		return c, fmt.Errorf("ssh to %s: no known_hosts file is configured", c.Address)
	}
	if c.Become, err = ParseBecome(string(c.Become)); err != nil {
		return c, err
	}
	orDefault(&c.ConnectTimeout, 10*time.Second)
	orDefault(&c.CommandTimeout, 30*time.Second)
	orDefault(&c.KeepAlive, 5*time.Second)
	orDefault(&c.Patience, 15*time.Second)
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func orDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// hostPort brings every admitted form of an address into host:port.
func hostPort(address string) (string, error) {
	if address == "" {
		return "", errors.New("ssh: no address is configured")
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil && host != "" && port != "" && !strings.ContainsAny(host+port, "/@ ") {
		return address, nil
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	if _, err := netip.ParseAddr(bare); err != nil && strings.ContainsAny(address, ":[] /@") {
		return "", fmt.Errorf("ssh: address %q is neither host, host:port nor [IPv6]:port", address)
	}
	return net.JoinHostPort(bare, "22"), nil
}
