package znpsim

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"z2mha/internal/dongle/unpi"
)

// Serve answers one client on rw until it goes away, ctx ends, or the stick is
// unplugged; then rw is closed. The stick itself goes on: one that is on air stays
// so. It returns nil, ErrAttached while another client is served, or ErrUnplugged.
func (d *Dongle) Serve(ctx context.Context, rw io.ReadWriteCloser) error {
	unplug, err := d.link.attach()
	if err != nil {
		return errors.Join(err, rw.Close())
	}
	defer d.link.detach()
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() {
		select {
		case <-ctx.Done():
		case <-unplug:
			cancel()
		}
		_ = rw.Close()
	})
	work.Go(func() {
		defer cancel()
		d.speak(ctx, rw)
	})
	d.listen(ctx, rw)
	cancel()
	work.Wait()
	return nil
}

// listen carries out what the client sends until reading fails.
func (d *Dongle) listen(ctx context.Context, r io.Reader) {
	var p parser
	buf := make([]byte, 1024)
	for {
		n, err := r.Read(buf)
		for _, b := range buf[:n] {
			if f, ok := p.next(b); ok {
				d.delay(ctx, f)
				d.receive(f)
			}
		}
		if err != nil || ctx.Err() != nil {
			return
		}
	}
}

// speak sends what waits until writing fails.
func (d *Dongle) speak(ctx context.Context, w io.Writer) {
	for {
		f, ok := d.link.pop()
		if !ok {
			select {
			case <-d.link.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		wait(ctx, d.wireTime(f))
		if _, err := w.Write(f.Append(nil)); err != nil {
			return
		}
	}
}

// delay is the time a request takes to arrive and to be worked on.
func (d *Dongle) delay(ctx context.Context, f unpi.Frame) {
	took := d.wireTime(f)
	if f.Type == unpi.SREQ {
		d.m.mu.Lock()
		took += d.o.Latency
		d.m.mu.Unlock()
	}
	wait(ctx, took)
}

func (d *Dongle) wireTime(f unpi.Frame) time.Duration {
	if d.o.BytesPerSecond <= 0 {
		return 0
	}
	return time.Duration(f.Size()) * time.Second / time.Duration(d.o.BytesPerSecond)
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// ServeTCP accepts clients on l until ctx ends, one at a time: a second one, and any
// while the stick is unplugged, is let go at once. It closes l.
func (d *Dongle) ServeTCP(ctx context.Context, l net.Listener) error {
	var work sync.WaitGroup
	defer work.Wait()
	stop := make(chan struct{})
	work.Go(func() {
		select {
		case <-ctx.Done():
		case <-stop:
		}
		_ = l.Close()
	})
	defer close(stop)
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		work.Go(func() { _ = d.Serve(ctx, conn) })
	}
}
