package pipelines

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

// Pipeline is an AWS::CodePipeline::Pipeline as its stack was deployed.
type Pipeline struct {
	Name                     string
	PipelineType             string
	ExecutionMode            string
	RestartExecutionOnUpdate bool
	Stages                   []Stage
	Triggers                 []Trigger
	Variables                []any
	// Digest identifies the definition.
	Digest string `json:"-"`
}

// Stage is a stage: its actions run by RunOrder, those of one number at once.
type Stage struct {
	Name        string
	Actions     []Action
	BeforeEntry *EntryConditions
	OnFailure   *OnFailure
	// Not run here: a stage that has them is refused.
	Blockers  []any
	OnSuccess any
}

// Action is an action of a stage.
type Action struct {
	Name, Namespace  string
	RunOrder         int
	ActionTypeID     ActionType `json:"ActionTypeId"`
	Configuration    map[string]any
	InputArtifacts   []Artifact
	OutputArtifacts  []Artifact
	TimeoutInMinutes int
	// Not run here: an action that has them is refused.
	Commands, OutputVariables []string
	EnvironmentVariables      []any
}

// Artifact is what an action hands on to later ones.
type Artifact struct{ Name string }

// ActionType names what runs an action or a rule.
type ActionType struct{ Category, Owner, Provider, Version string }

// String is the type as the documentation writes it.
func (t ActionType) String() string { return t.Category + "/" + t.Owner + "/" + t.Provider }

// text is a value of the configuration.
func (a *Action) text(key string) string { return textOf(a.Configuration, key) }

func textOf(configuration map[string]any, key string) string {
	if v, ok := configuration[key]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// detectsChanges is the source's own trigger, on unless it says otherwise.
func (a *Action) detectsChanges() bool { return !strings.EqualFold(a.text("DetectChanges"), "false") }

// The types of actions that are run here.
const (
	sourceType   = "Source/AWS/CodeStarSourceConnection"
	approvalType = "Approval/AWS/Manual"
	buildType    = "Build/AWS/CodeBuild"
	testType     = "Test/AWS/CodeBuild"
)

// source is the action that reads the repository.
func (p *Pipeline) source() *Action {
	for _, s := range p.Stages {
		for i := range s.Actions {
			if s.Actions[i].ActionTypeID.String() == sourceType {
				return &s.Actions[i]
			}
		}
	}
	return nil
}

// Project is an AWS::CodeBuild::Project.
type Project struct {
	Name             string
	TimeoutInMinutes int
	Source           struct{ Type, BuildSpec string }
	SourceVersion    string // the branch of a source that is the project's own
	ServiceRole      any    // a reference, resolved by the stack
	Environment      struct {
		Image                string
		EnvironmentVariables []Variable
	}
}

// Variable is a variable of a project or of an action.
type Variable struct{ Name, Type, Value string }

// Definitions are the pipelines, projects and rules of stacks.
type Definitions struct {
	Pipelines map[string]*Pipeline
	Projects  map[string]*Project
	Rules     map[string]*EventRule
	// Busy is set while a stack is updated, which may be rolled back.
	Busy bool
}

// deploys tells whether a pipeline deploys the branch.
func (d *Definitions) deploys(branch string) bool {
	for _, p := range d.Pipelines {
		if s := p.source(); s != nil && s.text("BranchName") == branch {
			return true
		}
	}
	return false
}

// Load reads the definitions from the deployed templates of the stacks whose
// names end in a suffix: an environment has one, and an account can hold several
// environments. The template is what CodePipeline was told, which its own API
// does not return in full.
func Load(ctx context.Context, c aws.Config, suffix string) (*Definitions, error) {
	client := cloudformation.NewFromConfig(c)
	all := &Definitions{Pipelines: map[string]*Pipeline{}, Projects: map[string]*Project{}, Rules: map[string]*EventRule{}}
	stacks := cloudformation.NewDescribeStacksPaginator(client, &cloudformation.DescribeStacksInput{})
	for stacks.HasMorePages() {
		page, err := stacks.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("stacks: %w", err)
		}
		for _, s := range page.Stacks {
			name := aws.ToString(s.StackName)
			if !strings.HasSuffix(name, suffix) {
				continue
			}
			all.Busy = all.Busy || strings.HasSuffix(string(s.StackStatus), "_IN_PROGRESS") && s.StackStatus != types.StackStatusReviewInProgress
			if !whole(s.StackStatus) {
				continue
			}
			d, err := loadStack(ctx, client, c.Region, name)
			if err != nil {
				return nil, err
			}
			maps.Copy(all.Pipelines, d.Pipelines)
			maps.Copy(all.Projects, d.Projects)
			maps.Copy(all.Rules, d.Rules)
		}
	}
	return all, nil
}

