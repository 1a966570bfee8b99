// Package hatches changes services by code, for what their files cannot say. A hatch gets the construct after its
// objects were made: it may patch them (AddJsonPatch), add objects to it, or add whole constructs.
//
// A service with a hatch is rendered by cdk8s, which starts Node.js (0.3 s for all of them together); the others are not.
package hatches

import (
	"github.com/aws/jsii-runtime-go"
	"github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2"

	"k8s-plus-aws-gitops/services/imports/k8s"
	"k8s-plus-aws-gitops/services/service"
)

// All hatches, by the name of the service.
var All = map[string]service.Hatch{
	"info": info,
}

// info tells which packages are asked for first on its front page; the list is a file of its pods.
func info(s *service.Service, p service.Props) {
	name := jsii.String(p.Name + "-featured")
	k8s.NewKubeConfigMap(s.Construct, jsii.String("Featured"), &k8s.KubeConfigMapProps{
		Metadata: &k8s.ObjectMeta{Name: name, Namespace: jsii.String(p.Name)},
		Data:     &map[string]*string{"featured.txt": jsii.String("express\nlodash\nreact\n")},
	})
	const pod = "/spec/template/spec"
	s.Deployment.AddJsonPatch(
		cdk8s.JsonPatch_Add(jsii.String(pod+"/volumes/-"), map[string]any{"name": "featured", "configMap": map[string]any{"name": name}}),
		cdk8s.JsonPatch_Add(jsii.String(pod+"/containers/0/volumeMounts/-"), map[string]any{
			"name": "featured", "mountPath": "/etc/nodezoo", "readOnly": true,
		}),
	)
}
