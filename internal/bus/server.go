package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// A server is a parsed Config.Server, without a password.
type server struct {
	address        string // host:port
	host           string
	tls            *tls.Config // nil for mqtt://
	caFile         string
	scheme         string
	user, password string
}

func (s server) String() string { return s.scheme + "://" + s.address }

func parseServer(cfg Config) (server, error) {
	u, err := url.Parse(cfg.Server)
	if err != nil || u.Hostname() == "" {
		return server{}, errors.New("mqtt.server must look like mqtt://host:1883 or mqtts://host:8883")
	}
	s := server{host: u.Hostname(), scheme: u.Scheme, user: cfg.User, password: cfg.Password, caFile: cfg.CAFile}
	if s.user == "" && u.User != nil {
		s.user = u.User.Username()
		s.password, _ = u.User.Password()
	}
	port := u.Port()
	switch u.Scheme {
	case "mqtt", "tcp":
		port = orElse(port, "1883")
	case "mqtts", "ssl":
		port = orElse(port, "8883")
		s.tls, err = trust(cfg.CAFile, s.host)
	default:
		return server{}, fmt.Errorf("mqtt.server begins with %q; write mqtt:// or mqtts://", u.Scheme+"://")
	}
	s.address = net.JoinHostPort(s.host, port)
	return s, err
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func trust(caFile, host string) (*tls.Config, error) {
	cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("mqtt.ca: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("mqtt.ca: %s holds no certificate in PEM form", caFile)
	}
	return cfg, nil
}

// dial opens the way to the broker, TLS included.
func (s server) dial(ctx context.Context, dialer func(context.Context) (net.Conn, error)) (net.Conn, error) {
	if dialer == nil {
		dialer = func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
		}
	}
	conn, err := dialer(ctx)
	if err != nil || s.tls == nil {
		return conn, err
	}
	settings, err := trust(s.caFile, s.host) // the file may have been replaced
	if err != nil {
		conn.Close()
		return nil, err
	}
	secure := tls.Client(conn, settings)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}

// A LoginError is a broker that answered and does not let us in.
type LoginError struct {
	Server string
	User   string // "" when none was given
	Err    error
}

func (e *LoginError) Error() string {
	who := fmt.Sprintf("the login of user %q", e.User)
	if e.User == "" {
		who = "a login without user and password"
	}
	return fmt.Sprintf("broker %s refuses %s (%v); check mqtt.user and mqtt.password", e.Server, who, e.Err)
}

func (e *LoginError) Unwrap() error { return e.Err }

// An UnreachableError is a broker that was not reached, or is gone.
type UnreachableError struct {
	Server string
	Err    error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("broker %s cannot be reached: %v; check %s", e.Server, e.Err, e.remedy())
}

func (e *UnreachableError) Unwrap() error { return e.Err }

func (e *UnreachableError) remedy() string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(e.Err, &authority):
		return "mqtt.ca: nobody we trust has signed its certificate" + signedBy(authority.Cert) +
			"; copy the certificate of that authority (PEM) to this machine and name its file"
	case errors.As(e.Err, &name):
		return "mqtt.server: its certificate is for another name"
	case errors.As(e.Err, &plain):
		return "mqtt.server: this port does not speak TLS, so it may be mqtt:// instead of mqtts://"
	}
	return "mqtt.server and that the broker runs"
}

// signedBy names the authority that must be trusted. The name comes from the broker.
func signedBy(cert *x509.Certificate) string {
	if cert == nil {
		return ""
	}
	return fmt.Sprintf(", it is %.100q", cert.Issuer.String())
}

// refusal sorts what went wrong while connecting.
func (s server) refusal(err error) error {
	for _, login := range []error{packets.ErrorRefusedBadUsernameOrPassword, packets.ErrorRefusedNotAuthorised, packets.ErrorRefusedIDRejected} {
		if errors.Is(err, login) {
			return &LoginError{Server: s.String(), User: s.user, Err: login}
		}
	}
	return &UnreachableError{Server: s.String(), Err: err}
}