// whole tells whether a stack of this status has everything that its template
// names: it was created once, and is not being deleted.
func whole(status types.StackStatus) bool {
	switch status {
	case types.StackStatusCreateInProgress, types.StackStatusCreateFailed, types.StackStatusReviewInProgress,
		types.StackStatusRollbackInProgress, types.StackStatusRollbackFailed, types.StackStatusRollbackComplete,
		types.StackStatusDeleteInProgress, types.StackStatusDeleteFailed, types.StackStatusDeleteComplete:
		return false
	}
	return true
}

// loadStack reads one stack; one that was deleted meanwhile has no pipelines.
func loadStack(ctx context.Context, client *cloudformation.Client, region, stack string) (*Definitions, error) {
	out, err := client.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &stack})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "ValidationError" {
		return &Definitions{}, nil // CloudFormation's answer for a stack that does not exist
	}
	if err != nil {
		return nil, fmt.Errorf("template of %s: %w", stack, err)
	}
	ids := map[string]string{"AWS::Region": region, "AWS::Partition": "aws", "AWS::StackName": stack, "AWS::URLSuffix": "amazonaws.com"}
	pages := cloudformation.NewListStackResourcesPaginator(client, &cloudformation.ListStackResourcesInput{StackName: &stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("resources of %s: %w", stack, err)
		}
		for _, r := range page.StackResourceSummaries {
			ids[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
		}
	}
	d, err := parse([]byte(aws.ToString(out.TemplateBody)), ids)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", stack, err)
	}
	return d, nil
}

// parse finds the pipelines, projects and rules of a template; ids are what Ref
// gives.
func parse(template []byte, ids map[string]string) (*Definitions, error) {
	var t struct {
		Resources map[string]struct {
			Type       string
			Properties map[string]any
		}
	}
	if err := json.Unmarshal(template, &t); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	d := &Definitions{Pipelines: map[string]*Pipeline{}, Projects: map[string]*Project{}, Rules: map[string]*EventRule{}}
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		r := t.Resources[id]
		var err error
		switch r.Type {
		case "AWS::CodePipeline::Pipeline":
			p := &Pipeline{}
			if p.Digest, err = resolved(r.Properties, ids, p); p.Name == "" {
				p.Name = ids[id]
			}
			d.Pipelines[p.Name] = p
		case "AWS::CodeBuild::Project":
			p := &Project{}
			delete(r.Properties, "VpcConfig") // no build runs in a VPC here, and what it refers to is of other stacks
			if _, err = resolved(r.Properties, ids, p); p.Name == "" {
				p.Name = ids[id]
			}
			d.Projects[p.Name] = p
		case "AWS::Events::Rule":
			p := &EventRule{}
			if _, err = resolved(r.Properties, ids, p); p.Name == "" {
				p.Name = ids[id]
			}
			p.named(ids)
			d.Rules[p.Name] = p
		}
		if err != nil {
			return nil, fmt.Errorf("%s (%s): %w", id, r.Type, err)
		}
	}
	return d, nil
}

// resolved writes properties, their functions replaced, into a struct and
// returns a digest of them.
func resolved(properties map[string]any, ids map[string]string, into any) (string, error) {
	value, err := evaluate(properties, ids)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8]), json.Unmarshal(raw, into)
}

// evaluate replaces Ref and Fn::Join. Fn::GetAtt becomes a name: nothing that a
// pipeline runs depends on an ARN of its stack.
func evaluate(value any, ids map[string]string) (any, error) {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			x, err := evaluate(v[i], ids)
			if err != nil {
				return nil, err
			}
			out[i] = x
		}
		return out, nil
	case map[string]any:
		if len(v) == 1 {
			for key, argument := range v {
				if key == "Ref" || strings.HasPrefix(key, "Fn::") {
					return function(key, argument, ids)
				}
			}
		}
		out := make(map[string]any, len(v))
		for key := range v {
			x, err := evaluate(v[key], ids)
			if err != nil {
				return nil, err
			}
			out[key] = x
		}
		return out, nil
	}
	return value, nil
}

func function(name string, argument any, ids map[string]string) (any, error) {
	argument, err := evaluate(argument, ids)
	if err != nil {
		return nil, err
	}
	list, _ := argument.([]any)
	switch {
	case name == "Ref":
		id, ok := ids[fmt.Sprint(argument)]
		if !ok {
			return nil, fmt.Errorf("function Ref: %v names nothing that was deployed", argument)
		}
		return id, nil
	case name == "Fn::GetAtt" && len(list) == 2:
		return fmt.Sprintf("%v.%v", list...), nil
	case name == "Fn::Join" && len(list) == 2:
		parts, _ := list[1].([]any)
		texts := make([]string, len(parts))
		for i, p := range parts {
			texts[i] = fmt.Sprint(p)
		}
		return strings.Join(texts, fmt.Sprint(list[0])), nil
	}
	return nil, fmt.Errorf("%s is not evaluated here; the local pipelines know Ref, Fn::GetAtt and Fn::Join", name)
}
