package dash

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// account is the name for HTTP Basic; there is only one.
const account = "z2mha"

// admit lets a request in or says in plain words why not. A page would need its
// style sheet, which is not served to strangers either, so the answer is bare text.
func (s *Server) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		from := sourceOf(r)
		if r.URL.Path == "/healthz" && from.IsLoopback() {
			return next(c)
		}
		bar := s.admitDirect
		if s.cfg.Mode == Addon {
			bar = s.admitIngress
		}
		if b := bar(r, from); b != nil {
			c.Response().Header().Set("Connection", "close") // strangers keep none
			s.log.Info("request not admitted", "from", from, "path", short(r.URL.Path), "status", b.status)
			if b.status == http.StatusUnauthorized {
				c.Response().Header().Set("WWW-Authenticate", `Basic realm="z2mha", charset="UTF-8"`)
			}
			if b.wait > 0 {
				c.Response().Header().Set("Retry-After", strconv.Itoa(int(b.wait/time.Second)+1))
			}
			return b
		}
		return next(c)
	}
}

// barred is why a request was not let in.
type barred struct {
	status int
	why    string
	wait   time.Duration // before it is worth another try; 0 when it is not, or at once
}

func (b *barred) Error() string { return b.why }

// admitIngress goes by the address of the connection alone: anybody can write headers.
func (s *Server) admitIngress(_ *http.Request, from netip.Addr) *barred {
	if from == s.cfg.Ingress {
		return nil
	}
	return &barred{status: http.StatusForbidden, why: fmt.Sprintf("This page is served only through Home Assistant: open it from the sidebar or "+
		"from the page of the add-on. This request came directly from %s.", from)}
}

func (s *Server) admitDirect(r *http.Request, from netip.Addr) *barred {
	if s.cfg.Password.IsSet() {
		return s.login(r, from)
	}
	if !from.IsLoopback() {
		return &barred{status: http.StatusForbidden, why: fmt.Sprintf("Without a password this page is served only to programs on its own machine; "+
			"this request came from %s. Set page.password in z2mha.yaml to open it from elsewhere.", from)}
	}
	if !s.ownName(r.Host) {
		return &barred{status: http.StatusForbidden, why: "This page has no password, so it answers only under its own names: open it as http://localhost or " +
			"http://127.0.0.1 with its port, or set page.password in z2mha.yaml."}
	}
	return nil
}

func (s *Server) login(r *http.Request, from netip.Addr) *barred {
	user, password, given := r.BasicAuth()
	if wait := s.tries.wait(from); given && wait > 0 {
		return &barred{status: http.StatusTooManyRequests, wait: wait, why: fmt.Sprintf("Too many wrong passwords came from %s. Wait %s, and try again.", from, span(wait))}
	}
	if given && user == account && s.cfg.Password.Opens(password) {
		return nil
	}
	if given {
		s.log.Warn("wrong user or password for the page", "from", from)
		s.tries.wrong(from, user, password)
	}
	return &barred{status: http.StatusUnauthorized, why: "This page needs a user and a password: the user is " + account + ", the password is page.password in z2mha.yaml."}
}

// ownName refuses names that somebody else gave this machine: a foreign page whose
// name suddenly means 127.0.0.1 would otherwise read and press everything here.
func (s *Server) ownName(host string) bool {
	name := hostOf(host)
	if a, err := netip.ParseAddr(name); err == nil && a.IsLoopback() {
		return true
	}
	return name == "localhost" || name != "" && name == hostOf(s.cfg.Address)
}

// hostOf is the name in "name:port", "[::1]:port" or without a port.
func hostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// sourceOf is the other end of the connection; not valid when it has no IP address.
func sourceOf(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
