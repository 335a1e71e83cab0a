package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// pinning is held while a known_hosts file is read, extended and replaced: all
// hosts share one.
var pinning sync.Mutex

// hostKeyAlgorithms are the signatures we accept, best first. Certificates are not
// among them: what we pin is a key.
var hostKeyAlgorithms = []string{
	ssh.KeyAlgoED25519,
	ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
}

// pins is a known_hosts file.
type pins struct{ file string }

// check admits the pinned key of a host and pins the first one it sees.
func (p pins) check(host string, remote net.Addr, key ssh.PublicKey) error {
	pinning.Lock()
	defer pinning.Unlock()
	known, err := p.lookUp(host, remote, key)
	if err != nil || len(known) == 0 {
		return err
	}
	if slices.ContainsFunc(known, func(k ssh.PublicKey) bool { return string(k.Marshal()) == string(key.Marshal()) }) {
		return nil
	}
	changed := &HostKeyChangedError{Host: host, File: p.file, Offered: ssh.FingerprintSHA256(key)}
	for _, k := range known {
		changed.Pinned = append(changed.Pinned, ssh.FingerprintSHA256(k))
	}
	return changed
}

// lookUp returns the keys pinned for host. When there are none it pins key.
func (p pins) lookUp(host string, remote net.Addr, key ssh.PublicKey) ([]ssh.PublicKey, error) {
	known, err := p.known(host, remote, key)
	if err != nil || len(known) > 0 {
		return known, err
	}
	return nil, p.add(host, key)
}

// known returns the keys pinned for host; when key is one of them, only that.
func (p pins) known(host string, remote net.Addr, key ssh.PublicKey) ([]ssh.PublicKey, error) {
	callback, err := knownhosts.New(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pinned host keys: %w", err)
	}
	var mismatch *knownhosts.KeyError
	err = callback(host, remote, key)
	switch {
	case err == nil:
		return []ssh.PublicKey{key}, nil
	case !errors.As(err, &mismatch):
		return nil, fmt.Errorf("pinned host keys in %s: %w", p.file, err)
	}
	var keys []ssh.PublicKey
	for _, k := range mismatch.Want {
		keys = append(keys, k.Key)
	}
	return keys, nil
}

func (p pins) add(host string, key ssh.PublicKey) error {
	old, err := os.ReadFile(p.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pin host key: %w", err)
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		old = append(old, '\n')
	}
	line := knownhosts.Line([]string{knownhosts.Normalize(host)}, key) + "\n"
	if err := replaceFile(p.file, append(old, line...)); err != nil {
		return fmt.Errorf("pin host key: %w", err)
	}
	return nil
}

// algorithms are those of hostKeyAlgorithms with the pinned ones first, so that a
// host with keys of several kinds shows the one we know.
func (p pins) algorithms(host string, remote net.Addr, probe ssh.PublicKey) ([]string, error) {
	pinning.Lock()
	defer pinning.Unlock()
	known, err := p.known(host, remote, probe)
	if err != nil {
		return nil, err
	}
	isPinned := func(algorithm string) bool {
		return slices.ContainsFunc(known, func(k ssh.PublicKey) bool {
			return k.Type() == algorithm || k.Type() == ssh.KeyAlgoRSA &&
				(algorithm == ssh.KeyAlgoRSASHA512 || algorithm == ssh.KeyAlgoRSASHA256)
		})
	}
	sorted := slices.Clone(hostKeyAlgorithms)
	slices.SortStableFunc(sorted, func(a, b string) int {
		switch pa, pb := isPinned(a), isPinned(b); {
		case pa && !pb:
			return -1
		case pb && !pa:
			return 1
		}
		return 0
	})
	return sorted, nil
}
