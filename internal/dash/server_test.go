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
	"z2mha/internal/dash/ingresstest"
	"z2mha/web"
)

func TestWhereItListens(t *testing.T) {
	for _, tt := range []struct {
		name, address string
		mode          dash.Mode
		password      string
		open          bool
	}{
		{"listens on loopback", "127.0.0.1:0", dash.Standalone, "", false},
		{"listens on localhost", "localhost:0", dash.Standalone, "", false},
		{"does not listen everywhere", "0.0.0.0:0", dash.Standalone, "", true},
		{"does not listen on all that there is", ":0", dash.Standalone, "", true},
		{"does not listen elsewhere", "192.0.2.9:0", dash.Standalone, "", true},
		{"listens everywhere with a password", "0.0.0.0:0", dash.Standalone, secret, false},
		{"listens everywhere as an add-on", ":0", dash.Addon, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := dash.New(dash.Config{Desk: newDesk(), Address: tt.address, Mode: tt.mode, Password: dash.NewPassword(tt.password)})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-s.Ready()
				cancel()
			}()
			err := s.Run(ctx)
			if open := errors.As(err, new(*dash.OpenError)); open != tt.open || !open && err != nil {
				t.Errorf("got %v", err)
			}
			if tt.open {
				if !strings.Contains(err.Error(), "page.password") || !strings.Contains(err.Error(), tt.address) {
					t.Errorf("the error does not say what to do: %v", err)
				}
				cancel()
			}
		})
	}
}

func TestListenerThatIsOpen(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Skipf("this machine has no network: %v", err)
	}
	if err := dash.New(dash.Config{Desk: newDesk(), Listener: l}).Run(t.Context()); !errors.As(err, new(*dash.OpenError)) {
		t.Errorf("got %v", err)
	}
}

func TestAddressThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = dash.New(dash.Config{Desk: newDesk(), Address: l.Addr().String()}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "another z2mha") {
		t.Errorf("got %v", err)
	}
}

// TestThroughIngress is a whole visit over sockets: page, style sheet, stream, buttons.
func TestThroughIngress(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	for _, held := range []bool{false, true} {
		h.proxy.HoldStreams(held)
		h.get("").expect(t, 200, "attic")
	}
	h.proxy.HoldStreams(false)
	stream, err := http.DefaultTransport.RoundTrip(h.request(http.MethodGet, "events", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() || lines.Text() != "event: overview" {
		t.Fatalf("the stream begins with %q", lines.Text())
	}
	h.desk.show(degraded())
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Partly protected") {
			return
		}
	}
	t.Errorf("the change did not come: %v", lines.Err())
}

// TestAllAtOnce is for the race detector.
func TestAllAtOnce(t *testing.T) {
	h := behindIngress(t, dash.Config{})
	seen := seenIn(t, h.post("preview", "verb", "hold"))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 5 {
				h.get("").expect(t, 200)
				h.get("overview").expect(t, 200)
				h.post("ask", "verb", "hold", "seen", seen).expect(t, 202)
				x := home()
				x.Devices = 10*i + n
				h.desk.show(x)
				h.proxy.SetUser(ingresstest.User{ID: "a1", Name: fmt.Sprint(i)})
			}
		})
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if a, err := http.DefaultTransport.RoundTrip(h.request(http.MethodGet, "events", "").WithContext(ctx)); err == nil {
				bufio.NewReader(a.Body).ReadString('\n')
				a.Body.Close()
			}
		})
	}
	all.Wait()
}

// panicking is a desk with a mistake.
type panicking struct{ *fakeDesk }

func (panicking) Changed() <-chan struct{} { panic("a mistake at 192.0.2.1") }

func TestPanicEndsOneRequestOnly(t *testing.T) {
	h := direct(t, dash.Config{Desk: panicking{newDesk(home())}, Notices: func() []dash.Notice { return nil }}, dash.Standalone)
	r := h.request(http.MethodGet, "events", "")
	if a, err := http.DefaultTransport.RoundTrip(r); err == nil {
		a.Body.Close()
	}
	h.get("").expect(t, 200)
	if !strings.Contains(h.log.String(), "a mistake") || !strings.Contains(h.log.String(), "events.go") {
		t.Errorf("the log does not say what happened:\n%s", h.log)
	}
}

// TestConnectionThatIsKept: a time limit of one answer is none of the next one.
func TestConnectionThatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := running(t, dash.Config{Desk: newDesk(home())})
		conn, err := p.dial()
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		for _, path := range []string{"/", "/healthz", "/overview", "/" + web.Assets.Path("app.css"), "/nothing"} {
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
			a, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if _, err := io.Copy(io.Discard, a.Body); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			time.Sleep(time.Minute)
		}
		conn.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
