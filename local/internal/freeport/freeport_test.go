package freeport

import (
	"net"
	"strconv"
	"testing"
)

func TestReservedPortsAreNotGivenOutAgain(t *testing.T) {
	port, release, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := reserve(port); err == nil {
		again()
		t.Errorf("port %d was given out twice", port)
	}
	// The program under test may listen, and others see that it does.
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the reserved port cannot be used: %v", err)
	}
	release()
	if again, err := reserve(port); err == nil {
		again()
		t.Errorf("port %d was given out while a server listens on it", port)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := reserve(port)
	if err != nil {
		t.Fatalf("port %d is not given out again: %v", port, err)
	}
	again()
}

func TestAddressesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		a := Address(t)
		if seen[a] {
			t.Errorf("%s twice", a)
		}
		seen[a] = true
	}
}
