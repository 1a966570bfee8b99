// Package freeport gives tests TCP ports of 127.0.0.1 that nobody else takes
// before the program under test listens on them.
//
// The usual way, to listen on port 0, close and use the number, has a gap: the
// system hands the same number to the next one who asks, which may be another
// test's server. Here a port is reserved by a UDP socket of the same number,
// which stays open until the test ends, and comes from below the range from
// which the system serves port 0 and outgoing connections.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// first and count bound the ports that are given out: above the well-known
// ones, below those of local systems (20000) and the system's own (32768 on
// Linux, 49152 on macOS).
const (
	first = 10000
	count = 10000
)

// Reserve returns a port on which nothing listens, and a function that gives
// it back. Other callers of Reserve, also in other processes, get other ports
// until then or until this process ends.
func Reserve() (port int, release func(), err error) {
	var last error
	for range 200 {
		port := first + rand.IntN(count)
		if release, last = reserve(port); last == nil {
			return port, release, nil
		}
	}
	return 0, nil, errors.Join(fmt.Errorf("no free TCP port on 127.0.0.1 from %d to %d: stop what listens there", first, first+count-1), last)
}

// reserve claims one port, then makes sure that nobody who does not claim
// listens on it.
func reserve(port int) (func(), error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	claim, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, errors.Join(err, claim.Close())
	}
	if err := l.Close(); err != nil {
		return nil, errors.Join(err, claim.Close())
	}
	return func() { _ = claim.Close() }, nil
}

// Port reserves a port until the test ends.
func Port(t testing.TB) int {
	t.Helper()
	port, release, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// Address is 127.0.0.1 and a port that is reserved until the test ends.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Port(t)))
}
