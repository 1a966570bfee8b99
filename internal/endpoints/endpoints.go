// Package endpoints lets the commands work on an environment that does not run in AWS.
//
// The commands reach an environment by the standard configuration of the AWS SDK, of kubectl and of git. Where a plug-in
// gitops-<environment> exists, its command `endpoints` prints the variables that lead there, as one JSON object:
// AWS_ENDPOINT_URL and credentials, KUBECONFIG, GIT_CONFIG_*. So nothing here knows what serves the environment, and a
// person or another program can be led the same way.
package endpoints

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"k8s-plus-aws-gitops/internal/plugin"
)

// Command is what a plug-in answers.
const Command = "endpoints"

var asked struct {
	sync.Mutex
	done map[string]bool
}

// Use sets the environment's variables in this process and in those that it starts. Without a plug-in for it nothing
// changes: the caller's own configuration counts. A plug-in is asked once.
func Use(ctx context.Context, environment string) error {
	asked.Lock()
	defer asked.Unlock()
	if asked.done[environment] {
		return nil
	}
	// A build has the variables and the credentials of its project.
	if path, found := plugin.Find(environment); found && os.Getenv("CODEBUILD_BUILD_ID") == "" {
		if err := ask(ctx, path); err != nil {
			return err
		}
	}
	if asked.done == nil {
		asked.done = map[string]bool{}
	}
	asked.done[environment] = true
	return nil
}

// ask runs the plug-in. What it says on stderr is for people.
func ask(ctx context.Context, path string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, path, Command)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		if words := strings.TrimPrefix(strings.TrimSpace(said.String()), "gitops: "); words != "" {
			return fmt.Errorf("%s", words)
		}
		return fmt.Errorf("%s %s: %w", path, Command, err)
	}
	var variables map[string]string
	if err := json.Unmarshal(out, &variables); err != nil {
		return fmt.Errorf("%s %s must print a JSON object of strings: %w", path, Command, err)
	}
	for name, value := range variables {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("%s %s: variable %q: %w", path, Command, name, err)
		}
	}
	return nil
}
