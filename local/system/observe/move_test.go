package observe

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestMove(t *testing.T) {
	renew := func(text string) string { return strings.ReplaceAll(text, "localhost:1", "localhost:2") }
	meta := func(name string, owners ...metav1.OwnerReference) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "n", Name: name, OwnerReferences: owners}
	}
	spec := func(port string) corev1.PodSpec {
		return corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Env: []corev1.EnvVar{{Name: "url", Value: "https://x.localhost:" + port}}}}}
	}
	template := func(port string) corev1.PodTemplateSpec { return corev1.PodTemplateSpec{Spec: spec(port)} }
	yes := true
	deployment := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "d", UID: "u", Controller: &yes}
	d := &appsv1.Deployment{ObjectMeta: meta("d"), Spec: appsv1.DeploymentSpec{Template: template("1")}}
	d.UID = "u"
	external := metav1.OwnerReference{Kind: "ExternalSecret", Name: "s"}
	value := map[string][]byte{"url": []byte("localhost:1"), "other": []byte("x")}
	kube := fake.NewClientset(d,
		&appsv1.Deployment{ObjectMeta: meta("other"), Spec: appsv1.DeploymentSpec{Template: template("3")}},
		&appsv1.ReplicaSet{ObjectMeta: meta("d-1", deployment), Spec: appsv1.ReplicaSetSpec{Template: template("1")}},
		&appsv1.ReplicaSet{ObjectMeta: meta("d-2", deployment), Spec: appsv1.ReplicaSetSpec{Template: template("2")}},
		&appsv1.ReplicaSet{ObjectMeta: meta("foreign"), Spec: appsv1.ReplicaSetSpec{Template: template("1")}},
		&corev1.Pod{ObjectMeta: meta("old"), Spec: spec("1")},
		&corev1.Pod{ObjectMeta: meta("kept"), Spec: spec("3")},
		&corev1.Secret{ObjectMeta: meta("s", external), Data: value},
		&corev1.Secret{ObjectMeta: meta("mine"), Data: value},
	)
	c := &Cluster{Kube: kube}
	if n, err := c.Move(t.Context(), renew); err != nil || n != 3 {
		t.Fatalf("moved %d, %v, want a secret, a Deployment and a pod", n, err)
	}
	got, err := kube.AppsV1().Deployments("n").Get(t.Context(), "d", metav1.GetOptions{})
	if err != nil || got.Spec.Template.Spec.Containers[0].Env[0].Value != "https://x.localhost:2" {
		t.Errorf("the Deployment: %+v, %v", got, err)
	}
	names := func(list []string) string { return strings.Join(list, " ") }
	var sets, pods []string
	allSets, err := kube.AppsV1().ReplicaSets("n").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range allSets.Items {
		sets = append(sets, r.Name)
	}
	allPods, err := kube.CoreV1().Pods("n").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range allPods.Items {
		pods = append(pods, p.Name)
	}
	if names(sets) != "d-2 foreign" || names(pods) != "kept" {
		t.Errorf("left the ReplicaSets %s and the pods %s", names(sets), names(pods))
	}
	for name, want := range map[string]string{"s": "localhost:2", "mine": "localhost:1"} {
		s, err := kube.CoreV1().Secrets("n").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || string(s.Data["url"]) != want || string(s.Data["other"]) != "x" {
			t.Errorf("secret %s: %v, %v", name, s.Data, err)
		}
	}
	if n, err := c.Move(t.Context(), renew); err != nil || n != 0 {
		t.Errorf("again: %d, %v", n, err)
	}
}
