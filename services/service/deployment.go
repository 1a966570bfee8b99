package service

import (
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/services/imports/k8s"
)

// What a pod gets unless its file says otherwise.
const (
	defaultUser         = 1000
	defaultCPU          = "50m"
	defaultMemory       = "128Mi"
	defaultStartSeconds = 60
	probeSeconds        = 5
	// drainSeconds is how long the load balancer may still send requests to a pod that is being stopped.
	drainSeconds = 15
)

func (p Props) deployment() object {
	spec := &k8s.DeploymentSpec{
		ProgressDeadlineSeconds: number(300),
		RevisionHistoryLimit:    number(3),
		Selector:                &k8s.LabelSelector{MatchLabels: p.selector()},
		Strategy: &k8s.DeploymentStrategy{
			Type:          text("RollingUpdate"),
			RollingUpdate: &k8s.RollingUpdateDeployment{MaxSurge: 1, MaxUnavailable: 0},
		},
		Template: &k8s.PodTemplateSpec{Metadata: &k8s.ObjectMeta{Labels: p.labels()}, Spec: p.pod()},
	}
	// With an autoscaler, a number here would be set again at every reconciliation.
	if p.Autoscale == nil {
		spec.Replicas = number(deref(p.Replicas, 1))
	}
	var annotations map[string]string
	if p.Health == nil {
		// Both probes have the port alone to ask for; liveness gives it twice the time.
		annotations = map[string]string{"kube-score/ignore": "pod-probes-identical"}
	}
	props := &k8s.KubeDeploymentProps{Metadata: p.metadata(p.Name, annotations), Spec: spec}
	return object{"Deployment", "apps/v1", "Deployment", props, func(s *Service, id *string) {
		s.Deployment = k8s.NewKubeDeployment(s.Construct, id, props)
	}}
}

func (p Props) pod() *k8s.PodSpec {
	user := number(deref(p.User, defaultUser))
	return &k8s.PodSpec{
		// A node each, where there are enough: the constraint of zones below says nothing of nodes.
		Affinity: &k8s.Affinity{PodAntiAffinity: &k8s.PodAntiAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: &[]*k8s.WeightedPodAffinityTerm{{
				Weight: number(100),
				PodAffinityTerm: &k8s.PodAffinityTerm{
					LabelSelector: &k8s.LabelSelector{MatchLabels: p.selector()}, TopologyKey: text("kubernetes.io/hostname"),
				},
			}},
		}},
		AutomountServiceAccountToken: no,
		InitContainers:               p.migration(),
		Containers:                   &[]*k8s.Container{p.container()},
		// Otherwise each service of the namespace adds seven variables.
		EnableServiceLinks: no,
		SecurityContext: &k8s.PodSecurityContext{
			FsGroup: user, RunAsGroup: user, RunAsUser: user, RunAsNonRoot: yes,
			SeccompProfile: &k8s.SeccompProfile{Type: text("RuntimeDefault")},
		},
		ServiceAccountName: text(p.Name),
		// preStop, and then what is in flight.
		TerminationGracePeriodSeconds: number(drainSeconds + 30),
		TopologySpreadConstraints: &[]*k8s.TopologySpreadConstraint{{
			LabelSelector: &k8s.LabelSelector{MatchLabels: p.selector()}, MaxSkew: number(1),
			TopologyKey: text("topology.kubernetes.io/zone"), WhenUnsatisfiable: text("ScheduleAnyway"),
		}},
		Volumes: p.volumes(),
	}
}

