package validation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Overlooked returns the errors in an assembly's report that the CDK leaves out because of an acknowledgement somewhere else in
// the app. What a construct acknowledges is about itself: a flow log of awsec2 acknowledges F3002, for a property of its own,
// and since the CDK takes that for the whole app, it would say nothing of a property that does not exist anywhere.
func Overlooked(assembly string) ([]string, error) {
	name := filepath.Join(assembly, "validation-report.json")
	content, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var report struct {
		PluginReports []struct {
			SuppressedViolations []struct {
				RuleName, Description, Severity, AcknowledgedAt string
				ViolatingConstructs                             []struct{ ConstructPath string }
			}
		}
	}
	if err := json.Unmarshal(content, &report); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var found []string
	for _, plugin := range report.PluginReports {
		for _, v := range plugin.SuppressedViolations {
			if v.Severity != "error" && v.Severity != "fatal" {
				continue
			}
			for _, construct := range v.ViolatingConstructs {
				line := fmt.Sprintf("%s: %s: %s; only %s may", construct.ConstructPath, v.RuleName, v.Description, v.AcknowledgedAt)
				if !within(construct.ConstructPath, v.AcknowledgedAt) && !slices.Contains(found, line) {
					found = append(found, line)
				}
			}
		}
	}
	return found, nil
}

// within reports whether a construct is another one or below it. Environments are alike: of a rule that constructs of several
// acknowledge, the report names one.
func within(path, other string) bool {
	_, path, _ = strings.Cut(path, "/")
	_, other, _ = strings.Cut(other, "/")
	return path == other || strings.HasPrefix(path, other+"/")
}
