// Package z2msim is a program that behaves towards a stick, a broker and its data
// directory as Zigbee2MQTT 2.x on a Z-Stack stick does, wherever a switchover can
// notice: what it locks, reads and sends, what it publishes and in which order,
// what it writes when, how it ends and with which exit code.
//
// It runs as a process of its own (z2mha simulated-zigbee2mqtt), so that signals,
// file locks and /proc are the real ones, or as a goroutine among others (Options). Stopping it does not silence the radio,
// just as with the real one.
//
// It is stricter in one point: where the real one would form another network and
// empty database.db (or go on air under a foreign identity to restore a backup), it
// says so, touches nothing and exits with a code of its own.
//
// Behaviour as observed with Zigbee2MQTT 2.14.1.
package z2msim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/port"
	"z2mha/internal/dongle/zigbee"
)

// Version is the release whose behaviour this is.
const Version = "2.14.1"

// Exit codes. The first three are Zigbee2MQTT's own.
const (
	ExitStopped  = 0
	ExitFailed   = 1 // could not start, or could not stop cleanly
	ExitPortGone = 2 // the stick went away while running

	ExitKilled = 137

	ExitWouldReset   = 20 // the real one would form a new network and empty database.db
	ExitWouldRestore = 21 // the real one would restore coordinator_backup.json, some 20 s on air as another network
)

// Options say where and how to run.
type Options struct {
	DataDir string    // $ZIGBEE2MQTT_DATA
	Stdout  io.Writer // log lines

	// What follows is for simulations inside one process; nil takes the real thing.
	Open   func(ctx context.Context, port string) (io.ReadWriteCloser, error)
	Dial   func() (net.Conn, error) // to the broker
	Killed <-chan struct{}          // ends it at once, with nothing said and nothing saved
}

// Run is the whole program: it starts, serves until ctx ends (a SIGTERM) or the
// stick goes away, stops as Zigbee2MQTT stops, and returns the exit code.
func Run(ctx context.Context, o Options) int {
	if o.Open == nil {
		o.Open = port.Open
	}
	s := &instance{o: o, dir: o.DataDir, out: o.Stdout, now: time.Now, states: map[string]map[string]any{}}
	defer s.work.Wait()
	s.log("info", "Starting Zigbee2MQTT version %s (simulated)", Version)
	if err := s.load(); err != nil {
		return s.fail(err)
	}
	if err := s.startStick(ctx); err != nil {
		return s.giveUp(ctx, err)
	}
	if err := s.startLink(ctx); err != nil {
		s.log("error", "MQTT failed to connect, exiting... (%v)", err)
		s.stopStick()
		return ExitFailed
	}
	s.log("info", "Zigbee2MQTT started!")
	return s.serve(ctx)
}

// An instance is one running Zigbee2MQTT.
type instance struct {
	o     Options
	dir   string
	now   func() time.Time
	stick *stick
	nv    *nvimage.Image // what the start read from the stick
	link  *link
	work  sync.WaitGroup // commands and device frames under way

	outMu  sync.Mutex
	out    io.Writer
	logged string

	queues sync.Map // by address: one command at a time for each device

	mu      sync.Mutex // guards what follows
	config  *config
	db      *database
	states  map[string]map[string]any // by address; state.json
	joinEnd time.Time
	restart bool // an option was changed that needs a restart
	address zigbee.IEEE
	network networkInfo
	answers answers
}

type networkInfo struct {
	channel uint8
	pan     zigbee.PanID
	extPan  zigbee.ExtPanID
}

// exitError is a start that ends with a code of its own.
type exitError struct {
	code int
	why  string
}

func (e *exitError) Error() string { return e.why }

func (s *instance) log(level, format string, args ...any) {
	message := "z2m: " + fmt.Sprintf(format, args...)
	s.outMu.Lock()
	fmt.Fprintf(s.out, "[%s] %s: \t%s\n", s.now().Format(time.DateTime), level, message)
	tell := message != s.logged && s.link != nil // never twice the same in a row
	s.logged = message
	s.outMu.Unlock()
	if tell {
		s.link.tell("bridge/logging", map[string]string{"level": level, "message": message})
	}
}

func (s *instance) fail(err error) int {
	s.log("error", "%v", err)
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		return exit.code
	}
	return ExitFailed
}

// giveUp ends a start: without complaint when it was told to.
func (s *instance) giveUp(ctx context.Context, err error) int {
	if s.stick != nil {
		err = errors.Join(err, s.stick.close())
	}
	if ctx.Err() != nil {
		s.log("info", "Zigbee2MQTT start aborted")
		return ExitStopped
	}
	s.log("error", "Failed to start zigbee-herdsman")
	return s.fail(err)
}

func (s *instance) load() (err error) {
	if s.config, err = loadConfig(s.dir); err != nil {
		return fmt.Errorf("refusing to start because configuration is not valid: %w", err)
	}
	for _, key := range []string{"pan_id", "ext_pan_id", "network_key"} {
		if s.config.text("advanced."+key, "") == "GENERATE" {
			return &exitError{ExitWouldReset, "advanced." + key + " is GENERATE: the real Zigbee2MQTT would invent one and form a new network"}
		}
	}
	if s.db, err = loadDatabase(s.dir); err != nil {
		return err
	}
	if s.db.ignored > 0 {
		s.log("error", "Corrupted database line, ignoring (%d lines)", s.db.ignored)
	}
	if raw, err := os.ReadFile(filepath.Join(s.dir, "state.json")); err == nil {
		if json.Unmarshal(raw, &s.states) != nil {
			s.states = map[string]map[string]any{} // a torn one is ignored
		}
	}
	return nil
}

