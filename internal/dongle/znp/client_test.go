package znp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znp/znptest"
)

// echo answers every request with its own data.
func echo(request unpi.Frame) ([]byte, error) { return request.Data, nil }

func isPing(f unpi.Frame) bool { return f.Subsystem == unpi.SYS && f.ID == 0x01 }

func bubble(name string, t *testing.T, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestRequest(t *testing.T) {
	bubble("it returns the data of the answer and counts the bytes", t, func(t *testing.T) {
		c, _ := znptest.Dial(t, znp.Options{}, echo)
		got, err := c.Request(t.Context(), unpi.SYS, 0x08, []byte{1, 2, 3})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]byte{1, 2, 3}, got); diff != "" {
			t.Error(diff)
		}
		want := znp.Stats{Exchanges: 1, BytesOut: 8, BytesIn: 8}
		if diff := cmp.Diff(want, c.Stats()); diff != "" {
			t.Error(diff)
		}
	})
	bubble("it has one request outstanding, whoever asks", t, func(t *testing.T) {
		outstanding, most := 0, 0
		var mu sync.Mutex
		c, _ := znptest.Dial(t, znp.Options{}, func(r unpi.Frame) ([]byte, error) {
			mu.Lock()
			outstanding++
			most = max(most, outstanding)
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			outstanding--
			mu.Unlock()
			return r.Data, nil
		})
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				got, err := c.Request(t.Context(), unpi.SYS, byte(i), []byte{byte(i)})
				if err != nil || len(got) != 1 || got[0] != byte(i) {
					t.Errorf("request %d: got %v, %v", i, got, err)
				}
			})
		}
		all.Wait()
		if most != 1 {
			t.Errorf("%d requests were outstanding at once", most)
		}
	})
	bubble("it turns an RPC error frame into an *RPCError that names the command", t, func(t *testing.T) {
		c, _ := znptest.Dial(t, znp.Options{}, func(unpi.Frame) ([]byte, error) {
			return nil, &znp.RPCError{Code: 2}
		})
		_, err := c.Request(t.Context(), unpi.SYS, 0x35, nil)
		var rpc *znp.RPCError
		if !errors.As(err, &rpc) {
			t.Fatalf("got %v", err)
		}
		if diff := cmp.Diff(&znp.RPCError{Code: 2, Subsystem: unpi.SYS, ID: 0x35}, rpc); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(err.Error(), "SYS_NV_UPDATE") {
			t.Errorf("the text does not name the command: %v", err)
		}
	})
	bubble("it ignores an RPC error and answers that are for something else", t, func(t *testing.T) {
		var stick *znptest.Stick
		c, stick := znptest.Dial(t, znp.Options{}, func(r unpi.Frame) ([]byte, error) {
			stick.Answer(unpi.RPCError, 0, 2, 0x21, 0x77)
			stick.Answer(unpi.UTIL, r.ID, 9, 9)
			stick.Answer(r.Subsystem, r.ID+1, 9, 9)
			return []byte{1}, nil
		})
		got, err := c.Request(t.Context(), unpi.SYS, 0x08, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]byte{1}, got); diff != "" {
			t.Error(diff)
		}
		if got := c.Stats().Late; got != 3 {
			t.Errorf("%d late answers counted, want 3", got)
		}
	})
	bubble("it gives up after its timeout and says that this proves nothing", t, func(t *testing.T) {
		c, _ := znptest.Dial(t, znp.Options{Timeout: 2 * time.Second}, func(unpi.Frame) ([]byte, error) {
			return nil, znptest.ErrSilent
		})
		start := time.Now()
		_, err := c.Request(t.Context(), unpi.SYS, 0x08, nil)
		if !errors.Is(err, znp.ErrTimeout) {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %s", took)
		}
		want := "SYS_OSAL_NV_READ: no answer within 2s: a timeout proves nothing, the stick may have acted or not"
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
	})
	bubble("it gives up when its context ends, with the context's cause", t, func(t *testing.T) {
		c, _ := znptest.Dial(t, znp.Options{}, func(unpi.Frame) ([]byte, error) { return nil, znptest.ErrSilent })
		reason := errors.New("the user pressed Ctrl-C")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(reason) })
		if _, err := c.Request(ctx, unpi.SYS, 0x08, nil); !errors.Is(err, reason) {
			t.Errorf("got %v", err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := c.Request(ctx, unpi.SYS, 0x01, nil); !errors.Is(err, znp.ErrTimeout) {
			t.Errorf("a deadline is a timeout, got %v", err)
		}
	})
}

