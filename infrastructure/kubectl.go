package infrastructure

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/construct"
)

// kubectl makes resources that apply and read Kubernetes objects, through the kubectl provider of a cluster.
type kubectl struct {
	scope   constructs.Construct
	cluster awseksv2.ICluster
}

// after lists constructs.
func after(list ...constructs.IConstruct) []constructs.IConstruct { return list }

// apply applies objects in their order, after the given constructs.
func (k kubectl) apply(id string, dependencies []constructs.IConstruct, objects ...map[string]any) awseksv2.KubernetesManifest {
	list := make([]*map[string]any, len(objects))
	for i := range objects {
		list[i] = &objects[i]
	}
	m := awseksv2.NewKubernetesManifest(k.scope, jsii.String(id), &awseksv2.KubernetesManifestProps{
		Cluster:  k.cluster,
		Manifest: &list,
		// Apply instead of create: a creation that was cut short leaves the object behind, and the next try must not fail on it.
		Overwrite: jsii.Bool(true),
	})
	construct.After(m, dependencies...)
	return m
}

// awaited is an object whose field the bootstrap waits for.
type awaited struct {
	// Type is the resource as kubectl takes it, with its group.
	Type, Namespace, Name string
	// Path is kubectl's JSONPath of the field.
	Path string
}

// wait ends when the field of an object has a value, or fails the stack after the minutes, at most 14: its function ends
// after 15. kubectl's error is all that the failure tells, so whatever can be told better is said by the gate.
func (k kubectl) wait(id string, dependencies []constructs.IConstruct, o awaited, minutes float64) awseksv2.KubernetesObjectValue {
	value := awseksv2.NewKubernetesObjectValue(k.scope, jsii.String(id), &awseksv2.KubernetesObjectValueProps{
		Cluster:         k.cluster,
		ObjectType:      jsii.String(o.Type),
		ObjectName:      jsii.String(o.Name),
		ObjectNamespace: jsii.String(o.Namespace),
		JsonPath:        jsii.String(o.Path),
		Timeout:         awscdk.Duration_Minutes(jsii.Number(minutes)),
	})
	construct.After(value, dependencies...)
	return value
}
