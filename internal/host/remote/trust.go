package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// ErrNotAsShown says that a host, or the file of pinned keys, is not what a person was
// shown before saying yes.
var ErrNotAsShown = errors.New("the host shows another key than was shown, or another one is pinned by now")

// Trust pins the key that the host of cfg shows now in place of those that are pinned
// for it, if both are as in shown. The host is connected to and proves that the key is
// its own; nobody logs in. What the file says of other hosts stays byte for byte.
// Errors are *UnreachableError, ErrNotAsShown, and what keeps the file from being
// replaced.
func Trust(ctx context.Context, cfg Config, shown HostKeyChangedError) error {
	c, err := New(cfg)
	if err != nil {
		return err
	}
	key, err := c.offered(ctx)
	if err != nil {
		return err
	}
	if ssh.FingerprintSHA256(key) != shown.Offered {
		return ErrNotAsShown
	}
	return pins{file: c.cfg.KnownHosts}.exchange(c.cfg.Address, shown.Pinned, key)
}

// offered is the key that a host shows when it is asked for the kind that is pinned.
func (c *Conn) offered(ctx context.Context) (ssh.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer cancel()
	raw, err := c.cfg.Dial(ctx, "tcp", c.cfg.Address)
	if err != nil {
		return nil, &UnreachableError{Host: c.cfg.Address, Cause: plainDialError(ctx, err, c.cfg.ConnectTimeout)}
	}
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	algorithms, err := pins{file: c.cfg.KnownHosts}.algorithms(c.cfg.Address, raw.RemoteAddr(), c.cfg.Signer.PublicKey())
	if err != nil {
		return nil, err
	}
	var seen ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(raw, c.cfg.Address, &ssh.ClientConfig{
		User: c.cfg.User, HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			seen = key // the host has signed with it
			return errors.New("the key was all that was wanted")
		},
	})
	if seen == nil {
		return nil, c.handshakeError(ctx, err)
	}
	return seen, nil
}

// anywhere stands for the address of a connection; names alone are pinned.
var anywhere = &net.TCPAddr{IP: net.IPv4zero}

// exchange replaces the keys of a host, which must be those in old.
func (p pins) exchange(host string, old []string, key ssh.PublicKey) error {
	pinning.Lock()
	defer pinning.Unlock()
	known, err := p.known(host, anywhere, key)
	if err != nil {
		return err
	}
	if !sameKeys(known, old) {
		return ErrNotAsShown
	}
	data, err := os.ReadFile(p.file)
	if err != nil {
		return fmt.Errorf("trust host key: %w", err)
	}
	name := knownhosts.Normalize(host)
	data = without(data, name)
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	data = append(data, knownhosts.Line([]string{name}, key)+"\n"...)
	if err := p.onlyThen(data, host, known, key); err != nil {
		return err
	}
	if err := replaceFile(p.file, data); err != nil {
		return fmt.Errorf("trust host key: %w", err)
	}
	return nil
}

func sameKeys(keys []ssh.PublicKey, fingerprints []string) bool {
	var have []string
	for _, k := range keys {
		have = append(have, ssh.FingerprintSHA256(k))
	}
	want := slices.Clone(fingerprints)
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(have, want)
}

// without takes a name out of a known_hosts file, and lines that name nothing else.
func without(file []byte, name string) []byte {
	var out []byte
	for line := range bytes.Lines(file) {
		marker, names, _, _, _, err := ssh.ParseKnownHosts(line)
		if err != nil || marker != "" || !slices.Contains(names, name) {
			out = append(out, line...)
			continue
		}
		others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
		if len(others) > 0 {
			out = append(out, strings.Replace(string(line), strings.Join(names, ","), strings.Join(others, ","), 1)...)
		}
	}
	return out
}

// onlyThen makes sure that with data a host is known by key and by none of old. A
// pattern or a hashed name in the file may still stand for the host.
func (p pins) onlyThen(data []byte, host string, old []ssh.PublicKey, key ssh.PublicKey) error {
	dir, err := os.MkdirTemp(filepath.Dir(p.file), "pins-")
	if err != nil {
		return fmt.Errorf("trust host key: %w", err)
	}
	defer os.RemoveAll(dir)
	trial := pins{file: filepath.Join(dir, "known_hosts")}
	if err := os.WriteFile(trial.file, data, 0o600); err != nil {
		return fmt.Errorf("trust host key: %w", err)
	}
	for _, k := range append(slices.Clone(old), key) {
		known, err := trial.known(host, anywhere, k)
		if err != nil {
			return err
		}
		if !sameKeys(known, []string{ssh.FingerprintSHA256(key)}) {
			return fmt.Errorf("trust host key: %s names %s in a way that cannot be changed here; delete its old lines by hand", p.file, host)
		}
	}
	return nil
}
