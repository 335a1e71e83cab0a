package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// ports are the TCP ports of sticks, by name, and of control. All are open before
// anything else is made, so that a start that fails leaves no images behind.
type ports struct {
	sticks  map[string]net.Listener
	control net.Listener // nil without -control
}

func (o options) openPorts() (_ ports, err error) {
	p := ports{sticks: make(map[string]net.Listener)}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	for _, s := range o.sticks {
		if s.tcp == "" {
			err = checkLink(s.pty)
		} else {
			p.sticks[s.name], err = listen(s.tcp)
		}
		if err != nil {
			return p, fmt.Errorf("stick %s: %w", s.name, err)
		}
	}
	if o.control == "" {
		return p, nil
	}
	if err = checkLoopback(o.control); err == nil {
		p.control, err = listen(o.control)
	}
	if err != nil {
		return p, fmt.Errorf("-control %s: %w", o.control, err)
	}
	return p, nil
}

func (p ports) close() {
	for _, l := range p.sticks {
		if l != nil {
			_ = l.Close()
		}
	}
	if p.control != nil {
		_ = p.control.Close()
	}
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w; choose another port, or 0 for one that is free", err)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// checkLink makes sure that a link to a pseudo-terminal can be put at path.
func checkLink(path string) error {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pty=%s: there is no directory %s; make it first: mkdir -p %s", path, dir, dir)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return fmt.Errorf("pty=%s: it exists and is not a link; choose another name", path)
	}
	return nil
}

// checkLoopback refuses addresses that others could reach.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("want a loopback address, such as 127.0.0.1:0")
	}
	return nil
}
