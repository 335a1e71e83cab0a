package dash_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dash"
)

// TestStrangersLearnNothing: whatever the method, they get one sentence, not our version.
func TestStrangersLearnNothing(t *testing.T) {
	const version = "7.8.9-ours"
	for name, h := range map[string]*house{
		"ingress":  direct(t, dash.Config{Version: version, Ingress: netip.MustParseAddr("172.30.32.2")}, dash.Addon),
		"password": direct(t, dash.Config{Version: version, Password: dash.NewPassword(secret)}, dash.Standalone),
	} {
		for _, method := range []string{"OPTIONS", "PUT", "TRACE", "PROPFIND", "GET", "POST"} {
			r := h.request(method, "", "")
			r.Header.Set("X-HTTP-Method-Override", "GET")
			a := h.do(r)
			if a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusUnauthorized || strings.Contains(a.body, version) || strings.Contains(a.body, "<") {
				t.Errorf("%s: %s is answered with %s:\n%.300s", name, method, a.Status, a.body)
			}
		}
	}
}

// TestNoSideDoor: net/http answers OPTIONS * itself unless it is told not to.
func TestNoSideDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := running(t, dash.Config{Desk: newDesk(home())})
		conn, err := p.dial()
		if err != nil {
			t.Fatal(err)
		}
		go fmt.Fprint(conn, "OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n")
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || a.StatusCode != http.StatusForbidden {
			t.Errorf("%v, %v", a, err)
		}
		conn.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestBodiesThatNeverCome: who announces a form and does not send it is hung up on, also
// when nobody wants to read the form.
func TestBodiesThatNeverCome(t *testing.T) {
	for name, head := range map[string]string{
		"a form":              "POST /ask HTTP/1.1\r\nHost: localhost\r\nHX-Request: true\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n",
		"a form of a site":    "POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
		"a form to a page":    "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
		"a form of a guest":   "POST /ask HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100\r\n\r\n",
		"chunks":              "POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
		"a form that is long": "POST /ask HTTP/1.1\r\nHost: localhost\r\nHX-Request: true\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("a", 70000),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := running(t, dash.Config{Desk: newDesk(home())})
				conn, err := p.dial()
				if err != nil {
					t.Fatal(err)
				}
				go fmt.Fprint(conn, head)
				ended := make(chan struct{})
				go func() {
					_, _ = io.Copy(io.Discard, conn)
					close(ended)
				}()
				select {
				case <-ended:
				case <-time.After(time.Minute):
					t.Error("still connected after a minute")
				}
				conn.Close()
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestFormAndThenTime: the time limit of a form ends when it has arrived.
func TestFormAndThenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := running(t, dash.Config{Desk: newDesk(home())})
		conn, err := p.dial()
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		for range 3 {
			const form = "network=home&verb=hold"
			go fmt.Fprintf(conn, "POST /preview HTTP/1.1\r\nHost: localhost\r\nHX-Request: true\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(form), form)
			a, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, a.Body); err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("%s, %v", a.Status, err)
			}
			time.Sleep(time.Minute)
		}
		conn.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
