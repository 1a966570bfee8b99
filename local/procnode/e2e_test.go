//go:build e2e

package procnode

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"k8s-plus-aws-gitops/local/internal/freeport"
)

// cluster is a node of its own, in a process of its own, on the control plane that PROCNODE_KUBECONFIG names.
// PROCNODE_GATE_SOCKET is the socket of its egress selector, if it has one: logs come through it.
type cluster struct {
	t         *testing.T
	client    kubernetes.Interface
	config    Config
	node      *exec.Cmd
	namespace string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	kubeconfig := os.Getenv("PROCNODE_KUBECONFIG")
	if kubeconfig == "" {
		t.Skip("PROCNODE_KUBECONFIG names no control plane")
	}
	rc, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	rc.QPS = -1
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	table := fmt.Sprintf("images:\n- {repository: e2e.test/web, tags: [\"1\"], command: [%q], env: {PROCNODE_TEST_SERVE: \"1\"}}\n", self)
	if err := os.WriteFile(filepath.Join(dir, "images.yaml"), []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, client: kubernetes.NewForConfigOrDie(rc), namespace: fmt.Sprintf("e2e-%d", time.Now().UnixNano())}
	c.config = Config{
		Kubeconfig: kubeconfig, NodeName: c.namespace, ImagesFile: filepath.Join(dir, "images.yaml"), Root: filepath.Join(dir, "pods"),
		Listen: freeport.Address(t), Gate: freeport.Address(t), GateSocket: os.Getenv("PROCNODE_GATE_SOCKET"), PodPrefix: "10.77.",
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}}
	if _, err := c.client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.start()
	t.Cleanup(c.tearDown)
	return c
}

func (c *cluster) start() {
	c.t.Helper()
	conf := c.config
	conf.Log = nil
	b, err := json.Marshal(conf)
	if err != nil {
		c.t.Fatal(err)
	}
	c.node = exec.Command(os.Args[0])
	c.node.Env = append(os.Environ(), "PROCNODE_TEST_NODE="+string(b))
	c.node.Stderr = os.Stderr
	if err := c.node.Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) tearDown() {
	ctx := context.Background()
	_ = c.client.CoreV1().Namespaces().Delete(ctx, c.namespace, metav1.DeleteOptions{})
	c.until("the namespace is empty", func() bool {
		l, err := c.client.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{})
		return err == nil && len(l.Items) == 0
	})
	_ = c.node.Process.Signal(syscall.SIGTERM)
	_ = c.node.Wait()
	_ = c.client.CoreV1().Nodes().Delete(ctx, c.config.NodeName, metav1.DeleteOptions{})
}

func (c *cluster) until(what string, ok func() bool) time.Duration {
	c.t.Helper()
	began := time.Now()
	for time.Since(began) < 2*patience {
		if ok() {
			return time.Since(began)
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatalf("waited in vain until %s", what)
	return 0
}

// deploy makes a Deployment on this node.
func (c *cluster) deploy(name, image string, replicas int32, env ...corev1.EnvVar) {
	c.t.Helper()
	labels := map[string]string{"app": name}
	zero, one := intstr.FromInt32(0), intstr.FromInt32(1)
	grace := int64(10)
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &zero, MaxSurge: &one}},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace, NodeSelector: map[string]string{corev1.LabelHostname: c.config.NodeName},
			Containers: []corev1.Container{{
				Name: "web", Image: image, Env: env, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromString("http")}}},
			}},
		}},
	}}
	if _, err := c.client.AppsV1().Deployments(c.namespace).Create(c.t.Context(), d, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) rolledOut(name string) bool {
	d, err := c.client.AppsV1().Deployments(c.namespace).Get(c.t.Context(), name, metav1.GetOptions{})
	return err == nil && d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == *d.Spec.Replicas &&
		d.Status.Replicas == *d.Spec.Replicas && d.Status.AvailableReplicas == *d.Spec.Replicas
}

func (c *cluster) pods(app string) []corev1.Pod {
	c.t.Helper()
	l, err := c.client.CoreV1().Pods(c.namespace).List(c.t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		c.t.Fatal(err)
	}
	return l.Items
}

// get asks the Service through the gate.
func (c *cluster) get(path string) (string, error) {
	proxy := &url.URL{Scheme: "http", Host: c.config.Gate}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}}
	resp, err := client.Get("http://web." + c.namespace + ".svc.cluster.local" + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", resp.Status, b)
	}
	return string(b), err
}

