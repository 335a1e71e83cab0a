// Package snmp tells network management what happens: an SNMPv2c trap for every
// event, to any number of receivers, as Z2MHA-MIB describes it (mibs/) or in the
// shape that the prototype's scripts sent.
//
// A trap is one UDP packet. Whether it arrived is not known, and nothing is sent
// twice: an event that cannot be sent is counted and gone. What can be known is
// shown (Status): a name that does not resolve, a network without a route, a port
// where nothing listens. Traps in our own format are numbered, so that a receiver
// sees what it has missed. Informs, which are confirmed, are not used: they would
// only tell us what we could do nothing about.
//
// SNMPv2c has no secrecy: whoever sees the packets reads them, the community too.
package snmp

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"z2mha/internal/failover/status"
)

// Config says where traps go.
type Config struct {
	Receivers []Receiver
	Host      string       // our own name, as traps give it
	Log       *slog.Logger // nothing is logged when nil

	Now  func() time.Time // time.Now when nil
	Dial DialFunc         // a net.Dialer when nil
}

// A DialFunc resolves address and returns a socket that sends there.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// A Receiver is somebody who wants traps.
type Receiver struct {
	Address   string // HOST[:PORT]; port 162 when there is none
	Community Community
	Format    Format // Z2MHA when ""
}

// A Format is the shape of a trap.
type Format string

const (
	Z2MHA     Format = "z2mha"     // every event, as in mibs/Z2MHA-MIB.txt
	Prototype Format = "prototype" // four texts; only what the prototype told
)

// A Sender sends traps while Run runs. It is safe for concurrent use.
type Sender struct {
	host      string
	now       func() time.Time
	began     time.Time
	receivers []*receiver
}

const (
	// lastWords is how long Run goes on sending what was told before its end.
	lastWords = 2 * time.Second
	// tryFor is how long resolving a name and sending may take.
	tryFor = 5 * time.Second
)

// New makes a Sender; it sends nothing before Run. A receiver that makes no sense
// does not keep the others from theirs: its Status says what is wrong.
func New(cfg Config) *Sender {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	s := &Sender{host: cfg.Host, now: cfg.Now, began: cfg.Now()}
	for _, r := range cfg.Receivers {
		s.receivers = append(s.receivers, newReceiver(r, cfg))
	}
	return s
}

// Tell queues e for every receiver that wants it and returns at once. Only the last
// 64 wait for a receiver that is slow to be reached; older ones are dropped.
func (s *Sender) Tell(e status.Event) {
	now := s.now()
	if e.At.IsZero() {
		e.At = now
	}
	for _, r := range s.receivers {
		r.tell(trap{Event: e, Host: s.host, Uptime: now.Sub(s.began)})
	}
}

// Run sends until ctx ends, and then for at most two seconds what was told before.
// It returns nil. It is called once.
func (s *Sender) Run(ctx context.Context) error {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, cancel) })()
	var all sync.WaitGroup
	for _, r := range s.receivers {
		all.Go(func() { r.run(ctx, sending) })
	}
	all.Wait()
	<-ctx.Done()
	return nil
}

// String names the task.
func (s *Sender) String() string { return "SNMP traps" }

// Status is how it goes with each receiver, in the order of the configuration.
func (s *Sender) Status() []Status {
	var list []Status
	for _, r := range s.receivers {
		list = append(list, r.state())
	}
	return list
}

// Status is how it goes with one receiver.
type Status struct {
	Address string // with port
	Format  Format
	Err     error     // why the last trap could not be sent; nil when it could, or before the first
	Since   time.Time // when Err came or went last; zero before the first trap
	Sent    uint64    // handed to the network and not refused; not known to have arrived
	Dropped uint64    // not sent, or refused at once
	Last    time.Time // when the last one was sent
}
