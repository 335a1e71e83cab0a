package dash_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dash"
	"z2mha/internal/failover/status"
)

// A pipe is a listener in memory, for synctest; every connection comes from loopback.
type pipe struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipe() *pipe { return &pipe{conns: make(chan net.Conn), done: make(chan struct{})} }

type pipeConn struct{ net.Conn }

func (pipeConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return pipeConn{c}, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8099} }

func (p *pipe) dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, errors.New("connection refused")
	}
}

// A streamed is one open stream.
type streamed struct {
	answer *http.Response
	events chan event // closed at the end of the stream
	conn   net.Conn
}

type event struct{ name, data string }

// watch opens a stream, which ends with the test at the latest.
func (p *pipe) watch(t *testing.T) *streamed {
	t.Helper()
	conn, err := p.dial()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	in := bufio.NewReader(conn)
	a, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &streamed{answer: a, events: make(chan event, 1000), conn: conn}
	go s.read()
	return s
}

func (s *streamed) read() {
	defer close(s.events)
	lines := bufio.NewScanner(s.answer.Body)
	var e event
	var data []string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		case "":
			e.data = strings.Join(data, "\n")
			s.events <- e
			e, data = event{}, nil
		}
	}
}

// next is what has come since, by name: "overview alive".
func (s *streamed) next() string {
	synctest.Wait()
	var names []string
	for {
		select {
		case e, open := <-s.events:
			if !open {
				return strings.Join(append(names, "end"), " ")
			}
			names = append(names, e.name)
		default:
			return strings.Join(names, " ")
		}
	}
}

// running serves a page in memory inside a bubble; stop ends it and returns what Run did.
func running(t *testing.T, cfg dash.Config) (p *pipe, stop func() error) {
	t.Helper()
	p = newPipe()
	cfg.Listener, cfg.Mode = p, dash.Standalone
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	server := dash.New(cfg)
	go func() { ended <- server.Run(ctx) }()
	<-server.Ready()
	return p, func() error {
		cancel()
		return <-ended
	}
}

func degraded() status.Network {
	n := home()
	n.Protection = status.Degraded
	return n
}

func TestStreamTellsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(home())
		p, stop := running(t, dash.Config{Desk: d})
		s := p.watch(t)
		expect := func(what, want string) {
			t.Helper()
			if got := s.next(); got != want {
				t.Errorf("%s: got %q, want %q", what, got, want)
			}
		}
		for name, want := range map[string]string{"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no", "Cache-Control": "no-store", "Content-Length": ""} {
			if got := s.answer.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		expect("at once", "overview")
		time.Sleep(time.Second)
		expect("while nothing changes", "")
		d.show(home())
		time.Sleep(time.Second)
		expect("when nothing that is shown has changed", "")
		d.show(degraded())
		time.Sleep(time.Second)
		expect("a change", "overview")
		for i := range 100 {
			n := home()
			n.Devices = i
			d.show(n)
		}
		time.Sleep(time.Second)
		if got := s.next(); got != "overview" && got != "overview overview" {
			t.Errorf("100 changes at once: got %q", got)
		}
		time.Sleep(15 * time.Second)
		expect("a sign of life", "alive")
		time.Sleep(time.Hour)
		if got := strings.Fields(s.next()); len(got) < 239 || len(got) > 241 {
			t.Errorf("an hour of nothing: %d signs of life", len(got))
		}
		if err := stop(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		expect("afterwards", "end")
	})
}

func TestStreamCarriesThePart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := degraded()
		n.Reasons = []status.Reason{{What: "first\r\nsecond\rthird\n\nevent: alive"}}
		p, stop := running(t, dash.Config{Desk: newDesk(n)})
		s := p.watch(t)
		synctest.Wait()
		e := <-s.events
		if e.name != "overview" || !strings.HasPrefix(e.data, `<main id="overview"`) || !strings.HasSuffix(e.data, "</main>") ||
			!strings.Contains(e.data, "First\nsecond\nthird\n\nevent: alive") {
			t.Errorf("got %q with %q", e.name, e.data)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		s.next()
	})
}

// TestNoticesReachStreams: they have no channel of their own.
func TestNoticesReachStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var notices []dash.Notice
		p, stop := running(t, dash.Config{Desk: newDesk(home()), Notices: func() []dash.Notice {
			mu.Lock()
			defer mu.Unlock()
			return notices
		}})
		s := p.watch(t)
		s.next()
		mu.Lock()
		notices = []dash.Notice{{What: "The broker cannot be reached."}}
		mu.Unlock()
		time.Sleep(16 * time.Second)
		if got := s.next(); got != "overview" {
			t.Errorf("got %q", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		s.next()
	})
}

func TestTooManyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := running(t, dash.Config{Desk: newDesk(home())})
		var all []*streamed
		for range 32 {
			all = append(all, p.watch(t))
		}
		further := p.watch(t)
		if further.answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("number 33: %s", further.answer.Status)
		}
		all[0].conn.Close()
		time.Sleep(20 * time.Second)
		again := p.watch(t)
		if again.answer.StatusCode != http.StatusOK {
			t.Errorf("after one had left: %s", again.answer.Status)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		for _, s := range append(all[1:], again) {
			if got := s.next(); !strings.HasSuffix(got, "end") {
				t.Errorf("a stream was left with %q", got)
			}
		}
	})
}

// TestSlowReader: one that takes nothing is dropped, and others do not notice.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(home())
		p, stop := running(t, dash.Config{Desk: d})
		conn, err := p.dial()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		s := p.watch(t)
		s.next()
		d.show(degraded())
		time.Sleep(time.Second)
		if got := s.next(); got != "overview" {
			t.Errorf("the other one got %q", got)
		}
		time.Sleep(time.Minute)
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("the connection was not closed: %v", err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		s.next()
	})
}

func TestShutdownIsPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := running(t, dash.Config{Desk: newDesk(home())})
		var all []*streamed
		for range 5 {
			all = append(all, p.watch(t))
		}
		from := time.Now()
		if err := stop(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if took := time.Since(from); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		for _, s := range all {
			if got := s.next(); got != "overview end" {
				t.Errorf("got %q", got)
			}
		}
		if _, err := p.dial(); err == nil {
			t.Error("somebody still listens")
		}
	})
}
