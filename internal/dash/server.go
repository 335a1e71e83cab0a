package dash

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	headerTime = 10 * time.Second // for the head of a request
	idleTime   = 2 * time.Minute  // for a connection that is kept
	writeTime  = 30 * time.Second // for an answer, or one event of a stream
	closeTime  = 10 * time.Second // for answers under way when the server ends

	maxHeaderBytes = 64 << 10 // Home Assistant's cookies pass through ingress
)

// A Server is the page. Handler alone serves it too, as tests do; Run also listens.
type Server struct {
	cfg     Config
	log     *slog.Logger
	handler http.Handler
	streams streams
	tries   tries
	ready   chan struct{} // closed when addr is set
	addr    net.Addr
}

// New makes a server that does not listen yet.
func New(cfg Config) *Server {
	cfg.Mode = cmp.Or(cfg.Mode, Standalone)
	if cfg.Mode == Addon {
		cfg.Address = cmp.Or(cfg.Address, DefaultAddonAddress)
	}
	cfg.Address = cmp.Or(cfg.Address, DefaultAddress)
	if !cfg.Ingress.IsValid() {
		cfg.Ingress = SupervisorAddress
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg, log: cfg.Log, ready: make(chan struct{})}
	s.handler = s.routes()
	return s
}

// Handler serves the page without listening.
func (s *Server) Handler() http.Handler { return s.handler }

// Ready is closed when the server listens.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr is where the server listens; nil until it is Ready.
func (s *Server) Addr() net.Addr {
	select {
	case <-s.ready:
		return s.addr
	default:
		return nil
	}
}

func (s *Server) String() string { return "page" }

// Run serves until ctx ends, and then returns nil when the answers under way are
// given; streams end at once. It is called once. It fails when it cannot listen, and
// when everybody could come in: a *OpenError.
func (s *Server) Run(ctx context.Context) error {
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	s.addr = listener.Addr()
	close(s.ready)
	s.log.Info("page served", "address", s.addr, "mode", s.cfg.Mode)
	server := &http.Server{
		Handler: s.handler, DisableGeneralOptionsHandler: true, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeaderBytes,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve the page: %w", err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		s.log.Info("answers under way were cut off", "err", errors.Join(err, server.Close()))
	}
	<-served
	return nil
}

// An OpenError is a standalone page that everybody in the network could use.
type OpenError struct{ Address string }

func (e *OpenError) Error() string {
	return fmt.Sprintf("the page would be open to everybody who reaches %s: set page.password in z2mha.yaml, or page.listen to %s",
		e.Address, DefaultAddress)
}

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	if l := s.cfg.Listener; l != nil {
		if s.open(l.Addr()) {
			return nil, errors.Join(&OpenError{l.Addr().String()}, l.Close())
		}
		return l, nil
	}
	at, err := net.ResolveTCPAddr("tcp", s.cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for the page on %s: %w", s.cfg.Address, err)
	}
	if s.open(at) {
		return nil, &OpenError{s.cfg.Address}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("listen for the page: %w; is another z2mha running?", err)
	}
	return l, nil
}

// open says that people without a password could reach the page from elsewhere.
func (s *Server) open(at net.Addr) bool {
	if s.cfg.Mode == Addon || s.cfg.Password.IsSet() {
		return false
	}
	ap, err := netip.ParseAddrPort(at.String())
	return err != nil || !ap.Addr().Unmap().IsLoopback()
}

// routes is everything that is served. What Pre names looks at every request, also at
// those that no route fits.
func (s *Server) routes() *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = s.fail
	e.Pre(s.recovered, s.headers, bodies, s.admit, methods)

	get := []string{http.MethodGet, http.MethodHead}
	e.Match(get, "/", s.index)
	e.Match(get, "/overview", s.overview)
	e.Match(get, "/events", s.events)
	e.Match(get, "/healthz", s.healthz)
	e.Match(get, "/assets/:name", s.asset)
	e.POST("/preview", s.preview)
	e.POST("/ask", s.ask)
	e.Match(get, "/setup", s.setupPage)
	e.POST("/setup/:step", s.setupStep)
	return e
}
