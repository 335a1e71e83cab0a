package z2msim

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// answers gives a device's answer to the command that waits for it, by ZCL
// transaction number.
type answers struct {
	mu      sync.Mutex
	last    byte
	waiting map[byte]chan zclFrame
}

func (a *answers) expect() (byte, <-chan zclFrame) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		a.waiting = map[byte]chan zclFrame{}
	}
	a.last++
	ch := make(chan zclFrame, 1)
	a.waiting[a.last] = ch
	return a.last, ch
}

func (a *answers) deliver(f zclFrame) {
	if f.clusterSpecific || f.command != readAttributesResponse && f.command != defaultResponse {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if ch := a.waiting[f.tsn]; ch != nil {
		ch <- f
		delete(a.waiting, f.tsn)
	}
}

// ask sends one on/off frame to a device and waits for the device's own answer;
// then runs answered, where given. A lost answer is an error after ten seconds.
func (s *instance) ask(r *record, frame func(tsn byte) ([]byte, error), answered func(zclFrame)) error {
	ep, ok := r.serves(clusterOnOff)
	if !ok {
		return fmt.Errorf("%s has no on/off cluster", r.IEEE)
	}
	tsn, answer := s.answers.expect()
	zcl, err := frame(tsn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerWait)
	defer cancel()
	if err := s.stick.send(ctx, r.Nwk, message{cluster: clusterOnOff, ep: ep, zcl: zcl}); err != nil {
		return err
	}
	select {
	case f := <-answer:
		return s.accept(f, answered)
	case <-ctx.Done():
		return fmt.Errorf("timeout after %s", answerWait.Round(time.Second))
	case <-s.stick.gone:
		return fmt.Errorf("the stick is gone")
	}
}

func (s *instance) accept(f zclFrame, answered func(zclFrame)) error {
	if status := f.status(); status != 0 {
		return fmt.Errorf("the device answered with status %#02x", status)
	}
	if answered != nil {
		answered(f)
	}
	return nil
}
