package snmp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"z2mha/internal/failover/status"
	"z2mha/internal/notify/snmp"
)

// A log is what was logged; it may be read while others write.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) count(phrase string) int { return strings.Count(l.String(), phrase) }

var begin = time.Date(2026, 3, 1, 20, 15, 0, 0, time.UTC)

// start runs a Sender of the host "ha"; stop ends it and waits.
func start(t testing.TB, cfg snmp.Config) (s *snmp.Sender, logged *log, stop func()) {
	t.Helper()
	logged = &log{}
	cfg.Host = "ha"
	cfg.Log = slog.New(slog.NewTextHandler(logged, nil))
	s = snmp.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return s, logged, stop
}

// clock is a second further each time it is asked, from one second before begin.
func clock() func() time.Time {
	var mu sync.Mutex
	now := begin
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}
}

// eventually waits for something that another goroutine does.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// everyEvent is one of each type, with all that such an event may say.
func everyEvent() []status.Event {
	types := append(slices.Clone(status.EventTypes),
		status.EventStepBegun, status.EventStepDone, status.EventStepFailed, status.EventStepUndone)
	var all []status.Event
	for i, e := range types {
		all = append(all, status.Event{
			At: begin.Add(time.Duration(i) * 1500 * time.Millisecond), Network: "home", Type: e,
			Text: fmt.Sprintf("What is said of %s.", e),
			Node: "attic", From: "attic", To: "cellar", Cause: status.Causes[i%len(status.Causes)], By: "MQTT",
			Run: "20260301T201500Z-1", Step: "Silence the stick of attic", Duration: time.Duration(i) * 1234 * time.Millisecond,
			Fix: "Plug the stick in again.", Was: status.Protected, Is: status.Protections[i%len(status.Protections)],
		})
	}
	return all
}

// What a real receiver makes of every event, in every format, with our MIB and without.
func TestSnmptrapdReadsEveryEvent(t *testing.T) {
	for _, c := range []struct {
		name   string
		format snmp.Format
		show   []string
		file   string
		count  int
	}{
		{"our format with the MIB", snmp.Z2MHA, names, "z2mha.golden", 31},
		{"our format as numbers", "", numbers, "z2mha-numbers.golden", 31},
		{"the prototype's format", snmp.Prototype, numbers, "prototype.golden", 18},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := startTrapd(t, c.show)
			now := begin
			s, logged, stop := start(t, snmp.Config{
				Receivers: []snmp.Receiver{d.receiver(c.format)},
				Now:       func() time.Time { return now },
			})
			now = begin.Add(1234560 * time.Millisecond)
			for _, e := range everyEvent() {
				s.Tell(e)
			}
			golden(t, c.file, strings.Join(d.wait(c.count), "\n"))
			stop()
			if st := s.Status()[0]; st.Sent != uint64(c.count) || st.Dropped != 0 || st.Err != nil {
				t.Errorf("status %+v", st)
			}
			if logged.String() != "" {
				t.Errorf("logged %s", logged)
			}
		})
	}
}

func TestSnmptrapdReadsHostileTexts(t *testing.T) {
	long := strings.Repeat("Küchenlampe ", 40)
	events := []status.Event{
		{Type: status.EventSyncFailed, Network: "home", Node: `"><script>alert(1)</script>`, Text: "Kitchen\nend\nbegin\r\x1b[2Jlamp \u202egpj.exe \xff", Fix: "%n%s $(reboot) `id` \\"},
		{Type: status.EventNeedsHelp, Network: "Zuhause 🏠", Node: long, From: long, To: long, By: long, Run: long, Step: long, Text: long, Fix: long},
		{Type: status.EventRefused, Text: ""},
		{Type: status.EventStepDone, Duration: 1 << 62, Text: "A step that lasted longer than a number holds."},
		{Type: status.EventStepDone, Duration: -time.Second, Text: "A step that ended before it began."},
		{Type: status.EventProtection, Was: "of a later version", Is: "", Text: "A state of which this version does not know."},
	}
	for i := range events {
		events[i].At = begin
	}
	d := startTrapd(t, names)
	s, _, stop := start(t, snmp.Config{Receivers: []snmp.Receiver{d.receiver(snmp.Z2MHA)}, Now: func() time.Time { return begin }})
	for _, e := range events {
		s.Tell(e)
	}
	s.Tell(status.Event{Type: "of a later version", Text: "not sent"})
	golden(t, "hostile.golden", strings.Join(d.wait(len(events)), "\n"))
	stop()
	if st := s.Status()[0]; st.Sent != uint64(len(events)) {
		t.Errorf("status %+v", st)
	}
}

