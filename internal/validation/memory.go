package validation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// kept is how long a pass is remembered.
const kept = 30 * 24 * time.Hour

// memory has the templates that passed a validator, a file each in a folder: its name is the key, its content the checksum
// of key and warnings, and the warnings. Whatever else is there, or cannot be read, is no pass.
type memory struct{ folder, validator string }

// passes reports whether a validator's report leaves a template as it is: at most warnings.
func passes(report *awscdk.PolicyValidationPluginReport) bool {
	return *report.Success && !slices.ContainsFunc(*report.Violations, func(v *awscdk.PolicyViolation) bool {
		return v.Severity == nil || *v.Severity != "warning"
	})
}

// key is the checksum of all that the validator's answer depends on: itself with its rules, the template's bytes, the account
// and region in whose place it takes pseudo parameters, and the stack that it names.
func (m memory) key(stack *awscdk.PolicyValidationStack) (string, error) {
	template, err := os.ReadFile(*stack.TemplatePath)
	if err != nil {
		return "", err
	}
	of, err := json.Marshal([]any{m.validator, stack.AccountId, stack.Region, stack.StackConstructPath, template})
	return sum(of), err
}

// get reports whether the template of the key passed, and returns the warnings about it.
func (m memory) get(key string, stack *awscdk.PolicyValidationStack) ([]*awscdk.PolicyViolation, bool) {
	content, err := os.ReadFile(filepath.Join(m.folder, key))
	if err != nil {
		return nil, false
	}
	checksum, text, _ := bytes.Cut(content, []byte("\n"))
	var warnings []*awscdk.PolicyViolation
	if string(checksum) != sum([]byte(key), text) || json.Unmarshal(text, &warnings) != nil {
		return nil, false
	}
	for _, warning := range warnings {
		for _, resource := range *warning.ViolatingResources {
			resource.TemplatePath = stack.TemplatePath
		}
	}
	return warnings, true
}

// add remembers a pass, and forgets old ones. Where it cannot, the template is validated the next time, too.
func (m memory) add(key string, warnings []*awscdk.PolicyViolation) {
	text, err := json.Marshal(warnings)
	if err != nil || os.MkdirAll(m.folder, 0o700) != nil {
		return
	}
	entries, _ := os.ReadDir(m.folder)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > kept {
			_ = os.Remove(filepath.Join(m.folder, entry.Name()))
		}
	}
	_ = os.WriteFile(filepath.Join(m.folder, key), append([]byte(sum([]byte(key), text)+"\n"), text...), 0o600)
}

// sum is the SHA-256 checksum of some parts, one after the other, in hexadecimal.
func sum(parts ...[]byte) string {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return hex.EncodeToString(sum[:])
}
