package config

import "testing"

// A field says nothing of a value that is not there, and nothing twice; what is wrong with one that holds others does not
// keep them from being judged.
func TestFieldSkipsItself(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(root field)
		want string
	}{
		"a problem":         {func(f field) { f.key("a").add("correct it", "must be %d", 1) }, "root.a: must be 1; correct it"},
		"the first of two":  {func(f field) { f.key("a").add("", "one"); f.key("a").add("", "two") }, "root.a: one"},
		"absent":            {func(f field) { f.key("a").reject("", "is missing"); f.key("a").add("", "two") }, "root.a: is missing"},
		"in what is absent": {func(f field) { f.key("a").reject("", "is missing"); f.key("a").key("b").index(0).add("", "two") }, "root.a: is missing"},
		"item of a list": {func(f field) {
			f.key("a").index(1).reject("", "is missing")
			f.key("a").index(1).key("b").add("", "two")
		}, "root.a[1]: is missing"},
		"in what has a problem":    {func(f field) { f.key("a").add("", "one"); f.key("a").key("b").add("", "two") }, "root.a: one\nroot.a.b: two"},
		"around what has one":      {func(f field) { f.key("a").key("b").add("", "one"); f.key("a").add("", "two") }, "root.a: two\nroot.a.b: one"},
		"a name that begins alike": {func(f field) { f.key("a").reject("", "is missing"); f.key("ab").add("", "two") }, "root.a: is missing\nroot.ab: two"},
		"a list's second":          {func(f field) { f.index(1).once([]string{"x", "x"}, 1); f.index(0).once([]string{"x", "x"}, 0) }, `root[1]: must be there once, got "x" twice; remove one`},
	} {
		t.Run(name, func(t *testing.T) {
			r := &report{}
			c.do(r.at("root"))
			if err := r.problems.Err(); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestReported(t *testing.T) {
	r := &report{}
	root := r.at("root")
	root.key("a").key("b").add("", "one")
	root.key("list").index(0).add("", "two")
	root.key("gone").reject("", "three")
	for name, c := range map[string]struct {
		f    field
		want bool
	}{
		"itself": {root.key("a").key("b"), true}, "above": {root.key("a"), true}, "beside": {root.key("a").key("c"), false},
		"list": {root.key("list"), true}, "other item": {root.key("list").index(1), false}, "in what is absent": {root.key("gone").key("x"), true},
		"begins alike": {root.key("lis"), false},
	} {
		if got := c.f.reported(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
