package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a zone is the same on a machine without /usr/share/zoneinfo
)

// Window is when a commit may change the environment. Outside of it a deployment waits before its first change.
type Window struct {
	// Days of the week on which it is open, `MON` to `SUN`. Default: every day.
	Days []string `json:"days" default:"[]" example:"[\"MON\", \"TUE\", \"WED\", \"THU\"]"`
	// Full hours from which and until which it is open; `24:00` is the end of the day. Default: the whole day.
	Hours string `json:"hours" example:"\"09:00-17:00\""`
	// IANA time zone of the days, the hours and the frozen dates.
	TimeZone string `json:"timeZone" default:"UTC" example:"\"Europe/Berlin\""`
	// Dates on which a commit waits for an approval, whatever the hour: a date, or the first and the last of a range.
	Frozen []string `json:"frozen" default:"[]" example:"[\"2026-12-24\", \"2026-12-20/2027-01-03\"]"`
}

// weekdays are as cron expressions write them.
var weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// Cron is the expression of the hours in which it is open, or empty if it is open at any. The fields are second, minute, hour,
// day of the month, month and day of the week: an expression holds one set of each, so that it cannot say 09:30 to 17:00.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-DeploymentWindow.html
func (w *Window) Cron() string {
	if len(w.Days) == 0 && w.Hours == "" {
		return ""
	}
	hours, days := "*", "*"
	if from, to, ok := fullHours(w.Hours); ok {
		hours = strconv.Itoa(from) + "-" + strconv.Itoa(to-1)
	}
	if len(w.Days) > 0 {
		days = strings.Join(w.Days, ",")
	}
	return "* * " + hours + " ? * " + days
}

var hourPattern = regexp.MustCompile(`^(\d\d):00-(\d\d):00$`)

// fullHours are those of a text like 09:00-17:00.
func fullHours(text string) (from, to int, ok bool) {
	found := hourPattern.FindStringSubmatch(text)
	if found == nil {
		return 0, 0, false
	}
	from, _ = strconv.Atoi(found[1]) // they are digits
	to, _ = strconv.Atoi(found[2])
	return from, to, from < 24 && to <= 24
}

// FrozenUntil returns the last of the frozen dates that a time lies in, or "". Ranges that follow each other are one.
func FrozenUntil(now time.Time, frozen []string) (string, error) {
	last := ""
	for day := now; ; day = day.AddDate(0, 0, 1) {
		date := day.Format(time.DateOnly)
		in := false
		for _, text := range frozen {
			first, end, err := dates(text)
			if err != nil {
				return "", err
			}
			in = in || first <= date && date <= end
		}
		if !in {
			return last, nil
		}
		last = date
	}
}

// dates are the first and the last of a range, or twice the same. As text they have the order of time.
func dates(text string) (first, last string, err error) {
	first, last, ranged := strings.Cut(text, "/")
	if !ranged {
		last = first
	}
	for _, date := range []string{first, last} {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return "", "", err
		}
	}
	return first, last, nil
}

// zoneName is what CodePipeline takes as a time zone, without the abbreviations, of which some have two meanings.
var zoneName = regexp.MustCompile(`^(UTC|[A-Z][A-Za-z]*(/[A-Z][A-Za-z_-]*)+)$`)

// checkWindow checks the change window of an environment.
func checkWindow(f field, d Delivery) {
	w := d.Window
	if w == nil {
		return
	}
	switch {
	case !d.Gate:
		f.add("set delivery.gate to true, or leave the window out", "must have delivery.gate: without it Flux applies a merge at any time")
	case len(w.Days) == 0 && w.Hours == "" && len(w.Frozen) == 0:
		f.add("give days, hours or frozen, or leave the window out", "must say when it is open")
	}
	for i, day := range w.Days {
		f.key("days").index(i).oneOf(day, weekdays...)
		f.key("days").index(i).once(w.Days, i)
	}
	checkHours(f.key("hours"), w.Hours)
	if _, err := time.LoadLocation(w.TimeZone); err != nil || !zoneName.MatchString(w.TimeZone) {
		f.key("timeZone").add("give UTC or an IANA name of region and city, for example \"Europe/Berlin\"", "must be a time zone, got %q", w.TimeZone)
	}
	for i, text := range w.Frozen {
		at := f.key("frozen").index(i)
		first, last, err := dates(text)
		switch {
		case err != nil:
			at.add("write 2026-12-24, or for a range 2026-12-20/2027-01-03", "must be a date or a range of dates, got %q", text)
		case last < first:
			at.add("write "+last+"/"+first, "must begin before it ends, got %q", text)
		}
		at.once(w.Frozen, i)
	}
}

// checkHours checks the hours of a window.
func checkHours(f field, hours string) {
	if hours == "" {
		return
	}
	from, to, ok := fullHours(hours)
	switch {
	case !ok:
		f.add("write full hours, for example 09:00-17:00: CodePipeline's rule takes one cron expression, which cannot say 09:30 to 17:00", "must be two full hours of a day, got %q", hours)
	case from == to:
		f.add("leave hours out for the whole day, or give a later end", "must not be empty: the window would never open, got %q", hours)
	case from > to:
		f.add("end it at 24:00 at the latest, or turn the hours round", "must not run over midnight, got %q", hours)
	}
}
