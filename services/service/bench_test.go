package service

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kyaml "sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/services"
)

// fleet is n services of the shape of the examples, with six objects each.
func fleet(n int) []Props {
	all := make([]Props, n)
	for i := range all {
		name := fmt.Sprintf("service-%04d", i)
		all[i] = Props{Cluster: cluster, Spec: services.Spec{Name: name, Settings: services.Settings{
			Image: "ghcr.io/nodezoo/" + name + ":1.0.0", Port: 8080, Health: &services.Health{Path: "/healthz"},
			Autoscale: &services.Autoscale{Min: 1, Max: 3}, Environment: map[string]string{"NODE_ENV": "production", "LEVEL": "info"},
			Calls: []string{"npm", "github"},
		}}}
	}
	return all
}

// BenchmarkRender is the product's way. Each size is compared with BenchmarkPlain of the same size.
func BenchmarkRender(b *testing.B) {
	sizes(b, func(all []Props) error {
		for _, p := range all {
			if _, err := Render(p, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkPlain is the peer: the same objects as structs of k8s.io/api, printed with sigs.k8s.io/yaml.
func BenchmarkPlain(b *testing.B) {
	structs := map[string][]runtime.Object{}
	for _, p := range fleet(1000) {
		structs[p.Name] = kubernetes(b, p)
	}
	sizes(b, func(all []Props) error {
		for _, p := range all {
			var out bytes.Buffer
			for _, o := range structs[p.Name] {
				document, err := kyaml.Marshal(o)
				if err != nil {
					return err
				}
				out.Write(document)
				out.WriteString("---\n")
			}
		}
		return nil
	})
}

// BenchmarkCDK8s is cdk8s as its documentation has it: typed constructs, one chart for each service, YAML made by cdk8s.
func BenchmarkCDK8s(b *testing.B) {
	sizes(b, func(all []Props) error {
		app := cdk8s.NewApp(nil)
		for _, p := range all {
			NewService(cdk8s.NewChart(app, jsii.String(p.Name), nil), "service", p)
		}
		app.SynthYaml()
		return nil
	})
}

// BenchmarkBatched hands cdk8s one object for each service, with everything else as a patch: one large call instead of
// six small ones.
func BenchmarkBatched(b *testing.B) {
	sizes(b, func(all []Props) error {
		app := cdk8s.NewApp(nil)
		chart := cdk8s.NewChart(app, jsii.String("fleet"), nil)
		for _, p := range all {
			list := cdk8s.NewApiObject(chart, jsii.String(p.Name), &cdk8s.ApiObjectProps{ApiVersion: jsii.String("v1"), Kind: jsii.String("List")})
			items := []any{}
			for _, o := range p.objects() {
				items = append(items, o.props)
			}
			list.AddJsonPatch(cdk8s.JsonPatch_Add(jsii.String("/items"), items))
		}
		app.SynthYaml()
		return nil
	})
}

func sizes(b *testing.B, render func([]Props) error) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := fleet(n)
			for b.Loop() {
				if err := render(all); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// kubernetes converts the product's output into typed structs, outside the measurement.
func kubernetes(b *testing.B, p Props) []runtime.Object {
	b.Helper()
	rendered, err := Render(p, nil)
	if err != nil {
		b.Fatal(err)
	}
	kinds := []runtime.Object{
		&corev1.ServiceAccount{}, &appsv1.Deployment{}, &corev1.Service{}, &networkingv1.NetworkPolicy{},
		&policyv1.PodDisruptionBudget{}, &autoscalingv2.HorizontalPodAutoscaler{},
	}
	for i, document := range bytes.Split(rendered, []byte("\n---\n")) {
		if err := kyaml.Unmarshal(document, kinds[i]); err != nil {
			b.Fatal(err)
		}
	}
	return kinds
}
