package node_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"z2mha/internal/failover/generation"
)

// A distance is a long way to a host: what is sent arrives half a round trip later. It
// counts what it took.
type distance struct {
	trip time.Duration

	mu    sync.Mutex
	bytes int64 // both directions
}

func (d *distance) dial(ctx context.Context, network, address string) (net.Conn, error) {
	far, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	near, ours := net.Pipe()
	go d.carry(far, ours)
	go d.carry(ours, far)
	return named{near, far.RemoteAddr()}, nil
}

// named is a pipe that knows whom it leads to.
type named struct {
	net.Conn
	to net.Addr
}

func (n named) RemoteAddr() net.Addr { return n.to }

// carry delivers what src says to dst, later.
func (d *distance) carry(dst, src net.Conn) {
	type parcel struct {
		data []byte
		due  time.Time
	}
	way := make(chan parcel, 1<<16)
	go func() {
		defer dst.Close()
		for p := range way {
			time.Sleep(time.Until(p.due))
			if _, err := dst.Write(p.data); err != nil {
				return
			}
		}
	}()
	defer close(way)
	for {
		data := make([]byte, 32<<10)
		n, err := src.Read(data)
		if n > 0 {
			d.count(n)
			way <- parcel{data[:n], time.Now().Add(d.trip / 2)}
		}
		if err != nil {
			return
		}
	}
}

func (d *distance) count(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bytes += int64(n)
}

// cost is what f takes.
func (d *distance) cost(f func()) (bytes int64, took time.Duration) {
	d.mu.Lock()
	was := d.bytes
	d.mu.Unlock()
	begun := time.Now()
	f()
	took = time.Since(begun)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes - was, took
}

// far makes a node at the end of a connection with 200 ms for a round trip.
func far(t *testing.T, p *place) *distance {
	t.Helper()
	p.warm() // the helper comes by a shorter way
	d := &distance{trip: 200 * time.Millisecond}
	p.cfg.SSH.Dial = d.dial
	p.Node = p.connect()
	p.warm()
	return d
}

// large fills a data directory to 2 MB.
func large(p *place) {
	files := map[string]string{}
	for i := range 60 {
		files[fmt.Sprintf("device_icons/%02d.png", i)] = strings.Repeat(fmt.Sprintf("icon %d of a lamp.", i), 2000)
	}
	p.data(files)
}

// change alters the three files that change in a day, and only those.
func change(t *testing.T, p *place, n int) {
	t.Helper()
	write(t, filepath.Join(p.cfg.Data, "state.json"), fmt.Sprintf(`{"n":%d,"text":%q}`, n, strings.Repeat("state ", 5000)))
	write(t, filepath.Join(p.cfg.Data, "database.db"), home["database.db"]+fmt.Sprintf(`{"id":3,"type":"Router","ieeeAddr":"0x0000000000000b0%d","nwkAddr":7}`, n)+"\n")
	write(t, filepath.Join(p.cfg.Data, "coordinator_backup.json"), strings.Replace(home["coordinator_backup.json"], "5250", fmt.Sprint(6000+n), 1))
}

// TestBudgetCaptureFarAway measures a capture in which three files have changed.
func TestBudgetCaptureFarAway(t *testing.T) {
	p := newPlace(t)
	large(p)
	far := far(t, p)
	d := newDepot()
	all, first := far.cost(func() { capture(t, p, d) })
	t.Logf("capture of 2 MB at 200 ms a round trip: %v the first time, %d bytes", first.Round(10*time.Millisecond), all)
	change(t, p, 1)
	var lines []string
	bytes, took := far.cost(func() { lines = p.commands(func() { capture(t, p, d) }) })
	t.Logf("capture with 3 changed files: %v, %d commands, %d bytes", took.Round(10*time.Millisecond), len(lines), bytes)
	if len(lines) != 1 {
		t.Errorf("%d commands: %q", len(lines), lines)
	}
	if bytes > 100_000 { // a listing of 66 files, and 33 kB of content
		t.Errorf("%d bytes for three files", bytes)
	}
}

// TestBudgetStageFarAway measures what a stand-by takes for three changed files.
func TestBudgetStageFarAway(t *testing.T) {
	active, standby, g, d := staged(t)
	far := far(t, standby)
	stage(t, standby, g, d)
	change(t, active, 1)
	c := capture(t, active, d)
	g = generation.Generation{Number: 8, Files: c.Files, Summary: c.Summary}
	for _, tt := range []struct {
		name     string
		do       func() error
		commands int
	}{
		{"stage of 3 changed files", func() error { _, err := standby.Stage(t.Context(), g, d, nil); return err }, 4},
		{"stage of no changed file", func() error { _, err := standby.Stage(t.Context(), g, d, nil); return err }, 4},
		{"promote", func() error { return standby.Promote(t.Context(), "run-1") }, 1},
		{"observe", func() error { _, err := standby.Observe(t.Context()); return err }, 2},
	} {
		var lines []string
		bytes, took := far.cost(func() {
			lines = standby.commands(func() {
				if err := tt.do(); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			})
		})
		t.Logf("%s: %v, %d commands, %d bytes", tt.name, took.Round(10*time.Millisecond), len(lines), bytes)
		if len(lines) > tt.commands {
			t.Errorf("%s: %d commands: %q", tt.name, len(lines), lines)
		}
	}
}