func (p Props) container() *k8s.Container {
	cpu, memory := defaultCPU, defaultMemory
	if p.Resources != nil {
		cpu, memory = or(p.Resources.CPU, cpu), or(p.Resources.Memory, memory)
	}
	start := defaultStartSeconds
	if p.Health != nil {
		start = or(p.Health.StartSeconds, start)
	}
	return &k8s.Container{
		Name:  text(p.Name),
		Image: text(p.Image),
		Env:   p.variables(),
		Ports: &[]*k8s.ContainerPort{{ContainerPort: number(p.Port), Name: text("http")}},
		// Until the load balancer has noticed that the pod goes.
		Lifecycle: &k8s.Lifecycle{PreStop: &k8s.LifecycleHandler{Sleep: &k8s.SleepAction{Seconds: number(drainSeconds)}}},
		// Liveness only asks for the port: a dependency that is away must not restart every pod that waits for it.
		LivenessProbe:  &k8s.Probe{TcpSocket: port(), PeriodSeconds: number(10), FailureThreshold: number(3), TimeoutSeconds: number(probeSeconds)},
		ReadinessProbe: p.probe(3),
		StartupProbe:   p.probe((start + probeSeconds - 1) / probeSeconds),
		Resources: &k8s.ResourceRequirements{
			Requests: texts(map[string]string{"cpu": cpu, "memory": memory}),
			Limits:   texts(map[string]string{"memory": memory}),
		},
		SecurityContext: &k8s.SecurityContext{
			AllowPrivilegeEscalation: no, ReadOnlyRootFilesystem: yes,
			Capabilities: &k8s.Capabilities{Drop: list("ALL")},
		},
		VolumeMounts: p.mounts(),
	}
}

// migration brings the schema to the service's version before the container starts; nil without one. It has what the container has:
// the same account, variables, files and limits.
func (p Props) migration() *[]*k8s.Container {
	m := p.Migrate
	if m == nil {
		return nil
	}
	c := p.container()
	return &[]*k8s.Container{{
		Name: text("migrate"), Image: text(or(m.Image, p.Image)), Command: list(m.Command...), Env: c.Env,
		Resources: c.Resources, SecurityContext: c.SecurityContext, VolumeMounts: c.VolumeMounts,
	}}
}

// volumes are a folder for temporary files, and the certificates of the database. Pods wait until these are there.
func (p Props) volumes() *[]*k8s.Volume {
	all := []*k8s.Volume{{Name: text("tmp"), EmptyDir: &k8s.EmptyDirVolumeSource{SizeLimit: text("64Mi")}}}
	if p.AWS != nil && p.AWS.Database != nil {
		name := text(services.DatabaseCAConfigMap)
		all = append(all, &k8s.Volume{Name: name, ConfigMap: &k8s.ConfigMapVolumeSource{Name: name}})
	}
	return &all
}

func (p Props) mounts() *[]*k8s.VolumeMount {
	all := []*k8s.VolumeMount{{Name: text("tmp"), MountPath: text("/tmp")}}
	if p.AWS != nil && p.AWS.Database != nil {
		all = append(all, &k8s.VolumeMount{Name: text(services.DatabaseCAConfigMap), MountPath: text(services.DatabaseCADir), ReadOnly: yes})
	}
	return &all
}

// probe asks the health path, or for the port where there is none.
func (p Props) probe(failures int) *k8s.Probe {
	probe := &k8s.Probe{FailureThreshold: number(failures), PeriodSeconds: number(probeSeconds), TimeoutSeconds: number(probeSeconds)}
	if p.Health != nil {
		probe.HttpGet = &k8s.HttpGetAction{Path: text(p.Health.Path), Port: "http"}
	} else {
		probe.TcpSocket = port()
	}
	return probe
}

// variables are the plain ones and those of the secrets, by name.
func (p Props) variables() *[]*k8s.EnvVar {
	all := p.connectionVariables()
	for _, name := range sorted(p.Environment) {
		all = append(all, &k8s.EnvVar{Name: text(name), Value: text(p.Environment[name])})
	}
	for _, name := range sorted(p.Secrets) {
		all = append(all, &k8s.EnvVar{Name: text(name), ValueFrom: &k8s.EnvVarSource{
			SecretKeyRef: &k8s.SecretKeySelector{Name: text(p.secretName()), Key: text(name)},
		}})
	}
	if len(all) == 0 {
		return nil
	}
	return &all
}

func port() *k8s.TcpSocketAction { return &k8s.TcpSocketAction{Port: "http"} }

func (p Props) healthPath() string {
	if p.Health != nil {
		return p.Health.Path
	}
	return "/"
}
