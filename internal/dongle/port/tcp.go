package port

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"time"
)

const (
	connectTimeout = 5 * time.Second
	keepAlive      = 15 * time.Second
)

// openTCP connects to a network coordinator. Most serve one client, and some let a
// second one take over the stream, so it first looks for another client on this host.
func openTCP(ctx context.Context, address string) (io.ReadWriteCloser, error) {
	hostPort, err := parseTCP(address)
	if err != nil {
		return nil, err
	}
	if holders, err := findHolders(address, os.Getpid()); len(holders) > 0 {
		return nil, &BusyError{Path: address, Holders: holders}
	} else if err != nil && !errors.Is(err, ErrIncomplete) {
		return nil, err
	}
	d := net.Dialer{Timeout: connectTimeout, KeepAlive: keepAlive} // TCP_NODELAY is Go's default
	conn, err := d.DialContext(ctx, "tcp", hostPort)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; check address and power of the network coordinator", address, err)
	}
	return conn, nil
}

// parseTCP returns the host:port of tcp://host:port.
func parseTCP(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("%q: want tcp://host:port: %w", address, err)
	}
	if u.Hostname() == "" || u.Port() == "" || (u.Path != "" && u.Path != "/") {
		return "", fmt.Errorf("%q: want tcp://host:port, such as tcp://192.168.1.7:6638 or tcp://[fd00::7]:6638", address)
	}
	return net.JoinHostPort(u.Hostname(), u.Port()), nil
}