// Receivers that are down, unknown or mistaken keep no other from its traps.
func TestEachReceiverIsForItself(t *testing.T) {
	well, old := startTrapd(t, names), startTrapd(t, numbers)
	word := snmp.NewCommunity(community)
	receivers := []snmp.Receiver{
		{Address: "nowhere.example:162", Community: word},
		well.receiver(snmp.Z2MHA),
		{Address: freePort(t), Community: word},
		{Address: "127.0.0.1:none", Community: word},
		{Address: "", Community: word},
		{Address: "127.0.0.1", Community: word, Format: "v3"},
		{Address: "127.0.0.1", Community: snmp.NewCommunity(strings.Repeat(community, 10))},
		old.receiver(snmp.Prototype),
	}
	hung := make(chan struct{})
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "nowhere") {
			select { // a name server that does not answer
			case <-ctx.Done():
			case <-hung:
			}
			return nil, &net.DNSError{Err: "no such host", Name: "nowhere.example", IsNotFound: true}
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	s, logged, stop := start(t, snmp.Config{Receivers: receivers, Dial: dial})
	for range 3 {
		s.Tell(status.Event{Type: status.EventSyncCompleted, Text: "In sync."})
		s.Tell(status.Event{Type: status.EventHoldSet, Text: "On hold."})
	}
	well.wait(6)
	old.wait(3)
	close(hung)
	eventually(t, "an end of all that was told", func() bool {
		return !slices.ContainsFunc(s.Status(), func(st snmp.Status) bool {
			return st.Sent+st.Dropped != map[snmp.Format]uint64{snmp.Prototype: 3, snmp.Z2MHA: 6, "v3": 6}[st.Format]
		})
	})
	stop()

	list := s.Status()
	for i, want := range []string{
		"reach trap receiver nowhere.example:162: lookup nowhere.example: no such host",
		"",
		"nothing listens at trap receiver 127.0.0.1:",
		"reach trap receiver 127.0.0.1:none:",
		"trap receiver without a host; write HOST:PORT",
		`format "v3" of trap receiver 127.0.0.1 is not known; choose z2mha or prototype`,
		"the community of trap receiver 127.0.0.1 is longer than 127 octets",
		"",
	} {
		got := ""
		if list[i].Err != nil {
			got = list[i].Err.Error()
		}
		if !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("receiver %d: error %q, want %q", i, got, want)
		}
		if list[i].Err != nil && (list[i].Sent != 0 || list[i].Since.IsZero()) {
			t.Errorf("receiver %d: status %+v", i, list[i])
		}
	}
	if got := list[2].Dropped; got != 6 {
		t.Errorf("%d of 6 refused traps counted", got)
	}
	if !errors.Is(list[2].Err, syscall.ECONNREFUSED) {
		t.Errorf("not a refusal: %v", list[2].Err)
	}
	if got := logged.count("traps do not reach their receiver"); got != 6 {
		t.Errorf("%d lines for 6 receivers in trouble:\n%s", got, logged)
	}
}

