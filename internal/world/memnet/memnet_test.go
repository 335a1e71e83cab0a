package memnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/world/memnet"
)

// connected is both ends of a connection over l.
func connected(t *testing.T, l *memnet.Line) (client, host net.Conn) {
	t.Helper()
	client, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if host, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, host
}

// arrives says how long something that is written to w takes to be read from r, or why it
// is not within a minute.
func arrives(w, r net.Conn) (time.Duration, error) {
	begun := time.Now()
	if _, err := w.Write([]byte("word")); err != nil {
		return 0, err
	}
	_ = r.SetReadDeadline(begun.Add(time.Minute))
	_, err := io.ReadFull(r, make([]byte, 4))
	return time.Since(begun), err
}

func TestTrouble(t *testing.T) {
	const later = 10 * time.Second
	for _, tt := range []struct {
		name             string
		trouble          memnet.Trouble
		request, answer  time.Duration // how long they take when all is well after `later`
		refuses, hangs   bool          // who dials meanwhile
		connectsMeantime bool
	}{
		{"passes everything at once", memnet.Trouble{}, 0, 0, false, false, true},
		{"is slow both ways", memnet.Trouble{Delay: time.Second}, time.Second, time.Second, false, false, true},
		{"keeps requests for later", memnet.Trouble{LosesRequests: true}, later, 0, false, true, false},
		{"keeps answers for later", memnet.Trouble{LosesAnswers: true}, 0, later, false, true, false},
		{"stands still, and takes connections", memnet.Trouble{Frozen: true}, later, later, false, false, true},
		{"refuses new connections only", memnet.Trouble{Refused: true}, 0, 0, true, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, way := range []string{"request", "answer"} {
				synctest.Test(t, func(t *testing.T) {
					l := memnet.NewLine("host:22")
					defer l.Close()
					client, host := connected(t, l)
					l.Suffer(tt.trouble)
					time.AfterFunc(later, func() { l.Suffer(memnet.Trouble{}) })
					from, to, want := client, host, tt.request
					if way == "answer" {
						from, to, want = host, client, tt.answer
					}
					if took, err := arrives(from, to); err != nil || took != want {
						t.Errorf("%s took %s, %v; want %s", way, took, err, want)
					}
				})
			}
			synctest.Test(t, func(t *testing.T) {
				l := memnet.NewLine("host:22")
				defer l.Close()
				l.Suffer(tt.trouble)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				_, err := l.Dial(ctx)
				if refused := errors.Is(err, syscall.ECONNREFUSED); refused != tt.refuses {
					t.Errorf("dial: %v", err)
				}
				if hung := errors.Is(err, context.DeadlineExceeded); hung != tt.hangs || (err == nil) != tt.connectsMeantime {
					t.Errorf("dial: %v", err)
				}
			})
		})
	}
}

func TestEnds(t *testing.T) {
	for _, tt := range []struct {
		name         string
		end          func(l *memnet.Line, host net.Conn)
		client, host error // what reading gives
	}{
		{"a cut shows on both sides", func(l *memnet.Line, _ net.Conn) { l.Cut() }, syscall.ECONNRESET, syscall.ECONNRESET},
		{"a close shows as the end", func(_ *memnet.Line, h net.Conn) { h.Close() }, io.EOF, net.ErrClosed},
		{"a host without power says nothing", func(l *memnet.Line, _ net.Conn) { l.SetUp(false) }, os.ErrDeadlineExceeded, net.ErrClosed},
		{"a lost line says nothing to anybody", func(l *memnet.Line, _ net.Conn) { l.Lose() }, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := memnet.NewLine("host:22")
				defer l.Close()
				client, host := connected(t, l)
				tt.end(l, host)
				for c, want := range map[net.Conn]error{client: tt.client, host: tt.host} {
					_ = c.SetReadDeadline(time.Now().Add(time.Minute))
					if _, err := c.Read(make([]byte, 1)); !errors.Is(err, want) {
						t.Errorf("read: %v, want %v", err, want)
					}
				}
			})
		})
	}
}

// What was written before the end is read before the end.
func TestLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.NewLine("host:22")
		defer l.Close()
		client, host := connected(t, l)
		_, _ = host.Write([]byte("goodbye"))
		_ = host.Close()
		got, err := io.ReadAll(client)
		if err != nil || string(got) != "goodbye" {
			t.Errorf("%q, %v", got, err)
		}
	})
}
