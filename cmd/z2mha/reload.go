package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"time"

	"z2mha/internal/config"
)

const (
	// troublePause is when what could not be read or opened is tried again, although
	// nobody has changed the file.
	troublePause = 5 * time.Second
	// filePause is how often somebody may have edited the file.
	filePause = 5 * time.Second
)

// houses runs one house after the other, each until the configuration changes.
func (s *server) houses(ctx context.Context) {
	s.awaitPanel(ctx)
	for ctx.Err() == nil {
		h, err := s.open(ctx)
		if err != nil {
			s.settle(nil, err, "nothing can be done for now")
			s.await(ctx, troublePause)
			continue
		}
		s.live(ctx, h)
	}
}

func (s *server) open(ctx context.Context) (*house, error) {
	cfg, err := s.around.load(ctx)
	if err != nil {
		return nil, err
	}
	h, err := s.build(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings {
		s.log.Warn("configuration", "problem", w)
	}
	s.settle(h, nil, "")
	return h, nil
}

// live runs h until ctx ends or there is another configuration that can be used. One
// that cannot is told, and h goes on.
func (s *server) live(ctx context.Context, h *house) {
	within, end := context.WithCancel(ctx)
	defer end()
	s.front.Put(h.desk)
	ended := make(chan error, 1)
	go func() { ended <- h.run(within, s.tell) }()
	var err error
	select {
	case err = <-ended:
	case <-s.outdated(within, h):
		s.log.Info("the configuration has changed")
		end()
		err = <-ended
	}
	end()
	s.front.Put(nil)
	s.settle(nil, nil, "")
	if err != nil {
		s.log.Error("the work on the networks ended early", "err", err)
	}
	if err := h.app.close(); err != nil {
		s.log.Warn("not everything could be put away", "err", err)
	}
}

// outdated is closed when h is not what is configured any more, and no plan is carried
// out.
func (s *server) outdated(ctx context.Context, h *house) <-chan struct{} {
	out := make(chan struct{})
	go func() {
		for !s.differs(ctx, h) {
			if ctx.Err() != nil {
				return
			}
		}
		for h.busy() {
			select {
			case <-h.desk.Changed():
			case <-ctx.Done():
				return
			}
		}
		close(out)
	}()
	return out
}

// differs waits for a reason to read the configuration again, and says whether it is
// another one. Beside the file that is the broker: while it is away, the Supervisor may
// know of a new one.
func (s *server) differs(ctx context.Context, h *house) bool {
	asked := s.await(ctx, troublePause)
	if ctx.Err() != nil || !asked && !s.wanting(h) {
		return false
	}
	cfg, err := s.around.load(ctx)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil && (asked || s.troubled()):
		s.settle(h, err, "the configuration cannot be used; everything goes on as before")
		return false
	case err != nil:
		return false
	case same(cfg, h.cfg) && h.panel == s.panelPath():
		s.settle(h, nil, "")
		return false
	}
	return true
}

// wanting says that something may get better without the file being touched.
func (s *server) wanting(h *house) bool {
	return s.troubled() || s.around.super != nil && !h.app.bus.Status().Connected
}

func same(a, b *config.Config) bool { return reflect.DeepEqual(a, b) }

// await waits until it is asked for, or for d; it returns whether it was asked for.
func (s *server) await(ctx context.Context, d time.Duration) (asked bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.reloaded:
		return true
	case <-ctx.Done():
	}
	return false
}

// Reload reads the configuration again. Another one is used as soon as no plan is
// carried out.
func (s *server) Reload() {
	for _, c := range []chan struct{}{s.reloaded, s.replaced} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// watchFile reloads when somebody has edited the configuration.
func (s *server) watchFile(ctx context.Context) {
	tick := time.NewTicker(filePause)
	defer tick.Stop()
	last := stamp(s.around.config)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := stamp(s.around.config); now != last {
			last = now
			s.Reload()
		}
	}
}

func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.ModTime().UnixNano(), info.Size())
}

// settle says what is worked with and what is wrong. The same trouble is logged once.
func (s *server) settle(h *house, trouble error, what string) {
	s.mu.Lock()
	before := s.trouble
	s.house, s.trouble = h, trouble
	s.mu.Unlock()
	switch {
	case trouble != nil && text(before) != trouble.Error() && unset(trouble):
		s.log.Info("nothing is set up yet; open the page and choose \"Add a host\"")
		for _, more := range strings.Split(trouble.Error(), "\n")[1:] {
			s.log.Error(what, "err", more)
		}
	case trouble != nil && text(before) != trouble.Error():
		s.log.Error(what, "err", trouble)
	case trouble == nil && before != nil && h != nil:
		s.log.Info("the configuration can be used")
	}
}

// unset says that there is no configuration yet, which is how everybody begins.
func unset(trouble error) bool {
	var unread *config.ReadError
	return errors.As(trouble, &unread) && errors.Is(unread, fs.ErrNotExist)
}

func (s *server) troubled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble != nil
}
