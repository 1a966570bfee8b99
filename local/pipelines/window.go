package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// window is when the rule DeploymentWindow lets an execution enter a stage: hours of days of the week.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html
type window struct {
	first, last int
	days        [7]bool
	zone        *time.Location
}

// windowCron is the one form of an expression that is known: any second and minute, a range of hours, names of days.
var windowCron = regexp.MustCompile(`^\* \* (\*|\d{1,2}-\d{1,2}) \? \* (\*|[A-Z]{3}(?:,[A-Z]{3})*)$`)

// windowTime is how people read when a window opens.
const windowTime = "Mon 2006-01-02 15:04 MST"

var weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// readWindow reads a rule's configuration, or says what is wrong with it.
func readWindow(configuration map[string]any) (*window, string) {
	expression, name := textOf(configuration, "Cron"), textOf(configuration, "TimeZone")
	found := windowCron.FindStringSubmatch(expression)
	if found == nil {
		return nil, unknown("has the Cron %q: it must be like \"* * 9-16 ? * MON,TUE\"", expression)
	}
	w := &window{last: 23}
	if from, to, ranged := strings.Cut(found[1], "-"); ranged {
		w.first, _ = strconv.Atoi(from) // they are digits
		w.last, _ = strconv.Atoi(to)
	}
	if w.first > w.last || w.last > 23 {
		return nil, fmt.Sprintf("must have hours from 0 to 23 in their order, got %q", expression)
	}
	for day := range strings.SplitSeq(found[2], ",") {
		i := slices.Index(weekdays, day)
		switch {
		case day == "*":
			w.days = [7]bool{true, true, true, true, true, true, true}
		case i < 0:
			return nil, fmt.Sprintf("must have days of %s, got %q", strings.Join(weekdays, ", "), expression)
		default:
			w.days[i] = true
		}
	}
	var err error
	if w.zone, err = time.LoadLocation(name); err != nil {
		return nil, fmt.Sprintf("must have a TimeZone by its IANA name, got %q", name)
	}
	return w, ""
}

// open reports whether a time is in the window.
func (w *window) open(at time.Time) bool {
	at = at.In(w.zone)
	return w.days[at.Weekday()] && w.first <= at.Hour() && at.Hour() <= w.last
}

// opens is the first minute from a time on that is in the window. It looks at two weeks, since a change of the clock may take
// away the only hour of the week.
func (w *window) opens(from time.Time) time.Time {
	at := from.Truncate(time.Minute)
	for range 2 * 7 * 24 * 60 {
		if w.open(at) {
			break
		}
		at = at.Add(time.Minute)
	}
	return at.In(w.zone)
}

// unsupportedWindow says what of a condition with a window is not run here: CodePipeline skips by other rules only, and of two
// windows each may have closed again when the other one opens.
func (c *Condition) unsupportedWindow() string {
	windows := 0
	for _, r := range c.Rules {
		if r.RuleTypeID.String() == windowRule {
			windows++
		}
	}
	switch {
	case windows > 0 && c.Result == resultSkip:
		return fmt.Sprintf("a condition with a rule of type %s must have the result %s", windowRule, resultFail)
	case windows > 1:
		return unknown("a condition has %d rules of type %s", windows, windowRule)
	}
	return ""
}

// await waits until the window of a stage's entry condition is open, if it has one, or somebody overrides the condition. It
// waits for as long as that takes: CodePipeline does not document an end.
func (j *job) await(ctx context.Context, s *Stage, state *StageState) error {
	w := s.window()
	if w == nil {
		return nil
	}
	for {
		d, err := readDecision(overrideFile(j.root, j.execution, s.Name))
		switch now := j.now(); {
		case err != nil:
			return err
		case d != nil:
			j.log.Info("the entry condition is overridden", "stage", s.Name, "by", d.By)
			return j.update(func() { state.Override, state.Reason = d, "overridden by "+d.By+colon(d.Summary) })
		case w.open(now):
			return j.update(func() { state.Reason = "" })
		case state.Status != Held:
			opens := w.opens(now).Format(windowTime)
			j.log.Info("waits for its window", "stage", s.Name, "opens", opens)
			if err := j.update(func() { state.Status, state.Reason = Held, "opens "+opens }); err != nil {
				return err
			}
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// window is the one of the entry condition, or nil.
func (s *Stage) window() *window {
	if s.BeforeEntry == nil {
		return nil
	}
	for _, r := range s.BeforeEntry.Conditions[0].Rules {
		if r.RuleTypeID.String() == windowRule {
			w, _ := readWindow(r.Configuration) // unsupported has read it
			return w
		}
	}
	return nil
}

// Override lets an execution enter the stage whose window it waits for, as OverrideStageCondition does. With more than one
// that waits, a pipeline must be named.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_OverrideStageCondition.html
func Override(root, pipeline string, d Decision) (*Execution, *StageState, error) {
	e, err := choose(root, pipeline, "a window", d, func(e *Execution) bool { return e.held() != nil })
	if err != nil {
		return nil, nil, err
	}
	s := e.held()
	return e, s, d.save(overrideFile(root, e, s.Name))
}

func overrideFile(root string, e *Execution, stage string) string {
	return filepath.Join(folderOf(root, e), "override-"+stage+".json")
}

// readDecision reads one that somebody left; nil while there is none.
func readDecision(file string) (*Decision, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	d := &Decision{}
	if err == nil {
		err = json.Unmarshal(raw, d)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: remove it and decide again", file, err)
	}
	return d, nil
}
