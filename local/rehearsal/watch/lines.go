package watch

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

var (
	// colours are the escapes of a terminal.
	colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
	// says is what a line of text begins or names when it is an error: a level, klog's letter, an exception, a crash.
	says = regexp.MustCompile(`\b(ERROR|FATAL|PANIC|CRITICAL|Traceback|Unhandled|Uncaught)\b|\blevel="?(error|fatal|panic|dpanic|critical)\b|` +
		`\[(error|crit|alert|emerg|fatal|panic)\]|^[EF]\d{4} \d|^(panic|fatal error|error): |[A-Za-z]*(Error|Exception): |: An error occurred|^npm (ERR!|error)`)
	// variable is what differs between two lines that say the same: ids, addresses, times, numbers, hashes in names.
	variable = regexp.MustCompile(`\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|\b[A-Za-z0-9+/=]*[0-9][A-Za-z0-9+/=]{15,}\b|\b[A-Za-z0-9+/=]{15,}[0-9][A-Za-z0-9+/=]*\b|` +
		`-[a-z0-9]{6,10}-[a-z0-9]{5}\b|-[0-9a-f]{8,10}\b|\b[0-9a-f]{7,}\b|[0-9]+([.,:][0-9]+)*`)
	repeated = regexp.MustCompile(`\(combined from similar events\): `)
)

// harmless are errors of every busy cluster: a controller's second write that lost against another's, and is tried again.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
var harmless = []string{"the object has been modified; please apply your changes to the latest version", "context canceled"}

// alike is equal for texts that differ in ids, times and numbers alone.
func alike(text string) string {
	text = repeated.ReplaceAllString(strings.Join(strings.Fields(text), " "), "")
	return variable.ReplaceAllString(text, "#")
}

// errorLine is what a line of a log says if it is an error, and what is equal for all lines that say the same.
func errorLine(line string) (text, key string, bad bool) {
	line = strings.TrimSpace(colours.ReplaceAllString(line, ""))
	for _, words := range harmless {
		if strings.Contains(line, words) {
			return "", "", false
		}
	}
	if strings.HasPrefix(line, "{") {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil {
			text, bad = structured(fields)
			return text, alike(text), bad
		}
	}
	return line, alike(line), says.MatchString(line)
}

// structured reads a line of JSON, as zap, slog, pino and others write them: the level in words, or from 50 as Bunyan's.
func structured(fields map[string]any) (string, bool) {
	first := func(names ...string) string {
		for _, name := range names {
			switch value := fields[name].(type) {
			case string:
				if value != "" {
					return value
				}
			case map[string]any:
				if message, ok := value["message"].(string); ok {
					return message
				}
			}
		}
		return ""
	}
	bad := false
	switch level := fields["level"].(type) {
	case float64:
		bad = level >= 50
	default:
		switch strings.ToLower(first("level", "severity", "lvl", "levelname", "log.level")) {
		case "error", "err", "fatal", "panic", "dpanic", "critical", "crit", "alert", "emergency":
			bad = true
		}
	}
	text := first("msg", "message", "event")
	if cause := first("error", "err", "exception"); cause != "" {
		text = strings.TrimPrefix(fmt.Sprintf("%s: %s", text, cause), ": ")
	}
	return text, bad
}
