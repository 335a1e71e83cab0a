package desk

import (
	"context"
	"sync"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
)

// A Front is a Service whose desk may be exchanged, as it is when the configuration
// changes. Whoever stands before it notices nothing but new networks. Without a desk
// it knows no network. The zero Front is ready for use.
type Front struct {
	mu        sync.Mutex
	desk      Service       // nil: none
	exchanged chan struct{} // closed at the next Put; made when it is asked for
	ears      []*ear
}

// An ear is somebody who listens, at the present desk if there is one.
type ear struct {
	tell   func(status.Event)
	cancel func()
}

var _ Service = (*Front)(nil)

// Put makes d the desk; nil takes it away.
func (f *Front) Put(d Service) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.ears {
		if e.cancel != nil {
			e.cancel()
		}
		e.cancel = nil
		if d != nil {
			e.cancel = d.Listen(e.tell)
		}
	}
	f.desk = d
	if f.exchanged != nil {
		close(f.exchanged)
		f.exchanged = nil
	}
}

func (f *Front) present() Service {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.desk
}

func none(r Request) error {
	return &network.RefusedError{What: string(r.Verb), Why: "no network is configured, or its configuration cannot be used",
		Remedy: "see what the page says about the configuration"}
}

// Networks are those of the present desk.
func (f *Front) Networks() []status.Network {
	if d := f.present(); d != nil {
		return d.Networks()
	}
	return nil
}

// Preview asks the present desk.
func (f *Front) Preview(ctx context.Context, r Request) (Preview, error) {
	if d := f.present(); d != nil {
		return d.Preview(ctx, r)
	}
	return Preview{}, none(r)
}

// Ask asks the present desk.
func (f *Front) Ask(ctx context.Context, r Request) (string, error) {
	if d := f.present(); d != nil {
		return d.Ask(ctx, r)
	}
	return "", none(r)
}

// Look asks the present desk.
func (f *Front) Look(net string) {
	if d := f.present(); d != nil {
		d.Look(net)
	}
}

// Changed is closed when the present desk's networks change, or the desk itself.
func (f *Front) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.exchanged == nil {
		f.exchanged = make(chan struct{})
	}
	if f.desk == nil {
		return f.exchanged
	}
	return either(f.exchanged, f.desk.Changed())
}

// either is closed when a or b is.
func either(a, b <-chan struct{}) <-chan struct{} {
	out := make(chan struct{})
	go func() { // ends with the next change, which an interval brings at the latest
		defer close(out)
		select {
		case <-a:
		case <-b:
		}
	}()
	return out
}

// Listen stays with whichever desk there is.
func (f *Front) Listen(tell func(status.Event)) (cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := &ear{tell: tell}
	if f.desk != nil {
		e.cancel = f.desk.Listen(tell)
	}
	f.ears = append(f.ears, e)
	return func() { f.leave(e) }
}

func (f *Front) leave(gone *ear) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, e := range f.ears {
		if e == gone {
			f.ears = append(f.ears[:i:i], f.ears[i+1:]...)
			break
		}
	}
	if gone.cancel != nil {
		gone.cancel()
		gone.cancel = nil
	}
}
