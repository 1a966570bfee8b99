package delivery

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// The build that runs a pull request's code keeps no cache, has no token and no right on the archive of programs but to read; the
// other, which has the token, runs what is deployed and hears of every end.
func TestRehearsal(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	rehearsal := NewRehearsal(s.stack, "Rehearsal", &RehearsalProps{Env: s.env, Store: s.store})
	NewReview(s.stack, "Review", &ReviewProps{Env: s.env, Store: s.store, Rehearsal: rehearsal})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::CodeBuild::Project", map[string]any{
		"Name": "dev-rehearsal", "Cache": map[string]any{"Type": "NO_CACHE"}, "TimeoutInMinutes": 90,
		"Environment": object(map[string]any{"Image": ubuntuImage, "ComputeType": "BUILD_GENERAL1_MEDIUM", "PrivilegedMode": false}),
	})
	template.Has("AWS::IAM::Role", map[string]any{"Policies": []any{object(map[string]any{"PolicyName": "rehearsal", "PolicyDocument": map[string]any{
		"Version": "2012-10-17", "Statement": []any{
			object(map[string]any{"Sid": "WriteItsLog"}), object(map[string]any{"Sid": "ReadTheSource"}), object(map[string]any{"Sid": "DecryptTheSource"}),
			object(map[string]any{"Sid": "KeepTheResult", "Action": "s3:PutObject", "Resource": joined("/" + rehearsalResults + "*")}),
			object(map[string]any{"Sid": "EncryptTheResult", "Action": "kms:GenerateDataKey"}), object(map[string]any{"Sid": "CloneTheRepository"}),
		},
	}})}})
	template.Has("AWS::CodeBuild::Project", map[string]any{
		"Name": "dev-rehearsed", "SourceVersion": s.env.FluxBranch(), "Source": object(map[string]any{"Type": "GITHUB", "BuildSpec": rehearsedBuildspec}),
		"Environment": object(map[string]any{"ComputeType": "BUILD_GENERAL1_SMALL", "EnvironmentVariables": list(variable("REVIEW_TOKEN_SECRET", "/dev/gitops/review-token"))}),
	})
	template.Has("AWS::Events::Rule", map[string]any{
		"EventPattern": map[string]any{
			"source": []any{"aws.codebuild"}, "detail-type": []any{"CodeBuild Build State Change"},
			"detail": map[string]any{"project-name": []any{"dev-rehearsal"}, "build-status": list("IN_PROGRESS", "FAILED", "FAULT", "STOPPED", "TIMED_OUT")},
		},
		"Targets": []any{object(map[string]any{"InputTransformer": map[string]any{
			"InputPathsMap": map[string]any{"detail-build-id": "$.detail.build-id"},
			"InputTemplate": `{"environmentVariablesOverride":[{"name":"BUILD","type":"PLAINTEXT","value":<detail-build-id>}]}`,
		}})},
	})
	// Side by side: nobody waits for a rehearsal to read the review.
	template.Has("AWS::CodePipeline::Pipeline", map[string]any{"Name": "dev-review", "ExecutionMode": "PARALLEL", "Stages": list(object(map[string]any{
		"Name": "Review", "Actions": []any{object(map[string]any{"Name": "Review", "RunOrder": 1}), object(map[string]any{"Name": "Rehearse", "RunOrder": 1})},
	}))})
}

// The script rehearses what the pipeline names, with the programs that are kept, and without them; in the local system, and for
// the branch itself, it does nothing. Stand-ins for the programs tell how they were called.
func TestRehearsalScript(t *testing.T) {
	for name, c := range map[string]struct {
		url, branch, kept string
		code              int
		calls, says       string
		exit              int
	}{
		"a pull request": {"https://console", "feature", "yes", 0, "git fetch --quiet origin dev:refs/remotes/origin/dev|apt-get|apt-get|aws s3api get-object --bucket b --key rehearsals/p.tar /tmp/programs.tar.zst|tar|make|rehearse --base origin/dev -o json|", "", 0},
		"no programs":    {"https://console", "feature", "", 0, "git|apt-get|apt-get|aws|make|rehearse --base origin/dev -o json|", "No programs are kept yet", 0},
		"it broke":       {"https://console", "feature", "yes", 1, "git|apt-get|apt-get|aws|tar|make|rehearse|", "", 0}, // its result says so
		"no result":      {"https://console", "feature", "yes", 9, "git|apt-get|apt-get|aws|tar|make|rehearse|", "", 1},
		"the branch":     {"https://console", "dev", "yes", 0, "", "Nothing to rehearse: dev itself.", 0},
		"here":           {"file:///log", "feature", "yes", 0, "", "this is the local system", 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil { //nolint:gosec // it is run
					t.Fatal(err)
				}
			}
			for _, program := range []string{"git", "apt-get", "tar", "make"} {
				write("path/"+program, `#!/bin/sh
echo "`+program+` $*" >> "$CALLS"`)
			}
			write("path/aws", `#!/bin/sh
echo "aws $*" >> "$CALLS"; test -n "$KEPT"`)
			write("bin/gitops", `#!/bin/sh
echo "$*" >> "$CALLS"; test "$CODE" = 9 || echo "{}"; exit "$CODE"`)
			for _, script := range []string{"rehearsal.sh", "packages.sh"} {
				content, err := os.ReadFile(filepath.Join("buildspecs", script))
				if err != nil {
					t.Fatal(err)
				}
				write(filepath.Join("infrastructure/delivery/buildspecs", script), string(content))
			}
			calls, result := filepath.Join(dir, "calls"), filepath.Join(dir, "result.json")
			cmd := exec.CommandContext(t.Context(), "bash", "infrastructure/delivery/buildspecs/rehearsal.sh", result)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "path")+":"+os.Getenv("PATH"), "CALLS="+calls, "KEPT="+c.kept, "CODE="+string(rune('0'+c.code)),
				"CODEBUILD_BUILD_URL="+c.url, "REVIEW_BRANCH="+c.branch, "REVIEW_BASE=origin/dev", "PROGRAMS_BUCKET=b", "PROGRAMS_KEY=rehearsals/p.tar")
			out, _ := cmd.CombinedOutput()
			called, _ := os.ReadFile(calls)
			lines := strings.Split(strings.TrimSpace(string(called)), "\n")
			for i, want := range strings.Split(strings.TrimSuffix(c.calls, "|"), "|") {
				if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
					t.Fatalf("calls %q, want %q\n%s", lines, c.calls, out)
				}
			}
			if n := strings.Count(c.calls, "|"); n > 0 && len(lines) != n || n == 0 && len(called) > 0 {
				t.Errorf("calls %q, want %q", lines, c.calls)
			}
			if cmd.ProcessState.ExitCode() != c.exit || !strings.Contains(string(out), c.says) {
				t.Errorf("exit code %d\n%s", cmd.ProcessState.ExitCode(), out)
			}
			if _, err := os.Stat(result); (err == nil) != (len(called) > 0) {
				t.Errorf("a result: %v", err)
			}
		})
	}
}
