package engine_test

import (
	"sync"
	"testing"
	"time"

	"z2mha/internal/world/inmem"
)

// A prepared home is made once. Every test gets a copy of it, at the time at which it was
// ready: every bubble begins at the same time.
type prepared struct {
	mu    sync.Mutex
	ready *inmem.Home
	disk  *inmem.Stores
	at    time.Time
}

var warmed, lived prepared

func (p *prepared) home(t *testing.T, build func() (*inmem.Home, *inmem.Stores)) (*inmem.Home, *inmem.Stores) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready == nil {
		h, s := build()
		p.ready, p.disk, p.at = h.Clone(), s.Snapshot(), time.Now()
		return h, s
	}
	if early := time.Until(p.at); early > 0 {
		time.Sleep(early)
		return p.ready.Clone(), p.disk.Snapshot()
	}
	return build() // this test has had a past of its own
}