func (c *cluster) serveWeb() {
	c.t.Helper()
	ctx := c.t.Context()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "web"}, StringData: map[string]string{"password": "travelled"}}
	if _, err := c.client.CoreV1().Secrets(c.namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
	}}
	if _, err := c.client.CoreV1().Services(c.namespace).Create(ctx, svc, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
	from := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "web"}, Key: "password"}}
	c.deploy("web", "e2e.test/web:1", 2, corev1.EnvVar{Name: "VERSION", Value: "one"}, corev1.EnvVar{Name: "PASSWORD", ValueFrom: from})
	c.t.Logf("two pods available after %s", c.until("web is available", func() bool { return c.rolledOut("web") }))
}

func TestDeployment(t *testing.T) {
	c := newCluster(t)
	c.serveWeb()
	if got, err := c.get("/env?name=PASSWORD"); got != "travelled" || err != nil {
		t.Errorf("secret in the environment: %q, %v", got, err)
	}
	name := c.pods("web")[0].Name
	logs, err := c.client.CoreV1().Pods(c.namespace).GetLogs(name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil || !strings.Contains(string(logs), "serving version one") {
		t.Errorf("logs: %q, %v", logs, err)
	}
	t.Run("token", c.testToken)
	t.Run("rolling update", c.testRollingUpdate)
	t.Run("kill", c.testKill)
}

// testToken uses a pod's own kubeconfig.
func (c *cluster) testToken(t *testing.T) {
	pod := c.pods("web")[0]
	rc, err := clientcmd.BuildConfigFromFlags("", filepath.Join(c.config.Root, string(pod.UID), "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	me, err := kubernetes.NewForConfigOrDie(rc).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bound := me.Status.UserInfo.Extra["authentication.kubernetes.io/pod-uid"]
	if want := "system:serviceaccount:" + c.namespace + ":default"; me.Status.UserInfo.Username != want || len(bound) != 1 || bound[0] != string(pod.UID) {
		t.Errorf("%+v, want %s bound to %s", me.Status.UserInfo, want, pod.UID)
	}
}

func (c *cluster) testRollingUpdate(t *testing.T) {
	var good, failed atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if _, err := c.get("/"); err != nil {
				failed.Add(1)
				t.Log(err)
			} else {
				good.Add(1)
			}
		}
	}()
	patch := `{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"VERSION","value":"two"}]}]}}}}`
	if _, err := c.client.AppsV1().Deployments(c.namespace).Patch(ctx, "web", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	took := c.until("web is rolled out", func() bool { return c.rolledOut("web") })
	stop()
	<-done
	t.Logf("%d requests in a rolling update of %s, %d failed", good.Load(), took, failed.Load())
	if got, err := c.get("/"); got != "two" || err != nil || failed.Load() > 0 || good.Load() == 0 {
		t.Errorf("%q, %v, %d failed", got, err, failed.Load())
	}
}

// testKill kills the node: its processes go with it, and the next node runs the same pods under the same addresses.
func (c *cluster) testKill(t *testing.T) {
	before := map[string]string{}
	for _, p := range c.pods("web") {
		before[p.Name] = p.Status.PodIP
	}
	if err := c.node.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.node.Wait()
	for _, ip := range before {
		c.until("no process of "+ip+" outlives the node", func() bool {
			conn, err := net.Dial("tcp", net.JoinHostPort(bindAddress(c.config.PodPrefix, loopbackOf(c.config.PodPrefix), ip), "8080"))
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
	}
	c.start()
	took := c.until("every pod runs again", func() bool {
		for _, p := range c.pods("web") {
			if before[p.Name] != p.Status.PodIP || !ready(p.Status) || p.Status.ContainerStatuses[0].RestartCount != 1 {
				return false
			}
		}
		_, err := c.get("/")
		return err == nil
	})
	t.Logf("serving again %s after a kill", took)
}

func TestThousandSimulatedPods(t *testing.T) {
	c := newCluster(t)
	began := time.Now()
	for i := range 50 {
		c.deploy(fmt.Sprintf("sim-%d", i), "e2e.test/nobody-has-this:1", 20)
	}
	c.until("1000 pods are available", func() bool {
		l, err := c.client.AppsV1().Deployments(c.namespace).List(t.Context(), metav1.ListOptions{})
		n := int32(0)
		for i := range l.Items {
			n += l.Items[i].Status.AvailableReplicas
		}
		return err == nil && n == 1000
	})
	t.Logf("1000 pods available after %s", time.Since(began))
}
