// Package service is the cdk8s construct of a service: one declaration becomes a Deployment, a Service and what belongs
// to them, with defaults that hold in production.
//
// There are two ways out of it. NewService makes a cdk8s construct, as any other, with the objects as children: a chart
// can change them, add to them, or patch them. Render prints the same objects without a call into jsii, which is what a
// fleet needs: docs/design/20261120.services.md has the figures. A test holds the two to the same bytes.
package service

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2"

	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/services/imports/externalsecretsio"
	"k8s-plus-aws-gitops/services/imports/k8s"
)

// Props are what a service is made of: what its file says, and where it runs.
type Props struct {
	services.Spec
	// Cluster is the environment.
	Cluster services.Cluster
}

// Service is the construct. Fields of objects that the props do not ask for are nil.
type Service struct {
	// Construct is the scope of the objects; what a hatch adds belongs into it too.
	Construct constructs.Construct

	Deployment     k8s.KubeDeployment
	Service        k8s.KubeService
	ServiceAccount k8s.KubeServiceAccount
	NetworkPolicy  k8s.KubeNetworkPolicy
	Disruption     k8s.KubePodDisruptionBudget
	Autoscaler     k8s.KubeHorizontalPodAutoscalerV2
	Ingress        k8s.KubeIngress
	ExternalSecret externalsecretsio.ExternalSecret
	DatabaseSecret externalsecretsio.ExternalSecret
	CacheSecret    externalsecretsio.ExternalSecret
}

// Hatch changes a service by code, for what its file cannot say.
type Hatch func(s *Service, p Props)

// object is one Kubernetes object before it is printed or made a construct.
type object struct {
	// id is the construct's.
	id, apiVersion, kind string
	// props is a pointer to the generated struct.
	props any
	// make adds the object to a construct tree.
	make func(s *Service, id *string)
}

// NewService adds a service to a construct tree, usually a chart of its own.
func NewService(scope constructs.Construct, id string, p Props) *Service {
	s := &Service{Construct: constructs.NewConstruct(scope, jsii.String(id))}
	for _, o := range p.objects() {
		o.make(s, jsii.String(o.id))
	}
	return s
}

// objects lists what a service consists of, in the order in which a reader looks for it.
func (p Props) objects() []object {
	all := []object{p.serviceAccount(), p.deployment(), p.service(), p.networkPolicy(), p.disruption()}
	if p.Autoscale != nil {
		all = append(all, p.autoscaler())
	}
	if p.Host != "" {
		all = append(all, p.ingress())
	}
	if len(p.Secrets) > 0 {
		all = append(all, p.externalSecret())
	}
	for _, of := range p.Connections() {
		all = append(all, p.connectionSecret(of))
	}
	return all
}

func (p Props) serviceAccount() object {
	props := &k8s.KubeServiceAccountProps{
		Metadata:                     p.metadata(p.Name, nil),
		AutomountServiceAccountToken: no, // a service that asks nothing of the API needs no key to it
	}
	return object{"ServiceAccount", "v1", "ServiceAccount", props, func(s *Service, id *string) {
		s.ServiceAccount = k8s.NewKubeServiceAccount(s.Construct, id, props)
	}}
}

func (p Props) service() object {
	props := &k8s.KubeServiceProps{
		Metadata: p.metadata(p.Name, nil),
		Spec: &k8s.ServiceSpec{
			Ports:    &[]*k8s.ServicePort{{Name: text("http"), Port: number(80), TargetPort: "http"}},
			Selector: p.selector(),
		},
	}
	return object{"Service", "v1", "Service", props, func(s *Service, id *string) {
		s.Service = k8s.NewKubeService(s.Construct, id, props)
	}}
}

// disruption allows one pod to be away: minAvailable would block every drain of a node while there is one replica.
func (p Props) disruption() object {
	props := &k8s.KubePodDisruptionBudgetProps{
		Metadata: p.metadata(p.Name, nil),
		Spec: &k8s.PodDisruptionBudgetSpec{
			MaxUnavailable:             1,
			Selector:                   &k8s.LabelSelector{MatchLabels: p.selector()},
			UnhealthyPodEvictionPolicy: text("AlwaysAllow"),
		},
	}
	return object{"PodDisruptionBudget", "policy/v1", "PodDisruptionBudget", props, func(s *Service, id *string) {
		s.Disruption = k8s.NewKubePodDisruptionBudget(s.Construct, id, props)
	}}
}

