package config

import "testing"

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"cidr", "cidr", 0}, {"cird", "cidr", 2}, {"regoin", "region", 2}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("%s %s: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"regoin": "region", "sub": "subnetworks", "zzz": "", "Cidr": "cidr"} {
		if got := nearest(word, []string{"cidr", "region", "subnetworks"}); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}
