package engine

import (
	"sort"
	"time"
)

// The types of this file are the service's shapes as the query protocol
// encodes them: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Types.html

type stamp time.Time

func (s stamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format("2006-01-02T15:04:05.000Z")), nil
}

func stampOf(t *time.Time) *stamp {
	if t == nil {
		return nil
	}
	s := stamp(*t)
	return &s
}

type tagShape struct{ Key, Value string }

func tagShapes(tags map[string]string) []tagShape {
	out := make([]tagShape, 0, len(tags))
	for _, k := range sortedKeys(tags) {
		out = append(out, tagShape{k, tags[k]})
	}
	return out
}

type parameterShape struct {
	ParameterKey, ParameterValue string
	ResolvedValue                string `xml:",omitempty"`
}

func parameterShapes(m map[string]ParameterValue) []parameterShape {
	out := make([]parameterShape, 0, len(m))
	for _, k := range sortedKeys(m) {
		p := parameterShape{k, m[k].Value, m[k].Resolved}
		if m[k].NoEcho {
			p.ParameterValue, p.ResolvedValue = "****", ""
		}
		out = append(out, p)
	}
	return out
}

type outputShape struct {
	OutputKey, OutputValue string
	Description            string `xml:",omitempty"`
	ExportName             string `xml:",omitempty"`
}

type driftShape struct{ StackDriftStatus string }

type resourceDriftShape struct{ StackResourceDriftStatus string }

type stackShape struct {
	StackID                     string `xml:"StackId"`
	StackName                   string
	Description                 string           `xml:",omitempty"`
	Parameters                  []parameterShape `xml:"Parameters>member"`
	CreationTime                stamp
	LastUpdatedTime             *stamp `xml:",omitempty"`
	DeletionTime                *stamp `xml:",omitempty"`
	StackStatus                 Status
	StackStatusReason           string `xml:",omitempty"`
	DisableRollback             bool
	NotificationARNs            []string      `xml:"NotificationARNs>member"`
	Capabilities                []string      `xml:"Capabilities>member"`
	Outputs                     []outputShape `xml:"Outputs>member"`
	RoleARN                     string        `xml:",omitempty"`
	Tags                        []tagShape    `xml:"Tags>member"`
	EnableTerminationProtection bool
	DriftInformation            driftShape
}

func (st *Stack) shape() stackShape {
	s := stackShape{
		StackID: st.ID, StackName: st.Name, Parameters: parameterShapes(st.Parameters), CreationTime: stamp(st.Created),
		LastUpdatedTime: stampOf(st.Updated), DeletionTime: stampOf(st.Deleted), StackStatus: st.Status, StackStatusReason: st.Reason,
		NotificationARNs: st.Notify, Capabilities: st.Caps, RoleARN: st.RoleARN, Tags: tagShapes(st.Tags),
		EnableTerminationProtection: st.TerminationProtection, DriftInformation: driftShape{"NOT_CHECKED"},
	}
	if st.Template != "" {
		if tree, err := parseTree(st.Template); err == nil {
			s.Description, _ = tree["Description"].(string)
		}
	}
	for _, o := range st.Outputs {
		s.Outputs = append(s.Outputs, outputShape{o.Key, o.Value, o.Description, o.Export})
	}
	return s
}

type eventShape struct {
	StackID              string `xml:"StackId"`
	EventID              string `xml:"EventId"`
	StackName            string
	LogicalResourceID    string `xml:"LogicalResourceId"`
	PhysicalResourceID   string `xml:"PhysicalResourceId"`
	ResourceType         string
	Timestamp            stamp
	ResourceStatus       Status
	ResourceStatusReason string `xml:",omitempty"`
	ClientRequestToken   string `xml:",omitempty"`
}

// eventShapes lists a stack's events, newest first.
func (st *Stack) eventShapes() []eventShape {
	out := make([]eventShape, 0, len(st.Events))
	for i := len(st.Events) - 1; i >= 0; i-- {
		v := st.Events[i]
		out = append(out, eventShape{
			StackID: st.ID, EventID: v.ID, StackName: st.Name, LogicalResourceID: v.LogicalID, PhysicalResourceID: v.PhysicalID,
			ResourceType: v.Type, Timestamp: stamp(v.Time), ResourceStatus: v.Status, ResourceStatusReason: v.Reason, ClientRequestToken: v.Token,
		})
	}
	return out
}

// resourceShape serves DescribeStackResource(s) and ListStackResources, which
// name the time differently.
type resourceShape struct {
	StackID              string `xml:"StackId,omitempty"`
	StackName            string `xml:",omitempty"`
	LogicalResourceID    string `xml:"LogicalResourceId"`
	PhysicalResourceID   string `xml:"PhysicalResourceId,omitempty"`
	ResourceType         string
	Timestamp            stamp
	LastUpdatedTimestamp stamp
	ResourceStatus       Status
	ResourceStatusReason string `xml:",omitempty"`
	DriftInformation     resourceDriftShape
}

