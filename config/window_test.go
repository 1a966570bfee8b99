package config

import (
	"testing"
	"time"
)

// The expression holds the window's hours, and none of the one after it.
func TestWindowCron(t *testing.T) {
	for want, w := range map[string]Window{
		"":                             {Frozen: []string{"2026-12-24"}},
		"* * 9-16 ? * MON,TUE,WED,THU": {Days: []string{"MON", "TUE", "WED", "THU"}, Hours: "09:00-17:00"},
		"* * * ? * SUN":                {Days: []string{"SUN"}},
		"* * 0-23 ? * *":               {Hours: "00:00-24:00"},
		"* * 22-22 ? * *":              {Hours: "22:00-23:00"},
	} {
		if got := w.Cron(); got != want {
			t.Errorf("%+v: got %q, want %q", w, got, want)
		}
	}
}

// A date counts where its time zone has it. Ranges that overlap or follow each other are one.
func TestFrozenUntil(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	frozen := []string{"2026-12-20/2026-12-27", "2026-12-26/2027-01-03", "2027-01-04", "2027-02-01"}
	for at, want := range map[string]string{
		"2026-12-19T22:59:59Z": "", "2026-12-19T23:00:00Z": "2027-01-04", "2026-12-27T12:00:00Z": "2027-01-04",
		"2027-01-04T22:59:59Z": "2027-01-04", "2027-01-04T23:00:00Z": "", "2027-02-01T12:00:00Z": "2027-02-01",
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := FrozenUntil(now.In(berlin), frozen); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", at, got, err, want)
		}
	}
	if _, err := FrozenUntil(time.Time{}, []string{"tomorrow"}); err == nil {
		t.Error("a date that is none is taken")
	}
}