func (s *instance) backupPath() string { return filepath.Join(s.dir, "coordinator_backup.json") }

// startStick opens the port, decides how to start and brings the network up.
func (s *instance) startStick(ctx context.Context) (err error) {
	saved, err := loadBackup(s.backupPath())
	if err != nil {
		return err
	}
	want, err := s.config.identity()
	if err != nil {
		return err
	}
	if s.stick, err = openStick(ctx, s.o.Open, s.config.text("serial.port", "")); err != nil {
		return err
	}
	if s.nv, err = s.stick.readStart(ctx); err != nil {
		return err
	}
	if err := s.dare(chooseStrategy(want, s.nv, saved)); err != nil {
		return err
	}
	if err := s.stick.bringUp(ctx); err != nil {
		return err
	}
	if saved == nil {
		if err := s.stick.saveBackup(ctx, s.backupPath(), s.now()); err != nil {
			return err
		}
	}
	s.log("info", "zigbee-herdsman started (%s)", resumed)
	return s.learn(ctx)
}

// dare goes on with a resumed start only.
func (s *instance) dare(how strategy) error {
	switch how {
	case resumed:
		return nil
	case reset:
		return &exitError{ExitWouldReset, "zigbee-herdsman would start (reset): a new network, and database.db emptied; not simulated"}
	case restored:
		return &exitError{ExitWouldRestore, "zigbee-herdsman would start (restored): coordinator_backup.json written to the stick; not simulated"}
	case mismatch:
		return errors.New("startup failed - configuration-adapter mismatch - see logs above for more information")
	}
	panic("z2msim: unknown strategy " + string(how))
}

// learn asks the running stick who it is and brings database and configuration in
// line: a changed coordinator address is taken over without a word.
func (s *instance) learn(ctx context.Context) error {
	info, err := s.stick.client.DeviceInfo(ctx)
	if err != nil {
		return err
	}
	nwk, err := s.stick.client.ExtNwkInfo(ctx)
	if err != nil {
		return err
	}
	s.address = info.IEEE
	s.network = networkInfo{channel: uint8(nwk.Channel), pan: nwk.PanID, extPan: nwk.ExtPanID}
	s.db.coordinator(s.address)
	for _, r := range s.db.devices() {
		s.config.addDevice(r.IEEE)
	}
	s.log("info", "Currently %d devices are joined.", len(s.db.devices()))
	return s.config.save()
}

// serve works until it is told to stop or the stick is gone.
func (s *instance) serve(ctx context.Context) int {
	for {
		select {
		case <-s.o.Killed:
			return s.die()
		case <-ctx.Done():
			s.log("info", "Stopping Zigbee2MQTT (restart=false, code=0)")
			return s.stop(ExitStopped)
		case <-s.stick.gone:
			s.log("error", "Adapter disconnected, stopping")
			return s.stop(ExitPortGone)
		case m := <-s.stick.incoming:
			s.heard(m)
		}
	}
}

// die leaves everything as it is. Port and connection are gone with the process.
func (s *instance) die() int {
	s.link.client.Disconnect(0)
	_ = s.stick.close()
	return ExitKilled
}

// killed says that nothing may be done any more.
func (s *instance) killed() bool {
	select {
	case <-s.o.Killed:
		return true
	default:
		return false
	}
}

// stop says offline first, saves, backs the stick up and releases the port last.
func (s *instance) stop(code int) int {
	if s.killed() {
		return s.die()
	}
	err := s.saveStates()
	err = errors.Join(err, s.link.close())
	if s.killed() {
		return s.die()
	}
	if stickErr := s.stopStick(); code == ExitStopped {
		err = errors.Join(err, stickErr)
	}
	s.work.Wait()
	if err != nil && code == ExitStopped {
		s.log("error", "Failed to stop Zigbee2MQTT (%v)", err)
		return ExitFailed
	}
	s.log("info", "Stopped Zigbee2MQTT")
	return code
}

// stopStick closes joining, saves the database and a last backup, and lets go of
// the port. The stick stays on air.
func (s *instance) stopStick() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := s.stick.permitJoin(ctx, 0)
	if s.killed() {
		return s.stick.close()
	}
	s.mu.Lock()
	err = errors.Join(err, s.db.save())
	s.mu.Unlock()
	if err == nil {
		err = s.stick.saveBackup(ctx, s.backupPath(), s.now())
	}
	return errors.Join(err, s.stick.close())
}

func (s *instance) saveStates() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, err := json.MarshalIndent(s.states, "", "    ")
	if err != nil {
		return fmt.Errorf("encode state.json: %w", err)
	}
	return s.write(filepath.Join(s.dir, "state.json"), raw)
}

// write also dates the file by our own clock, which in a simulation is not the disk's.
func (s *instance) write(path string, raw []byte) error {
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		return err
	}
	now := s.now()
	return os.Chtimes(path, now, now)
}