func (st *Stack) resourceShapes(only func(*Resource) bool) []resourceShape {
	var out []resourceShape
	for _, r := range values(st.Resources) {
		if !only(r) {
			continue
		}
		out = append(out, resourceShape{
			StackID: st.ID, StackName: st.Name, LogicalResourceID: r.LogicalID, PhysicalResourceID: r.PhysicalID, ResourceType: r.Type,
			Timestamp: stamp(r.Updated), LastUpdatedTimestamp: stamp(r.Updated), ResourceStatus: r.Status, ResourceStatusReason: r.Reason,
			DriftInformation: resourceDriftShape{"NOT_CHECKED"},
		})
	}
	return out
}

type changeSetShape struct {
	ChangeSetName    string
	ChangeSetID      string `xml:"ChangeSetId"`
	StackID          string `xml:"StackId"`
	StackName        string
	Description      string           `xml:",omitempty"`
	Parameters       []parameterShape `xml:"Parameters>member"`
	CreationTime     stamp
	ExecutionStatus  string
	Status           string
	StatusReason     string        `xml:",omitempty"`
	Capabilities     []string      `xml:"Capabilities>member"`
	Tags             []tagShape    `xml:"Tags>member"`
	Changes          []changeShape `xml:"Changes>member"`
	OnStackFailure   string        `xml:",omitempty"`
	IncludeNestedSet bool          `xml:"IncludeNestedStacks"`
}

type changeShape struct {
	Type           string
	ResourceChange resourceChangeShape
}

type resourceChangeShape struct {
	PolicyAction       string `xml:",omitempty"`
	Action             string
	LogicalResourceID  string `xml:"LogicalResourceId"`
	PhysicalResourceID string `xml:"PhysicalResourceId,omitempty"`
	ResourceType       string
	Replacement        string        `xml:",omitempty"`
	Scope              []string      `xml:"Scope>member"`
	Details            []detailShape `xml:"Details>member"`
	BeforeContext      string        `xml:",omitempty"`
	AfterContext       string        `xml:",omitempty"`
}

type detailShape struct {
	Target       targetShape
	Evaluation   string
	ChangeSource string `xml:",omitempty"`
}

type targetShape struct {
	Attribute           string
	Name                string `xml:",omitempty"`
	RequiresRecreation  string `xml:",omitempty"`
	Path                string `xml:",omitempty"`
	BeforeValue         string `xml:",omitempty"`
	AfterValue          string `xml:",omitempty"`
	AttributeChangeType string `xml:",omitempty"`
}

func (c Change) shape(withValues bool) changeShape {
	out := resourceChangeShape{
		PolicyAction: c.Policy, Action: c.Action, LogicalResourceID: c.LogicalID, PhysicalResourceID: c.PhysicalID,
		ResourceType: c.Type, Replacement: c.Replacement, Scope: c.Scope,
	}
	if withValues {
		out.BeforeContext, out.AfterContext = c.Before, c.After
	}
	for _, d := range c.Details {
		t := targetShape{Attribute: d.Attribute, Name: d.Name, RequiresRecreation: d.Recreation}
		if withValues {
			t.BeforeValue, t.AfterValue, t.AttributeChangeType = d.Before, d.After, d.Kind
			t.Path = "/" + d.Attribute
			if d.Name != "" {
				t.Path += "/" + d.Name
			}
		}
		out.Details = append(out.Details, detailShape{t, d.Evaluation, d.Source})
	}
	return changeShape{"Resource", out}
}

func (cs *ChangeSet) shape(st *Stack, withValues bool) changeSetShape {
	s := changeSetShape{
		ChangeSetName: cs.Name, ChangeSetID: cs.ID, StackID: st.ID, StackName: st.Name, Description: cs.Description,
		Parameters: parameterShapes(cs.Parameters), CreationTime: stamp(cs.Created), ExecutionStatus: cs.Execution,
		Status: cs.Status, StatusReason: cs.Reason, Capabilities: cs.Caps, Tags: tagShapes(cs.Tags), OnStackFailure: cs.OnFailure,
	}
	for _, c := range cs.Changes {
		s.Changes = append(s.Changes, c.shape(withValues))
	}
	return s
}

// changeSets lists a stack's change sets, oldest first.
func (st *Stack) changeSets() []*ChangeSet {
	out := make([]*ChangeSet, 0, len(st.ChangeSets))
	for _, cs := range st.ChangeSets {
		out = append(out, cs)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Created.Before(out[j].Created) })
	return out
}
