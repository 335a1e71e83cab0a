package dash

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

const (
	freeTries   = 5           // wrong passwords that nobody has to wait for
	longestShut = time.Minute // between two tries; it doubles from a second on
	remembered  = time.Hour   // how long after the last wrong one
	maxTried    = 1000        // addresses
	netBits     = 64          // of an IPv6 address: whoever has one has them all
)

// tries slow down whoever tries passwords: after some wrong ones nothing is looked at
// for a while that comes from the same address, not even the right one. That is honest
// about what it cannot do: who has many addresses has many tries, and behind a proxy
// everybody has one. The same wrong password again is no try: browsers repeat it.
type tries struct {
	mu sync.Mutex
	by map[netip.Addr]*tried
}

type tried struct {
	wrong int
	last  [sha256.Size]byte // of what was wrong
	at    time.Time
}

// wait is how long nothing from there is looked at any more.
func (t *tries) wait(from netip.Addr) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x := t.by[wide(from)]; x != nil {
		return max(0, time.Until(x.at.Add(x.shut())))
	}
	return 0
}

// shut is how long x keeps the door shut.
func (x *tried) shut() time.Duration {
	if x.wrong <= freeTries {
		return 0
	}
	return min(longestShut, time.Second<<min(x.wrong-freeTries-1, 10))
}

// wrong counts what came from there.
func (t *tries) wrong(from netip.Addr, user, password string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from = wide(from)
	x := t.by[from]
	if x == nil || time.Since(x.at) > remembered {
		t.makeRoom()
		x = &tried{}
		t.by[from] = x
	}
	what := sha256.Sum256([]byte(user + "\n" + password))
	if x.wrong > 0 && what == x.last {
		return
	}
	x.wrong, x.last, x.at = x.wrong+1, what, time.Now()
}

// makeRoom forgets what is old, and if need be the oldest.
func (t *tries) makeRoom() {
	if t.by == nil {
		t.by = map[netip.Addr]*tried{}
	}
	var oldest netip.Addr
	for from, x := range t.by {
		if time.Since(x.at) > remembered {
			delete(t.by, from)
		} else if !oldest.IsValid() || x.at.Before(t.by[oldest].at) {
			oldest = from
		}
	}
	if len(t.by) >= maxTried {
		delete(t.by, oldest)
	}
}

// wide is what an address is counted as.
func wide(from netip.Addr) netip.Addr {
	if !from.Is6() {
		return from
	}
	p, err := from.Prefix(netBits)
	if err != nil {
		return from
	}
	return p.Addr()
}
