package z2msim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/port"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
)

const (
	ownEndpoint = 1
	startWait   = 40 * time.Second // for a coordinator to come up
	answerWait  = 10 * time.Second // for a device's own answer

	afRegister        = 0x00
	afDataRequest     = 0x01
	afDataConfirm     = 0x80
	afIncoming        = 0x81
	zdoActiveEP       = 0x05
	zdoActiveEPAnswer = 0x85
	zdoStartupFromApp = 0x40
	zdoPermitJoin     = 0x36
	zdoStateChange    = 0xC0

	statusDuplicate = 0xB8
)

// A stick is the opened coordinator: requests through the client, frames of the
// devices on incoming. gone is closed when the port has failed.
type stick struct {
	client   *znp.Client
	stick    nvimage.Stick
	incoming chan incoming
	gone     chan struct{}

	mu       sync.Mutex
	transID  byte
	confirms map[byte]chan byte
	pump     sync.WaitGroup
}

// incoming is a frame from a device.
type incoming struct {
	source zigbee.NwkAddr
	message
}

// openStick opens the port with its lock and checks that a Z-Stack answers.
func openStick(ctx context.Context, open func(context.Context, string) (io.ReadWriteCloser, error), address string) (*stick, error) {
	rw, err := open(ctx, address)
	if busy := (*port.BusyError)(nil); errors.As(err, &busy) {
		return nil, fmt.Errorf("cannot lock port: %w", err)
	}
	if err != nil {
		return nil, err
	}
	s := &stick{
		client:   znp.NewClient(rw, znp.Options{}),
		incoming: make(chan incoming, 64),
		gone:     make(chan struct{}),
		confirms: map[byte]chan byte{},
	}
	frames := s.client.Expect(func(f unpi.Frame) bool { return f.Subsystem == unpi.AF })
	s.pump.Go(func() { s.sort(frames) })
	if err := s.identify(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stick) identify(ctx context.Context) (err error) {
	if err := s.client.Connect(ctx); err != nil {
		return err
	}
	s.stick, err = s.client.Version(ctx)
	return err
}

// close releases the port. The radio stays as it is: nothing resets it.
func (s *stick) close() error {
	err := s.client.Close()
	s.pump.Wait()
	return err
}

// sort hands confirmations to their senders and device frames on, until the port
// is gone.
func (s *stick) sort(frames *znp.Waiter) {
	defer close(s.gone)
	defer frames.Close()
	for {
		f, err := frames.Wait(context.Background())
		if err != nil {
			return
		}
		switch f.ID {
		case afDataConfirm:
			s.confirm(f.Data)
		case afIncoming:
			s.pass(f.Data)
		}
	}
}

// pass hands a device's frame on, or drops it when nobody takes them any more.
func (s *stick) pass(b []byte) {
	m, ok := parseIncoming(b)
	if !ok {
		return
	}
	select {
	case s.incoming <- m:
	default:
	}
}

func parseIncoming(b []byte) (incoming, bool) {
	const header = 17
	if len(b) < header || len(b) < header+int(b[16]) {
		return incoming{}, false
	}
	return incoming{
		source: zigbee.NwkAddr(binary.LittleEndian.Uint16(b[4:])),
		message: message{
			cluster: binary.LittleEndian.Uint16(b[2:]), ep: b[6], lqi: b[9],
			zcl: b[header : header+int(b[16])],
		},
	}, true
}

func (s *stick) confirm(b []byte) {
	if len(b) < 3 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if waiting := s.confirms[b[2]]; waiting != nil {
		waiting <- b[0]
		delete(s.confirms, b[2])
	}
}

// bringUp starts the stored network unless the stick is on air already, and
// registers the endpoint that device frames come in on.
func (s *stick) bringUp(ctx context.Context) error {
	info, err := s.client.DeviceInfo(ctx)
	if err != nil {
		return err
	}
	if info.State != znp.StateCoordinator {
		if err := s.startNetwork(ctx); err != nil {
			return err
		}
	}
	return s.register(ctx)
}

func (s *stick) startNetwork(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	up := s.client.Expect(func(f unpi.Frame) bool {
		return f.Subsystem == unpi.ZDO && f.ID == zdoStateChange && len(f.Data) > 0 && f.Data[0] == byte(znp.StateCoordinator)
	})
	defer up.Close()
	if _, err := s.client.Request(ctx, unpi.ZDO, zdoStartupFromApp, []byte{100, 0}); err != nil {
		return fmt.Errorf("start the coordinator: %w", err)
	}
	if _, err := up.Wait(ctx); err != nil {
		return fmt.Errorf("start the coordinator: %w", err)
	}
	return nil
}

// register tells the stick about the Home Automation endpoint; a stick that was on
// air all along still has it.
func (s *stick) register(ctx context.Context) error {
	rsp, err := s.client.Request(ctx, unpi.AF, afRegister, []byte{ownEndpoint, 0x04, 0x01, 0x05, 0x00, 0, 0, 0, 0})
	if err != nil {
		return fmt.Errorf("register endpoint %d: %w", ownEndpoint, err)
	}
	if len(rsp) < 1 || rsp[0] != 0 && rsp[0] != statusDuplicate {
		return fmt.Errorf("register endpoint %d: the stick refused", ownEndpoint)
	}
	return nil
}

// send transmits a ZCL frame and waits until the stick has seen it acknowledged.
func (s *stick) send(ctx context.Context, to zigbee.NwkAddr, m message) error {
	id, done := s.expectConfirm()
	b := binary.LittleEndian.AppendUint16(nil, uint16(to))
	b = append(b, m.ep, ownEndpoint)
	b = binary.LittleEndian.AppendUint16(b, m.cluster)
	b = append(b, id, 0x20, 0x1E, byte(len(m.zcl)))
	rsp, err := s.client.Request(ctx, unpi.AF, afDataRequest, append(b, m.zcl...))
	if err != nil {
		return err
	}
	if len(rsp) < 1 || rsp[0] != 0 {
		return errors.New("the stick did not take the frame")
	}
	select {
	case status := <-done:
		if status != 0 {
			return fmt.Errorf("data request failed with status %#02x", status)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no confirmation from the stick: %w", ctx.Err())
	}
}

func (s *stick) expectConfirm() (byte, <-chan byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transID++
	done := make(chan byte, 1)
	s.confirms[s.transID] = done
	return s.transID, done
}

// endpoints asks the stick which endpoints it has itself; its radio has no part in it.
func (s *stick) endpoints(ctx context.Context) ([]int, error) {
	answer := s.client.Expect(func(f unpi.Frame) bool {
		return f.Subsystem == unpi.ZDO && f.ID == zdoActiveEPAnswer && len(f.Data) >= 6 && f.Data[0] == 0 && f.Data[1] == 0
	})
	defer answer.Close()
	if _, err := s.client.Request(ctx, unpi.ZDO, zdoActiveEP, []byte{0, 0, 0, 0}); err != nil {
		return nil, fmt.Errorf("ask the stick for its endpoints: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	f, err := answer.Wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("hear of the stick's endpoints: %w", err)
	}
	var out []int
	for _, ep := range f.Data[6:] {
		out = append(out, int(ep))
	}
	return out, nil
}

// permitJoin opens the network for new devices, 0 closes it.
func (s *stick) permitJoin(ctx context.Context, seconds byte) error {
	_, err := s.client.Request(ctx, unpi.ZDO, zdoPermitJoin, []byte{0x0F, 0xFC, 0xFF, seconds, 0})
	if err != nil {
		return fmt.Errorf("set permit join: %w", err)
	}
	return nil
}