// A late answer carries no sign of which request it belongs to; only its place tells.
func TestLateAnswer(t *testing.T) {
	bubble("it is never taken for the answer to the next request of the same command", t, func(t *testing.T) {
		var stick *znptest.Stick
		first := true
		c, stick := znptest.Dial(t, znp.Options{Timeout: time.Second}, func(r unpi.Frame) ([]byte, error) {
			if !isPing(r) && first {
				first = false
				time.Sleep(1500 * time.Millisecond) // then answer after all
				return []byte("of item 1"), nil
			}
			return r.Data, nil
		})
		if _, err := c.Request(t.Context(), unpi.SYS, 0x08, []byte("item 1")); !errors.Is(err, znp.ErrTimeout) {
			t.Fatalf("got %v", err)
		}
		got, err := c.Request(t.Context(), unpi.SYS, 0x08, []byte("item 2"))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != "item 2" {
			t.Errorf("got the answer %q", got)
		}
		if got := c.Stats().Late; got != 1 {
			t.Errorf("%d late answers, want 1", got)
		}
		var ids []byte
		for _, r := range stick.Requests() {
			ids = append(ids, r.ID)
		}
		if diff := cmp.Diff([]byte{0x08, 0x01, 0x08}, ids); diff != "" {
			t.Errorf("requests: %s", diff)
		}
	})
	bubble("its doubt lasts until a ping is answered", t, func(t *testing.T) {
		var silent atomic.Bool
		silent.Store(true)
		c, _ := znptest.Dial(t, znp.Options{Timeout: time.Second}, func(r unpi.Frame) ([]byte, error) {
			if silent.Load() {
				return nil, znptest.ErrSilent
			}
			return r.Data, nil
		})
		for range 2 {
			if _, err := c.Request(t.Context(), unpi.SYS, 0x08, nil); !errors.Is(err, znp.ErrTimeout) {
				t.Fatalf("got %v", err)
			}
		}
		silent.Store(false)
		if _, err := c.Request(t.Context(), unpi.SYS, 0x08, nil); err != nil {
			t.Error(err)
		}
	})
}

