package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"z2mha/internal/backup"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/supervisor"
	"z2mha/internal/host/remote"
	"z2mha/internal/storage/durable"
	"z2mha/internal/version"
)

func serveCommand(f *flags) *cobra.Command {
	var addon bool
	cmd := &cobra.Command{
		Use: "serve", Short: "Run for good: the page, Home Assistant's entities, traps", Args: noArgs,
		Long: "Watch the networks, serve the page, tell Home Assistant over MQTT, send traps, and carry out what is asked for.\n" +
			"What cannot be used is named on the page and in the log; the rest goes on.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), f, addon)
		},
	}
	cmd.Flags().BoolVar(&addon, "addon", false, "as a Home Assistant add-on: options, broker and users come from the Supervisor")
	return cmd
}

// A server outlives the configurations that it works with.
type server struct {
	around  surroundings
	log     *slog.Logger
	front   *desk.Front
	notices *supervisor.Notices  // in Home Assistant; nil without a Supervisor
	ready   func(address string) // told once the page is served; when nil it may fail to be

	// restored has the state directories that this process has worked in, with the
	// backup they came out of, if any.
	restored map[string]*backup.Marker

	reloaded   chan struct{} // a token: read the configuration again
	replaced   chan struct{} // the same, for the page
	panelKnown chan struct{} // closed when panel is known

	mu      sync.Mutex // guards what follows
	house   *house     // nil while there is none
	trouble error      // why there is none, or why it does not follow the configuration
	panel   string     // path of our page in Home Assistant, "" when not known
}

func serve(ctx context.Context, f *flags, addon bool) error {
	level := new(slog.LevelVar)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	s := newServer(log)
	if s.around = (surroundings{config: f.config}); addon {
		s.around = inAddon(log)
		level.Set(s.around.options.LogLevel)
	}
	if f.verbose {
		level.Set(slog.LevelDebug)
	}
	for _, p := range s.around.problems {
		log.Warn("option not used", "problem", p)
	}
	if s.around.superErr != nil {
		log.Error("no Supervisor", "err", s.around.superErr)
	}
	log.Info("z2mha starts", "version", version.Version, "configuration", s.around.config)
	return s.run(ctx)
}

func newServer(log *slog.Logger) *server {
	return &server{log: log, front: &desk.Front{}, restored: map[string]*backup.Marker{}, panelKnown: make(chan struct{}),
		reloaded: make(chan struct{}, 1), replaced: make(chan struct{}, 1)}
}

// run ends with ctx. The page and the notifications end after the work on the networks:
// how a run came to its safe point is to be seen.
func (s *server) run(ctx context.Context) error {
	s.showKey()
	g, ctx := errgroup.WithContext(ctx)
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	if s.around.super != nil {
		s.notices = supervisor.NewNotices(s.around.super, s.log)
		g.Go(func() error { return s.notices.Run(lasting) })
		g.Go(func() error { s.learnPanel(ctx); return nil })
		g.Go(func() error { s.keepQuestions(ctx); return nil })
	}
	g.Go(func() error { return s.servePage(lasting) })
	g.Go(func() error { s.watchFile(ctx); return nil })
	g.Go(func() error { defer end(); s.houses(ctx); return nil })
	return g.Wait()
}

// tell keeps Home Assistant's notifications in line with what happens.
func (s *server) tell(e status.Event) {
	if s.notices == nil {
		return
	}
	run, state, capture := "z2mha_"+e.Network+"_run", "z2mha_"+e.Network+"_protection", "z2mha_"+e.Network+"_capture"
	took, practice := "z2mha_"+e.Network+"_failover", "z2mha_"+e.Network+"_rehearsal"
	text := s.noticeText(e.Text, e.Fix)
	title := "Zigbee network " + e.Network
	switch e.Type {
	case status.EventNeedsHelp, status.EventSwitchoverFailed, status.EventFailoverFailed, status.EventRepairFailed, status.EventSplitBrain, status.EventRunFailed:
		s.notices.Set(run, title, text)
	case status.EventFailoverCompleted:
		s.notices.Clear(run)
		if e.Cause == status.CauseAutomatic {
			s.notices.Set(took, title, s.noticeText(e.Text, "Look what became of "+e.From+", then acknowledge it on the page: until then, or for a while, there is no second failover by itself."))
		}
	case status.EventAcknowledged:
		s.notices.Clear(took)
	case status.EventRehearsalSkipped:
		s.notices.Set(practice, title, text)
	case status.EventSwitchoverCompleted, status.EventNodeStarted, status.EventRepaired, status.EventReturned:
		s.notices.Clear(run)
		if e.Cause == status.CauseScheduled {
			s.notices.Clear(practice)
		}
	case status.EventCaptureRefused:
		s.notices.Set(capture, title, text)
	case status.EventSyncRecovered:
		s.notices.Clear(capture)
	case status.EventRedundancyLost:
		s.notices.Set(state, title, text)
	case status.EventRedundancyRestored:
		s.notices.Clear(state)
	}
}

// showKey makes our SSH key if there is none and puts its public half where a user
// finds it: in the log, and in the add-on's folder.
func (s *server) showKey() {
	_, line, err := remote.LoadOrCreateKey(filepath.Join(s.stateDir(), "id_ed25519"))
	if err != nil {
		s.log.Error("no SSH key", "err", err)
		return
	}
	s.log.Info("our public SSH key, for authorized_keys on every host", "key", line)
	if s.around.folder == "" {
		return
	}
	path := filepath.Join(s.around.folder, "z2mha.pub")
	if err := (durable.Disk{}).WriteFile(path, []byte(line+"\n"), 0o644); err != nil {
		s.log.Warn("the key could not be put into the add-on's folder", "err", err)
	}
}

// stateDir is where state is, or will be once there is a configuration.
func (s *server) stateDir() string {
	if cfg, err := s.around.peek(); err == nil {
		return cfg.State
	}
	return cmp.Or(s.around.state, filepath.Join(filepath.Dir(s.around.config), "state"))
}

// serveDemo is `z2mha serve` for the demonstration: only warnings are logged.
func serveDemo(ctx context.Context, config string, ready func(address string)) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	s := newServer(log)
	s.around, s.ready = surroundings{config: config}, ready
	return s.run(ctx)
}
