package pipelines

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// unknown ends a sentence about what is not run here.
func unknown(format string, args ...any) string {
	return fmt.Sprintf(format, args...) + ", which the local pipelines do not know"
}

// unsupported names what of the definition is not run here.
func (p *Pipeline) unsupported() string {
	if p.PipelineType != "V2" {
		return unknown("the pipeline is of type %q", p.PipelineType)
	}
	if len(p.Variables) > 0 {
		return unknown("the pipeline has variables of its own")
	}
	made := map[string]bool{}
	for i := range p.Stages {
		s := &p.Stages[i]
		problem := cmp.Or(s.unsupported(), s.OnFailure.unsupported(s, p.ExecutionMode), s.artifacts(made))
		if problem != "" {
			return problem
		}
	}
	return ""
}

func (s *Stage) unsupported() string {
	for _, part := range []struct {
		name  string
		value any
		is    bool
	}{{"OnSuccess", s.OnSuccess, s.OnSuccess != nil}, {"Blockers", s.Blockers, len(s.Blockers) > 0}} {
		if part.is {
			text, _ := json.Marshal(part.value) // it was read from JSON
			return unknown("stage %s has %s %s", s.Name, part.name, text)
		}
	}
	if problem := s.BeforeEntry.unsupported(); problem != "" {
		return fmt.Sprintf("stage %s: %s", s.Name, problem)
	}
	for i := range s.Actions {
		if a := &s.Actions[i]; len(a.Commands)+len(a.OutputVariables)+len(a.EnvironmentVariables) > 0 {
			return unknown("action %s has commands of its own", a.Name)
		}
	}
	return ""
}

// artifactName is CodePipeline's pattern.
var artifactName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)

// maxArtifacts is how many a build may take, of which it needs one, and make.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
const maxArtifacts = 5

// artifacts says which of a stage's artifacts CodePipeline would refuse. It adds
// those that the stage makes to those that were made before it.
func (s *Stage) artifacts(made map[string]bool) string {
	for _, actions := range s.orders() {
		var added []string
		for _, a := range actions {
			if problem := a.artifacts(made); problem != "" {
				return fmt.Sprintf("action %s of stage %s %s", a.Name, s.Name, problem)
			}
			for _, out := range a.OutputArtifacts {
				if slices.Contains(added, out.Name) {
					return fmt.Sprintf("action %s of stage %s makes the artifact %q, as another one does: rename it", a.Name, s.Name, out.Name)
				}
				added = append(added, out.Name)
			}
		}
		for _, name := range added {
			made[name] = true
		}
	}
	return ""
}

// artifacts says what is wrong with those of an action: it takes what an action
// before it made, and no two make the same.
func (a *Action) artifacts(made map[string]bool) string {
	in, out := len(a.InputArtifacts), len(a.OutputArtifacts)
	switch kind := a.ActionTypeID.String(); {
	case kind == sourceType && (in != 0 || out != 1):
		return fmt.Sprintf("must make 1 artifact and take none, got %d and %d", out, in)
	case kind == approvalType && in+out > 0:
		return "must have no artifacts: it is an approval"
	case (kind == buildType || kind == testType) && (in < 1 || in > maxArtifacts || out > maxArtifacts):
		return fmt.Sprintf("must take 1 to %d artifacts and make at most %[1]d, got %d and %d", maxArtifacts, in, out)
	}
	for _, x := range a.InputArtifacts {
		if !made[x.Name] {
			return fmt.Sprintf("takes the artifact %q, which no action before it makes", x.Name)
		}
	}
	for _, x := range a.OutputArtifacts {
		if !artifactName.MatchString(x.Name) {
			return fmt.Sprintf("makes the artifact %q: its name must have letters, digits, - and _ only", x.Name)
		}
		if made[x.Name] {
			return fmt.Sprintf("makes the artifact %q, as an action before it does: rename it", x.Name)
		}
	}
	if primary := a.text("PrimarySource"); (in > 1 || primary != "") && !slices.Contains(a.InputArtifacts, Artifact{primary}) {
		return fmt.Sprintf("must name one of its input artifacts as PrimarySource, got %q", primary)
	}
	return ""
}
