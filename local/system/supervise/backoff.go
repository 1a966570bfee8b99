package supervise

import "time"

// Backoff is the growing pause before a restart.
type Backoff struct {
	// First is the pause after the first exit (200 ms when zero); each next
	// one is twice as long, up to Most (30 s when zero).
	First, Most time.Duration
	// Reset is how long a run must have lasted for the pause to start at First
	// again; 60 s when zero.
	Reset time.Duration

	last time.Duration
}

func (b *Backoff) next(ran time.Duration) time.Duration {
	first, most, reset := b.First, b.Most, b.Reset
	if first == 0 {
		first = 200 * time.Millisecond
	}
	if most == 0 {
		most = 30 * time.Second
	}
	if reset == 0 {
		reset = time.Minute
	}
	if b.last == 0 || ran >= reset {
		b.last = first
	} else {
		b.last = min(2*b.last, most)
	}
	return b.last
}
