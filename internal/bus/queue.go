package bus

import "sync"

// A queue runs functions one after the other on one goroutine. It has no limit:
// a slow handler must never hold up the connection, or the broker ends it.
type queue struct {
	mu    sync.Mutex
	work  []func()
	ready chan struct{} // holds one token while there may be work
	stop  chan struct{}
	done  chan struct{}
}

func newQueue() *queue {
	q := &queue{ready: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go q.run()
	return q
}

func (q *queue) add(f func()) {
	q.mu.Lock()
	q.work = append(q.work, f)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *queue) run() {
	defer close(q.done)
	for {
		select {
		case <-q.stop:
			return
		case <-q.ready:
		}
		for _, f := range q.take() {
			select {
			case <-q.stop:
				return
			default:
				f()
			}
		}
	}
}

func (q *queue) take() []func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	work := q.work
	q.work = nil
	return work
}

// close waits for the function that runs; the rest is dropped.
func (q *queue) close() {
	close(q.stop)
	<-q.done
}
