package result

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 3}} {
		if got := Median(c.values); got != c.want {
			t.Errorf("median of %v: %v, want %v", c.values, got, c.want)
		}
	}
}

// TestSaveKeepsOtherParts measures one part again: its lines are replaced, those of other parts stay.
func TestSaveKeepsOtherParts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out", "bench.json")
	a, b := Of("a", 1, "wall s", "peer", 2), Of("b", 3, "wall s", "", 0)
	again := Of("a", 5, "wall s", "peer", 2)
	for _, lines := range [][]Line{{a, b}, {again}} {
		if err := Save(file, lines); err != nil {
			t.Fatal(err)
		}
	}
	got, err := load(file)
	if err != nil || !reflect.DeepEqual(got, []Line{b, again}) {
		t.Errorf("%+v, %v", got, err)
	}
	if again.Ratio != 2.5 || b.Ratio != 0 {
		t.Errorf("ratios %v and %v", again.Ratio, b.Ratio)
	}
}

func TestPrint(t *testing.T) {
	var out strings.Builder
	if err := Print(&out, []Line{Of("a", 1, "wall s", "60 s", 60), {Name: "b", Value: 7, Unit: "MiB"}}); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "0.02") || !strings.Contains(s, "60 s") || !strings.Contains(s, "MiB     -") {
		t.Error(s)
	}
}
