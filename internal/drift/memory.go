package drift

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Memory is what earlier looks have found, and what people were told of it.
type Memory struct {
	// Known are the differences that have not ended, and what could not be looked at, by their keys.
	Known map[string]Known `json:"known"`
}

// Known is a difference, or something that could not be looked at.
type Known struct {
	// Object names it, as in the report.
	Object string    `json:"object"`
	State  State     `json:"state"`
	Check  string    `json:"check"`
	Since  time.Time `json:"since"`
	// Told is true once people know.
	Told bool `json:"told"`
}

// unlooked is the state of what could not be looked at.
const unlooked State = "unseen"

// passing are the states that a release in progress passes through, and that a service of AWS that does not answer makes: people
// hear of them when the next look finds them again.
var passing = []State{Behind, unlooked}

// News is what has changed since people were told last.
type News struct {
	// Findings and Unseen are new.
	Findings []Finding
	Unseen   []Unseen
	// Ended are objects, of which people knew, that differ no more.
	Ended []string
	// Open is how many things are left that people know of, without the new ones.
	Open int
	// Repairs are what was done about what the look found.
	Repairs []Repair
	// Unsure is how many things could not be looked at.
	Unsure int
}

// Since compares a report with what was known, and returns what is to be told, nil for nothing, and what is known then. A
// difference is told once, and again when it has ended in between; it has ended when what had found it looked and finds it no more.
// That one of several has ended is no news by itself; that the last has is.
func (r *Report) Since(before Memory, now time.Time) (*News, Memory) {
	after, news, fresh := Memory{Known: map[string]Known{}}, &News{Unsure: len(r.Unseen), Repairs: r.Repairs}, map[string]bool{}
	// isNew notes a thing that was found, and reports whether people are to hear of it.
	isNew := func(key string, k Known) bool {
		if _, twice := after.Known[key]; twice {
			return fresh[key]
		}
		was, known := before.Known[key]
		k.Since, k.Told = now, was.Told || known || !slices.Contains(passing, k.State)
		if known {
			k.Since = was.Since
		}
		after.Known[key], fresh[key] = k, k.Told && !was.Told
		if was.Told {
			news.Open++
		}
		return fresh[key]
	}
	for _, f := range r.Findings {
		if isNew(f.key(), Known{Object: f.Object, State: f.State, Check: f.Check}) {
			news.Findings = append(news.Findings, f)
		}
	}
	for _, u := range r.Unseen {
		if isNew(u.key(), Known{Object: u.What, State: unlooked, Check: u.Check}) {
			news.Unseen = append(news.Unseen, u)
		}
	}
	r.end(before, after, news)
	if len(news.Findings)+len(news.Unseen) > 0 || len(news.Ended) > 0 && news.Open == 0 {
		return news, after
	}
	return nil, after
}

// end finds what was known and is not found any more; what nobody could see stays known.
func (r *Report) end(before, after Memory, news *News) {
	for key, k := range before.Known {
		_, still := after.Known[key]
		switch {
		case still:
		case !r.saw(k):
			after.Known[key] = k
			if k.Told {
				news.Open++
			}
		case k.Told:
			news.Ended = append(news.Ended, k.Object)
		}
	}
	slices.Sort(news.Ended)
	news.Ended = slices.Compact(news.Ended)
}

// saw reports whether the report's checks would have found it again. An object that could not be looked at, STACK/RESOURCE or Kind
// NAMESPACE/NAME, hides itself alone; a stack, a kind or a check hides all that its check finds.
func (r *Report) saw(k Known) bool {
	return slices.Contains(r.Checks, k.Check) && !slices.ContainsFunc(r.Unseen, func(u Unseen) bool {
		return u.Check == k.Check && (u.What == k.Object || !strings.Contains(u.What, "/"))
	})
}

// key tells a difference from others, over several looks. What says why something fails is left out: it has times and numbers in it.
func (f Finding) key() string {
	what := f
	what.Do, what.PutBack, what.At, what.By = "", "", nil, nil
	if f.State == Failing || f.State == Behind || f.Manager != "" {
		what.Detail = ""
	}
	return digest(what)
}

func (u Unseen) key() string { return digest(Unseen{What: u.What, Check: u.Check}) }

func digest(of any) string {
	text, _ := json.Marshal(of) // strings, lists of them and times always have a JSON text
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Subject is that of a message: SNS takes up to 100 characters of ASCII.
func (n *News) Subject(environment string) string {
	switch fresh := len(n.Findings); {
	case fresh > 0:
		return fmt.Sprintf("%s: %s from the repository", environment, count(fresh, "new difference"))
	case len(n.Unseen) > 0:
		return fmt.Sprintf("%s: %s not looked at", environment, count(len(n.Unseen), "thing"))
	case n.Unsure > 0:
		return fmt.Sprintf("%s: no difference any more, but %s not looked at", environment, count(n.Unsure, "thing"))
	}
	return environment + ": well again, no difference from the repository"
}

// Text is the message: what differs and what to do, what has ended, and how to see all of it.
func (n *News) Text(environment string) string {
	var b strings.Builder
	if fresh := (&Report{Environment: environment, Findings: n.Findings, Unseen: n.Unseen}); len(n.Findings)+len(n.Unseen) > 0 {
		fresh.rows(&b)
	}
	if len(n.Repairs) > 0 {
		b.WriteString("\nWhat was done about it:\n")
		(&Report{Repairs: n.Repairs}).repairs(&b)
	}
	if len(n.Ended) > 0 {
		fmt.Fprintf(&b, "\nOver: %s.\n", strings.Join(n.Ended, ", "))
	}
	if n.Open > 0 {
		fmt.Fprintf(&b, "\n%s of which you know %s left.\n", count(n.Open, "difference"), verb(n.Open))
	}
	fmt.Fprintf(&b, "\nAll of it: bin/gitops drift %s\nWhat it means: docs/guides/alerts.md\n", environment)
	return clipped(strings.TrimLeft(b.String(), "\n"), environment)
}

func verb(n int) string { return cmp.Or(map[int]string{1: "is"}[n], "are") }

// clipped keeps a message below the 256 KiB that SNS takes, far enough for a person.
func clipped(text, environment string) string {
	const most = 32 << 10
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "\n…\nThere is more: see all of it with bin/gitops drift " + environment + ".\n"
}
