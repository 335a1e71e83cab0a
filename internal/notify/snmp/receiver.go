package snmp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// maxWaiting bounds what waits for one receiver.
const maxWaiting = 64

// A receiver has a queue and a goroutine of its own, so that none waits for another.
type receiver struct {
	address   string
	community string
	format    Format
	wrong     error // why nothing can ever be sent; nil when it can
	log       *slog.Logger
	now       func() time.Time
	dial      DialFunc
	ready     chan struct{} // holds one token while there may be traps

	mu      sync.Mutex // guards what follows
	waiting []trap
	number  uint32 // of the last trap told
	status  Status
}

func newReceiver(r Receiver, cfg Config) *receiver {
	if r.Format == "" {
		r.Format = Z2MHA
	}
	address := withPort(r.Address)
	return &receiver{
		address: address, community: r.Community.word, format: r.Format, wrong: r.check(),
		log: cfg.Log.With("receiver", address), now: cfg.Now, dial: cfg.Dial,
		ready:  make(chan struct{}, 1),
		status: Status{Address: address, Format: r.Format},
	}
}

// withPort adds SNMP's port for traps to an address that has none.
func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), "162")
}

// maxCommunity is what fits into one octet of length, all that the library writes.
const maxCommunity = 127

func (r Receiver) check() error {
	host, _, err := net.SplitHostPort(withPort(r.Address))
	switch {
	case err != nil:
		return fmt.Errorf("trap receiver: %w; write HOST:PORT", err)
	case host == "":
		return errors.New("trap receiver without a host; write HOST:PORT")
	case len(r.Community.word) > maxCommunity:
		return fmt.Errorf("the community of trap receiver %s is longer than %d octets; choose a shorter one", r.Address, maxCommunity)
	case r.Format != Z2MHA && r.Format != Prototype:
		return fmt.Errorf("format %q of trap receiver %s is not known; choose %s or %s", r.Format, r.Address, Z2MHA, Prototype)
	}
	return nil
}

// wants says whether the receiver's format has a trap for t.
func (r *receiver) wants(t trap) bool {
	if r.format == Prototype {
		return t.prototype()
	}
	return t.kind() != nil
}

func (r *receiver) tell(t trap) {
	if !r.wants(t) {
		return
	}
	r.mu.Lock()
	r.number++
	t.Number = r.number
	if len(r.waiting) == maxWaiting {
		r.waiting = r.waiting[1:]
		r.status.Dropped++
	}
	r.waiting = append(r.waiting, t)
	r.mu.Unlock()
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

func (r *receiver) next() (trap, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		return trap{}, false
	}
	t := r.waiting[0]
	r.waiting = r.waiting[1:]
	return t, true
}

func (r *receiver) state() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// run sends until ctx has ended and nothing waits; nothing is sent after sending.
func (r *receiver) run(ctx, sending context.Context) {
	if r.wrong != nil {
		r.note(r.wrong)
	}
	for {
		for t, ok := r.next(); ok; t, ok = r.next() {
			r.attempt(sending, t)
		}
		if ctx.Err() != nil {
			return
		}
		select {
		case <-r.ready:
		case <-ctx.Done():
		}
	}
}

func (r *receiver) attempt(ctx context.Context, t trap) {
	err := r.wrong
	if err == nil {
		err = r.send(ctx, t)
	}
	r.mu.Lock()
	if err == nil {
		r.status.Sent++
		r.status.Last = r.now()
	} else {
		r.status.Dropped++
	}
	r.mu.Unlock()
	r.note(err)
}

// note keeps err and logs it when it comes and when it goes.
func (r *receiver) note(err error) {
	r.mu.Lock()
	before, first := r.status.Err, r.status.Since.IsZero()
	r.status.Err = err
	if first || (err == nil) != (before == nil) {
		r.status.Since = r.now()
	}
	r.mu.Unlock()
	switch {
	case err != nil && before == nil:
		r.log.Warn("traps do not reach their receiver", "err", err)
	case err == nil && before != nil:
		r.log.Info("traps are sent to their receiver again")
	}
}

// send resolves the address afresh for each trap: they are rare, and a receiver may
// have moved.
func (r *receiver) send(ctx context.Context, t trap) error {
	packet, err := r.encode(t)
	if err != nil {
		return fmt.Errorf("encode a trap for %s: %w", r.address, err)
	}
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	conn, err := r.dial(ctx, "udp", r.address)
	if err != nil {
		return fmt.Errorf("reach trap receiver %s: %w", r.address, err)
	}
	defer conn.Close()
	if _, err := conn.Write(packet); err != nil {
		return fmt.Errorf("send to trap receiver %s: %w", r.address, err)
	}
	return r.listen(conn)
}

// patience is how long we wait to hear that nothing listens on the port.
const patience = 100 * time.Millisecond

// listen waits for the one answer that a UDP socket can get to a trap: the ICMP
// message that its port is closed. Silence proves nothing.
func (r *receiver) listen(conn net.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil
	}
	if _, err := conn.Read(make([]byte, 1)); errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing listens at trap receiver %s: %w", r.address, err)
	}
	return nil
}

func (r *receiver) encode(t trap) ([]byte, error) {
	if r.format == Prototype {
		return encode(r.community, t, prototypeTrap, t.prototypeValues())
	}
	return encode(r.community, t, t.kind().oid(), t.values())
}