func TestFalseStart(t *testing.T) {
	bubble("it does not hide the answer behind it", t, func(t *testing.T) {
		var stick *znptest.Stick
		c, stick := znptest.Dial(t, znp.Options{}, func(r unpi.Frame) ([]byte, error) {
			stick.SendRaw([]byte{unpi.SOF, 200}) // claims 200 bytes that never come
			return r.Data, nil
		})
		start := time.Now()
		if _, err := c.Request(t.Context(), unpi.SYS, 0x08, []byte{7}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > znp.MidFramePause {
			t.Errorf("took %s", took)
		}
		synctest.Wait()
		if got := c.Stats().Dropped; got != 2 {
			t.Errorf("%d bytes dropped, want 2", got)
		}
	})
	bubble("a frame that comes in pieces is whole", t, func(t *testing.T) {
		var stick *znptest.Stick
		c, stick := znptest.Dial(t, znp.Options{}, func(r unpi.Frame) ([]byte, error) {
			for _, b := range (unpi.Frame{Type: unpi.SRSP, Subsystem: r.Subsystem, ID: r.ID, Data: []byte{1, 2}}).Append(nil) {
				stick.SendRaw([]byte{b})
				time.Sleep(100 * time.Millisecond)
			}
			return nil, znptest.ErrSilent
		})
		got, err := c.Request(t.Context(), unpi.SYS, 0x08, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]byte{1, 2}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPortLoss(t *testing.T) {
	bubble("it unblocks everybody with an error that says so", t, func(t *testing.T) {
		c, stick := znptest.Dial(t, znp.Options{}, func(unpi.Frame) ([]byte, error) { return nil, znptest.ErrSilent })
		w := c.Expect(func(unpi.Frame) bool { return true })
		var errs [3]error
		var all sync.WaitGroup
		all.Go(func() { _, errs[0] = c.Request(t.Context(), unpi.SYS, 0x08, nil) })
		all.Go(func() { _, errs[1] = c.Request(t.Context(), unpi.SYS, 0x08, nil) })
		all.Go(func() { _, errs[2] = w.Wait(t.Context()) })
		synctest.Wait()
		stick.Unplug()
		all.Wait()
		for i, err := range errs {
			if !errors.Is(err, znp.ErrPortLost) {
				t.Errorf("%d: got %v", i, err)
			}
		}
		if err := c.Post(t.Context(), unpi.SYS, 0, nil); !errors.Is(err, znp.ErrPortLost) {
			t.Errorf("afterwards: got %v", err)
		}
	})
	bubble("an answer that came just before it is delivered", t, func(t *testing.T) {
		var stick *znptest.Stick
		c, stick := znptest.Dial(t, znp.Options{}, func(r unpi.Frame) ([]byte, error) {
			stick.Indicate(unpi.SYS, 0x80, 1)
			stick.Answer(r.Subsystem, r.ID, 5)
			return nil, znptest.ErrUnplug
		})
		w := c.Expect(func(unpi.Frame) bool { return true })
		got, err := c.Request(t.Context(), unpi.SYS, 0x08, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]byte{5}, got); diff != "" {
			t.Error(diff)
		}
		synctest.Wait()
		if _, err := w.Wait(t.Context()); err != nil {
			t.Errorf("the indication is lost: %v", err)
		}
	})
	bubble("a write that is stuck ends it", t, func(t *testing.T) {
		near, far := net.Pipe() // nobody reads from far
		defer far.Close()
		c := znp.NewClient(near, znp.Options{Timeout: time.Second})
		defer c.Close()
		_, err := c.Request(t.Context(), unpi.SYS, 0x01, nil)
		if !errors.Is(err, znp.ErrPortLost) || !strings.Contains(err.Error(), "stuck") {
			t.Errorf("got %v", err)
		}
	})
}

func TestClose(t *testing.T) {
	bubble("it unblocks everybody, waits for the reader, and may be repeated", t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		port := &countingPort{Conn: near}
		c := znp.NewClient(port, znp.Options{})
		asked := make(chan error, 1)
		go func() {
			_, err := c.Request(t.Context(), unpi.SYS, 0x01, nil)
			asked <- err
		}()
		synctest.Wait()
		for range 2 {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if port.reading {
			t.Error("the reader is still in Read")
		}
		if err := <-asked; !errors.Is(err, znp.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

type countingPort struct {
	net.Conn
	reading bool
}

func (p *countingPort) Read(b []byte) (int, error) {
	p.reading = true
	defer func() { p.reading = false }()
	return p.Conn.Read(b)
}

func TestIndications(t *testing.T) {
	bubble("they come in order, to everyone who wants them, also between request and answer", t, func(t *testing.T) {
		var stick *znptest.Stick
		c, stick := znptest.Dial(t, znp.Options{}, func(r unpi.Frame) ([]byte, error) {
			for i := range 3 {
				stick.Indicate(unpi.ZDO, 0xC0, byte(i))
				stick.Indicate(unpi.AF, 0x81, byte(i))
			}
			return r.Data, nil
		})
		states := c.Expect(func(f unpi.Frame) bool { return f.Subsystem == unpi.ZDO })
		defer states.Close()
		all := c.Expect(func(unpi.Frame) bool { return true })
		defer all.Close()
		if _, err := c.Request(t.Context(), unpi.SYS, 0x08, nil); err != nil {
			t.Fatal(err)
		}
		stick.Indicate(unpi.ZDO, 0xC0, 3)
		collect := func(w *znp.Waiter, n int) (got []string) {
			for range n {
				f, err := w.Wait(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%d.%d", f.Subsystem, f.Data[0]))
			}
			return got
		}
		if diff := cmp.Diff([]string{"5.0", "5.1", "5.2", "5.3"}, collect(states, 4)); diff != "" {
			t.Error(diff)
		}
		want := []string{"5.0", "4.0", "5.1", "4.1", "5.2", "4.2", "5.3"}
		if diff := cmp.Diff(want, collect(all, 7)); diff != "" {
			t.Error(diff)
		}
	})
	bubble("waiting for one that does not come is a timeout", t, func(t *testing.T) {
		c, stick := znptest.Dial(t, znp.Options{}, echo)
		w := c.Expect(func(unpi.Frame) bool { return true })
		w.Close()
		stick.Indicate(unpi.ZDO, 0xC0, 9)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.Wait(ctx); !errors.Is(err, znp.ErrTimeout) {
			t.Errorf("got %v", err)
		}
	})
}