func TestAReceiverThatComesBackIsToldTheNext(t *testing.T) {
	port := freePort(t)
	receiver := snmp.Receiver{Address: port, Community: snmp.NewCommunity(community)}
	s, logged, stop := start(t, snmp.Config{Receivers: []snmp.Receiver{receiver}, Now: clock()})
	dropped := func(n uint64) func() bool {
		return func() bool { return s.Status()[0].Dropped == n }
	}
	for i := range 3 {
		s.Tell(status.Event{Type: status.EventSyncFailed, Text: "Lost."})
		eventually(t, "a refusal", dropped(uint64(i+1)))
	}
	since := s.Status()[0].Since

	conn, err := net.ListenPacket("udp4", port)
	if err != nil {
		t.Skipf("somebody else has taken the port: %v", err)
	}
	defer conn.Close()
	s.Tell(status.Event{Type: status.EventSyncRecovered, Text: "The first that arrives."})
	packet := make([]byte, 2000)
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, _, err := conn.ReadFrom(packet)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(packet[:n], []byte("The first that arrives.")) {
		t.Errorf("received %q", packet[:n])
	}
	stop()
	st := s.Status()[0]
	if st.Err != nil || st.Sent != 1 || st.Dropped != 3 || !st.Since.After(since) || st.Last.IsZero() {
		t.Errorf("status %+v", st)
	}
	if a, b := logged.count("traps do not reach"), logged.count("traps are sent to their receiver again"); a != 1 || b != 1 {
		t.Errorf("logged %d times lost, %d times found:\n%s", a, b, logged)
	}
}

func TestTellNeverWaits(t *testing.T) {
	asked := make(chan struct{})
	first := sync.OnceFunc(func() { close(asked) })
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		first()
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	s, _, _ := start(t, snmp.Config{Receivers: []snmp.Receiver{{Address: "slow"}}, Dial: dial})
	s.Tell(status.Event{Type: status.EventSyncFailed})
	<-asked
	for range 1000 {
		s.Tell(status.Event{Type: status.EventSyncFailed})
	}
	if st := s.Status()[0]; st.Dropped != 1000-64 || st.Address != "slow:162" {
		t.Errorf("status %+v", st)
	}
}

func TestWhatWasToldBeforeTheEndIsSent(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := snmp.New(snmp.Config{Receivers: []snmp.Receiver{{Address: conn.LocalAddr().String()}}})
	for range 3 {
		s.Tell(status.Event{Type: status.EventSwitchoverCompleted})
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Run(ended); err != nil {
		t.Fatal(err)
	}
	if st := s.Status()[0]; st.Sent != 3 {
		t.Errorf("status %+v", st)
	}
}

func TestTheCommunityIsNeverShown(t *testing.T) {
	const word = "gr3en-d00r"
	refused := freePort(t)
	cfg := snmp.Config{Receivers: []snmp.Receiver{
		{Address: refused, Community: snmp.NewCommunity(word)},
		{Address: "no:such:address", Community: snmp.NewCommunity(word)},
		{Address: refused, Community: snmp.NewCommunity(strings.Repeat(word, 30))},
	}}
	s, logged, stop := start(t, cfg)
	s.Tell(status.Event{Type: status.EventNeedsHelp, Text: "Help."})
	stop()
	asJSON, err := json.Marshal(cfg.Receivers)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{logged.String(), string(asJSON), fmt.Sprint(s.Status())}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, cfg.Receivers), fmt.Sprintf(verb, cfg.Receivers[0].Community))
	}
	text := &log{}
	slog.New(slog.NewJSONHandler(text, nil)).Info("x", "receiver", cfg.Receivers[0], "community", cfg.Receivers[0].Community)
	shown = append(shown, text.String())
	for _, s := range shown {
		if strings.Contains(s, word) || strings.Contains(s, fmt.Sprintf("%x", word)) {
			t.Errorf("shows the community: %s", s)
		}
	}
	if !strings.Contains(text.String(), "(hidden)") {
		t.Errorf("hides without a word: %s", text)
	}
}