func (p Props) autoscaler() object {
	a := p.Autoscale
	props := &k8s.KubeHorizontalPodAutoscalerV2Props{
		Metadata: p.metadata(p.Name, nil),
		Spec: &k8s.HorizontalPodAutoscalerSpecV2{
			MinReplicas:    number(a.Min),
			MaxReplicas:    number(a.Max),
			ScaleTargetRef: &k8s.CrossVersionObjectReferenceV2{ApiVersion: text("apps/v1"), Kind: text("Deployment"), Name: text(p.Name)},
			Metrics: &[]*k8s.MetricSpecV2{{
				Type: text("Resource"),
				Resource: &k8s.ResourceMetricSourceV2{
					Name:   text("cpu"),
					Target: &k8s.MetricTargetV2{Type: text("Utilization"), AverageUtilization: number(or(a.CPU, 70))},
				},
			}},
		},
	}
	return object{"HorizontalPodAutoscaler", "autoscaling/v2", "HorizontalPodAutoscaler", props, func(s *Service, id *string) {
		s.Autoscaler = k8s.NewKubeHorizontalPodAutoscalerV2(s.Construct, id, props)
	}}
}

// ingress puts the service behind the shared load balancer, whose certificate is found by the host name.
func (p Props) ingress() object {
	props := &k8s.KubeIngressProps{
		Metadata: p.metadata(p.Name, map[string]string{
			"alb.ingress.kubernetes.io/group.name":              "public",
			"alb.ingress.kubernetes.io/healthcheck-path":        p.healthPath(),
			"alb.ingress.kubernetes.io/listen-ports":            `[{"HTTP":80},{"HTTPS":443}]`,
			"alb.ingress.kubernetes.io/scheme":                  "internet-facing",
			"alb.ingress.kubernetes.io/ssl-redirect":            "443",
			"alb.ingress.kubernetes.io/success-codes":           "200-399",
			"alb.ingress.kubernetes.io/target-group-attributes": "deregistration_delay.timeout_seconds=30",
			"alb.ingress.kubernetes.io/target-type":             "ip",
		}),
		Spec: &k8s.IngressSpec{
			IngressClassName: text("alb"),
			Rules: &[]*k8s.IngressRule{{
				Host: text(p.Host + "." + p.Cluster.Domain),
				Http: &k8s.HttpIngressRuleValue{Paths: &[]*k8s.HttpIngressPath{{
					Path: text("/"), PathType: text("Prefix"),
					Backend: &k8s.IngressBackend{Service: &k8s.IngressServiceBackend{
						Name: text(p.Name), Port: &k8s.ServiceBackendPort{Name: text("http")},
					}},
				}}},
			}},
		},
	}
	return object{"Ingress", "networking.k8s.io/v1", "Ingress", props, func(s *Service, id *string) {
		s.Ingress = k8s.NewKubeIngress(s.Construct, id, props)
	}}
}

func (p Props) externalSecret() object {
	data := make([]*externalsecretsio.ExternalSecretSpecData, 0, len(p.Secrets))
	for _, name := range sorted(p.Secrets) {
		remote := &externalsecretsio.ExternalSecretSpecDataRemoteRef{Key: text(p.Secrets[name].Path)}
		if key := p.Secrets[name].Key; key != "" {
			remote.Property = text(key)
		}
		data = append(data, &externalsecretsio.ExternalSecretSpecData{SecretKey: text(name), RemoteRef: remote})
	}
	props := &externalsecretsio.ExternalSecretProps{
		Metadata: &cdk8s.ApiObjectMetadata{Name: text(p.secretName()), Namespace: text(p.Name), Labels: p.labels()},
		Spec: &externalsecretsio.ExternalSecretSpec{
			Data:            &data,
			RefreshInterval: text("5m0s"), // as external-secrets writes it back
			SecretStoreRef: &externalsecretsio.ExternalSecretSpecSecretStoreRef{
				Kind: externalsecretsio.ExternalSecretSpecSecretStoreRefKind_CLUSTER_SECRET_STORE, Name: text("aws"),
			},
			Target: &externalsecretsio.ExternalSecretSpecTarget{Name: text(p.secretName())},
		},
	}
	return object{"ExternalSecret", "external-secrets.io/v1", "ExternalSecret", props, func(s *Service, id *string) {
		s.ExternalSecret = externalsecretsio.NewExternalSecret(s.Construct, id, props)
	}}
}
