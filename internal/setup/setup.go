// Package setup is the pages of the first use: what to paste on a host, a look at it,
// and the part of z2mha.yaml that describes it, shown before it is written.
//
// A look runs reading commands only. What it found is remembered here for an hour and
// named by a word that is drawn at random, so that nothing of it comes back through a
// browser but the choice. z2mha.yaml is edited by inserting bytes, or taking some out:
// comments, order and everything else stay as a person wrote them, and the result is read
// by config.ParseWith and compared before it is shown and again before it is written.
//
// What was done can be undone: a node is removed, a network with its last two, and a host
// that has a new key is trusted again. None of that touches a host.
//
// A network needs two nodes. The first waits in <state>/setup.json until the second is
// there; that file holds no secret.
package setup

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/crypto/ssh"

	"z2mha/internal/config"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
	"z2mha/internal/host/remote"
	"z2mha/internal/storage/durable"
	"z2mha/web"
)

// Config says what the pages work with. File and State are required.
type Config struct {
	File  string // path of z2mha.yaml, which need not exist
	State string // directory of setup.json, known_hosts and our key
	// KeyFile is our private key, made when it is missing; State/id_ed25519 when "".
	KeyFile string
	// Defaults are asked for whenever the file is read; nil: there are none.
	Defaults func() config.Defaults
	// Saved is called, and waited for, after z2mha.yaml was written; may be nil.
	Saved func()
	// Networks are what is seen of the networks, so that no node is removed that carries
	// one; nil: that is not known.
	Networks func() []status.Network
	// Addon says that Home Assistant knows the broker, so that the file need not.
	Addon bool
	Disk  durable.Disk
	Log   *slog.Logger     // nil: silent
	Now   func() time.Time // nil: the real clock

	// Dial replaces net.Dialer; for tests.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Setup answers for the pages. All methods may be called at once.
type Setup struct {
	cfg  Config
	root string // before every path that a look reads; for tests

	looks  lookBook
	saving sync.Mutex // held from reading z2mha.yaml to having replaced it
}

// New returns the pages. It touches nothing.
func New(cfg Config) *Setup {
	if cfg.KeyFile == "" {
		cfg.KeyFile = filepath.Join(cfg.State, "id_ed25519")
	}
	if cfg.Defaults == nil {
		cfg.Defaults = func() config.Defaults { return config.Defaults{} }
	}
	if cfg.Saved == nil {
		cfg.Saved = func() {}
	}
	if cfg.Networks == nil {
		cfg.Networks = func() []status.Network { return nil }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Setup{cfg: cfg, looks: lookBook{now: cfg.Now}}
}

// Page fills the page with our key, the lines to paste, what is there, and a form for
// the next node. It works without a key, and says so, and with a z2mha.yaml that cannot
// be read, which whoever serves the page says.
func (s *Setup) Page(context.Context) (web.Setup, error) {
	var page web.Setup
	if signer, line, err := s.key(); err != nil {
		s.cfg.Log.Warn("no ssh key", "err", err)
		page.Notices = append(page.Notices, web.Notice{State: web.LightBad, What: "Our key cannot be used.",
			Details: []string{err.Error()}, Fix: "Put that right and load the page again."})
	} else {
		page.Key, page.Fingerprint = line, ssh.FingerprintSHA256(signer.PublicKey())
		page.Hosts = hosts(line)
	}
	there := s.read()
	page.Nodes = there.list()
	page.Form = web.SetupForm{Network: web.Field{Value: there.nextNetwork()}, Port: web.Field{Value: "22"},
		User: web.Field{Value: login}, Become: web.Field{Value: string(config.BecomeSudo)}}
	return page, nil
}

// Step carries out one step; see the package comment. Errors are *network.RefusedError
// and the context's.
func (s *Setup) Step(ctx context.Context, name string, form url.Values, by string) (templ.Component, error) {
	switch name {
	case "look":
		return s.look(ctx, form)
	case "review":
		return s.review(form)
	case "save":
		return s.save(form, by)
	case "check":
		return s.check(ctx, form)
	case "trust":
		return s.trust(ctx, form, by)
	case "removal":
		return s.reviewRemoval(form)
	case "remove":
		return s.remove(form, by)
	}
	return nil, &network.RefusedError{What: "set up a host", Why: "there is no such step", Remedy: "load the page again"}
}

// key is our key and its line for authorized_keys.
func (s *Setup) key() (ssh.Signer, string, error) { return s.keyIn(s.cfg.KeyFile) }

func (s *Setup) keyIn(file string) (ssh.Signer, string, error) {
	if err := s.cfg.Disk.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, "", err
	}
	return remote.LoadOrCreateKey(file)
}

// lookTime is how long what was found may be used.
const lookTime = time.Hour

// A lookBook remembers what was found lately.
type lookBook struct {
	now func() time.Time

	mu   sync.Mutex
	kept []keptLook // oldest first
}

type keptLook struct {
	token string
	at    time.Time
	sight sight
}

// keep remembers a sight and returns the word for it. The oldest of many is forgotten.
func (b *lookBook) keep(found sight) string {
	const most = 32
	k := keptLook{token: rand.Text(), at: b.now(), sight: found}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, k)
	b.kept = b.kept[max(0, len(b.kept)-most):]
	return k.token
}

func (b *lookBook) find(token string) (sight, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range b.kept {
		if k.token == token && b.now().Sub(k.at) < lookTime {
			return k.sight, nil
		}
	}
	return sight{}, &network.RefusedError{What: "go on with this host", Why: "the look at it was too long ago, or the program was restarted since",
		Remedy: "look at the host again"}
}

// fingerprint tells states of files apart.
func fingerprint(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256(p)
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
