package render

import (
	"fmt"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/kubediff"
	"k8s-plus-aws-gitops/internal/review/risk"
)

// large is a review of many objects with long differences and many findings.
func large(changes, lines, findings int) *review.Review {
	e := review.Environment{Name: "dev", Branch: "main"}
	k := kubediff.Kustomization{Name: "apps"}
	for i := range changes {
		k.Objects = append(k.Objects, kubediff.Change{
			Action: kubediff.Changed, Object: fmt.Sprintf("ConfigMap n/c%d", i), Diff: strings.Repeat(fmt.Sprintf("+line of object %d ü\n", i), lines),
		})
	}
	e.Kustomizations = []kubediff.Kustomization{k}
	for i := range findings {
		f := risk.Finding{Kind: risk.IAM, Resource: fmt.Sprintf("dev/ghost/R%04d", i), Message: "may now: s3:* on everything that there is"}
		if i == findings-1 {
			f.Kind, f.Guarded, f.Verdict = risk.Replacement, true, risk.Forbidden
		}
		e.Findings = append(e.Findings, f)
	}
	return &review.Review{Base: review.Side{Name: "origin/main"}, Head: review.Side{Name: "working tree"}, Environments: []review.Environment{e}}
}

func TestLimit(t *testing.T) {
	for name, c := range map[string]struct {
		review *review.Review
		whole  bool
	}{
		"small":         {large(2, 10, 1), true},
		"long object":   {large(1, 100000, 0), false},
		"many objects":  {large(5000, 20, 0), false},
		"many findings": {large(3, 5, 5000), true},
		"everything":    {large(3000, 300, 3000), false},
	} {
		t.Run(name, func(t *testing.T) {
			text := Markdown(c.review, Limit)
			if len(text) > Limit {
				t.Errorf("%d bytes", len(text))
			}
			if said := strings.Contains(text, "This comment is not complete"); said == c.whole {
				t.Errorf("says that it is not complete: %t", said)
			}
			if !strings.HasPrefix(text, Marker+"\n") || strings.Count(text, "<details>") != strings.Count(text, "</details>") {
				t.Error("the comment is broken")
			}
			if len(c.review.Environments[0].Findings) > 0 && !strings.Contains(text, "FORBIDDEN replacement") {
				t.Error("the forbidden change is cut off")
			}
		})
	}
}

func TestFences(t *testing.T) {
	for diff, want := range map[string]string{
		"+a\n":         "```diff\n+a\n```\n\n",
		"+```\n+b\n":   "````diff\n+```\n+b\n````\n\n",
		"+a\n+b\n+c\n": "```diff\n+a\n+b\n```\n\n1 lines more.\n\n",
		"":             "",
	} {
		if got := fenced(diff, 2); got != want {
			t.Errorf("%q: got %q, want %q", diff, got, want)
		}
	}
}

// Environments share one difference when the same lines come and go but for values, and each value is shown.
func TestVariants(t *testing.T) {
	for name, c := range map[string]struct {
		dev, production string
		want            string // the differences, with their environments
	}{
		"the same":             {"-a: 1\n+a: 2\n", "-a: 1\n+a: 2\n", "dev, production"},
		"another context":      {" x: 1\n+a: 2\n", " x: 9\n+a: 2\n", "dev, production"},
		"another value":        {"-a: 1\n+a: 2\n", "-a: 1\n+a: 3\n", "dev, production; production: +a: 3"},
		"an element of a list": {"+- 10.0.0.0/8\n", "+- 0.0.0.0/0\n", "dev, production; production: +- 0.0.0.0/0"},
		"another field":        {"+a: 2\n", "+b: 2\n", "dev | production"},
		"a line more":          {"+a: 2\n", "+a: 2\n+b: 2\n", "dev | production"},
		"another text":         {"+one\n", "+two\n", "dev | production"},
		"another depth":        {"+a: 2\n", "+  a: 2\n", "dev | production"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &review.Review{}
			for _, e := range [][2]string{{"dev", c.dev}, {"production", c.production}} {
				// The chart's object, too, is one difference.
				change := kubediff.Change{Object: "HelmRelease n/a", Action: kubediff.Changed, Diff: "+x: 1\n", Release: &kubediff.Release{Objects: []kubediff.Change{{Object: "A a", Diff: e[1]}}}}
				r.Environments = append(r.Environments, review.Environment{Name: e[0], Kustomizations: []kubediff.Kustomization{{Name: "k", Objects: []kubediff.Change{change}}}})
			}
			var got []string
			for _, b := range blocks(r) {
				text := strings.Join(b.environments, ", ")
				for _, v := range b.inner[0].variants {
					text += "; " + strings.Join(v.environments, ", ") + ": " + strings.TrimSpace(v.lines)
				}
				got = append(got, text)
			}
			if strings.Join(got, " | ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
