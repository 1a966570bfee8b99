package procnode

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
)

// testNode is a provider without virtual-kubelet and API server: what it reports lands in a fake client.
type testNode struct {
	*provider
	t       *testing.T
	client  *fake.Clientset
	cache   cache.Indexer
	secrets cache.Indexer
}

func newTestNode(t *testing.T) *testNode {
	t.Helper()
	n := &testNode{t: t, client: fake.NewClientset(), cache: indexer(t), secrets: indexer(t)}
	log := slog.New(slog.DiscardHandler)
	table := &images{log: log, table: Table{Images: []Image{{Repository: "a.example/sh", Tags: []string{"1"}, Command: []string{"/bin/sh", "-c"}}}}}
	n.provider = &provider{
		cfg: Config{Root: t.TempDir(), PodPrefix: "10.10.", Gate: "127.0.0.1:1"}, log: log, client: n.client, images: table,
		sources: sources{secrets: corelisters.NewSecretLister(n.secrets), configMaps: corelisters.NewConfigMapLister(indexer(t))},
		events:  &record.FakeRecorder{}, lister: corelisters.NewPodLister(n.cache), reports: newReportQueue(),
		addresses: newAddresses("10.10."), loopback: "127.10.", pods: map[string]*pod{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.reportWorkers(ctx, 1)
	t.Cleanup(func() { n.stopAll(0); n.reports.ShutDown(); cancel() })
	return n
}

var podCount int

// create makes a pod of the given specification.
func (n *testNode) create(spec corev1.PodSpec, before corev1.PodStatus) *corev1.Pod {
	n.t.Helper()
	podCount++
	uid := fmt.Sprintf("00000000-0000-0000-0000-%012d", podCount)
	o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod", UID: types.UID(uid)}, Spec: spec, Status: before}
	if _, err := n.client.CoreV1().Pods("ns").Create(n.t.Context(), o, metav1.CreateOptions{}); err != nil {
		n.t.Fatal(err)
	}
	if err := n.cache.Add(o); err != nil {
		n.t.Fatal(err)
	}
	if err := n.CreatePod(n.t.Context(), o); err != nil {
		n.t.Fatal(err)
	}
	return o
}

// patience is for a machine on which much else runs.
const patience = 3 * time.Minute

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in %s: %s", patience, what)
		}
	}
}

// asked makes an exec probe. Its time limit is far above a probe's usual second, so that none fails because the machine is busy.
func asked(script string) *corev1.Probe {
	return &corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 120, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", script}}}}
}

// wait polls the API's status until it is as wanted.
func (n *testNode) wait(what string, ok func(s corev1.PodStatus) bool) corev1.PodStatus {
	n.t.Helper()
	var last corev1.PodStatus
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(25 * time.Millisecond) {
		if o, err := n.client.CoreV1().Pods("ns").Get(n.t.Context(), "pod", metav1.GetOptions{}); err == nil {
			if last = o.Status; ok(last) {
				return last
			}
		}
	}
	n.t.Fatalf("waited for %s in vain: %+v", what, last)
	return last
}

func sh(name, script string) corev1.Container {
	return corev1.Container{Name: name, Image: "a.example/sh:1", Args: []string{script}}
}

func ready(s corev1.PodStatus) bool {
	c := conditionOf(s.Conditions, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

func waitingReason(s corev1.PodStatus) string {
	if len(s.ContainerStatuses) > 0 && s.ContainerStatuses[0].State.Waiting != nil {
		return s.ContainerStatuses[0].State.Waiting.Reason
	}
	return ""
}

func TestOutcome(t *testing.T) {
	for name, tt := range map[string]struct {
		policy       corev1.RestartPolicy
		init, script string
		phase        corev1.PodPhase
		restarts     int32
	}{
		"completes":                   {corev1.RestartPolicyNever, "", "exit 0", corev1.PodSucceeded, 0},
		"fails":                       {corev1.RestartPolicyNever, "", "exit 3", corev1.PodFailed, 0},
		"on failure, good":            {corev1.RestartPolicyOnFailure, "", "exit 0", corev1.PodSucceeded, 0},
		"on failure, once bad":        {corev1.RestartPolicyOnFailure, "", "test -e $HOME/x || { touch $HOME/x; exit 1; }", corev1.PodSucceeded, 1},
		"init fails":                  {corev1.RestartPolicyNever, "exit 1", "exit 0", corev1.PodFailed, 0},
		"init is tried again":         {corev1.RestartPolicyOnFailure, "test -e $HOME/x || { touch $HOME/x; exit 1; }", "exit 0", corev1.PodSucceeded, 0},
		"init runs before":            {corev1.RestartPolicyNever, "echo 1 > $HOME/x", "grep 1 $HOME/x", corev1.PodSucceeded, 0},
		"killed by its own signal":    {corev1.RestartPolicyNever, "", "kill -9 $$$$", corev1.PodFailed, 0},
		"leaves a background process": {corev1.RestartPolicyNever, "", "sleep 60 & exit 0", corev1.PodSucceeded, 0},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTestNode(t)
			spec := corev1.PodSpec{RestartPolicy: tt.policy, Containers: []corev1.Container{sh("a", tt.script)}}
			if tt.init != "" {
				spec.InitContainers = []corev1.Container{sh("i", tt.init)}
			}
			n.create(spec, corev1.PodStatus{})
			s := n.wait("an end", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodSucceeded || s.Phase == corev1.PodFailed })
			if s.Phase != tt.phase || s.ContainerStatuses[0].RestartCount != tt.restarts {
				t.Errorf("phase %s after %d restarts, want %s after %d", s.Phase, s.ContainerStatuses[0].RestartCount, tt.phase, tt.restarts)
			}
			if strings.HasPrefix(name, "killed") && s.ContainerStatuses[0].State.Terminated.ExitCode != 137 {
				t.Errorf("%+v", s.ContainerStatuses[0].State.Terminated)
			}
		})
	}
}

func TestCrashLoop(t *testing.T) {
	n := newTestNode(t)
	o := n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{sh("a", "echo run; exit 7")}}, corev1.PodStatus{})
	s := n.wait("CrashLoopBackOff", func(s corev1.PodStatus) bool { return waitingReason(s) == "CrashLoopBackOff" })
	c := s.ContainerStatuses[0]
	// 1 at the first sight of it; a busy machine may miss that.
	if s.Phase != corev1.PodRunning || c.RestartCount < 1 || c.LastTerminationState.Terminated.ExitCode != 7 || ready(s) {
		t.Errorf("%+v", s)
	}
	for i := c.RestartCount - 1; i <= c.RestartCount; i++ { // this run and the one before it
		if _, err := os.Stat(logPath(filepath.Join(n.cfg.Root, string(o.UID)), "a", i)); err != nil {
			t.Error(err)
		}
	}
}

func TestSimulated(t *testing.T) {
	n := newTestNode(t)
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, InitContainers: []corev1.Container{{Name: "i", Image: "none"}}, Containers: []corev1.Container{{Name: "a", Image: "none"}}}, corev1.PodStatus{})
	n.wait("Ready", ready)
	n = newTestNode(t)
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyOnFailure, Containers: []corev1.Container{{Name: "a", Image: "none"}}}, corev1.PodStatus{})
	n.wait("Succeeded", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodSucceeded })
}

func TestWhatIsMissingShows(t *testing.T) {
	n := newTestNode(t)
	bad := sh("a", "exit 0")
	bad.Image = "a.example/sh:2"
	n.create(corev1.PodSpec{Containers: []corev1.Container{bad}}, corev1.PodStatus{})
	n.wait("ErrImagePull", func(s corev1.PodStatus) bool { return waitingReason(s) == "ErrImagePull" })
	n.wait("ImagePullBackOff", func(s corev1.PodStatus) bool { return waitingReason(s) == "ImagePullBackOff" })

	n = newTestNode(t)
	c := sh("a", `test "$P" = later`)
	c.Env = []corev1.EnvVar{{Name: "P", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "p"}}}}
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{c}}, corev1.PodStatus{})
	n.wait("CreateContainerConfigError", func(s corev1.PodStatus) bool { return waitingReason(s) == "CreateContainerConfigError" })
	if err := n.secrets.Add(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}, Data: map[string][]byte{"p": []byte("later")}}); err != nil {
		t.Fatal(err)
	}
	n.wait("Succeeded", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodSucceeded })
}

func TestProbesAndTermination(t *testing.T) {
	n := newTestNode(t)
	c := sh("a", `trap 'echo term >> $HOME/order; exit 0' TERM; while :; do sleep 0.05; done`)
	c.ReadinessProbe, c.StartupProbe = asked("test -e $HOME/ready"), asked("test -e $HOME/started")
	c.StartupProbe.FailureThreshold = 300
	c.LivenessProbe = asked("! rm $HOME/dead") // fails once for each time that the file is made
	c.LivenessProbe.FailureThreshold = 1
	c.Lifecycle = &corev1.Lifecycle{
		PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "echo post >> $HOME/order"}}},
		PreStop:   &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "echo pre >> $HOME/order; cp $HOME/order " + filepath.Join(n.cfg.Root, "kept")}}},
	}
	o := n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{c}}, corev1.PodStatus{})
	home := filepath.Join(n.cfg.Root, string(o.UID), "home")
	touch := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(home, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := n.wait("Running", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodRunning })
	if *s.ContainerStatuses[0].Started || ready(s) {
		t.Error("started or ready before the startup probe succeeded")
	}
	touch("ready")
	touch("started")
	n.wait("Ready", ready)
	touch("dead")
	n.wait("a restart", func(s corev1.PodStatus) bool { return s.ContainerStatuses[0].RestartCount == 1 })
	n.wait("Ready again", ready)
	grace := int64(2 * patience / time.Second) // the process ends by itself long before
	o.DeletionGracePeriodSeconds = &grace
	if err := n.DeletePod(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod is removed without a SIGKILL", func() bool { return n.get("ns", "pod") == nil })
	if b, err := os.ReadFile(filepath.Join(n.cfg.Root, "kept")); err != nil || string(b) != "post\npre\nterm\npost\npre\n" {
		t.Errorf("order of hooks and signals: %q, %v", b, err)
	}
	n.gone(string(o.UID))
}

// gone waits until neither the API object nor the directory is left.
func (n *testNode) gone(uid string) {
	n.t.Helper()
	eventually(n.t, "the pod's object and directory are gone", func() bool {
		_, errAPI := n.client.CoreV1().Pods("ns").Get(n.t.Context(), "pod", metav1.GetOptions{})
		_, errDir := os.Stat(filepath.Join(n.cfg.Root, uid))
		return apierrors.IsNotFound(errAPI) && os.IsNotExist(errDir)
	})
}

func TestGraceEndsInKill(t *testing.T) {
	n := newTestNode(t)
	deaf := sh("a", `trap '' TERM; touch $HOME/deaf; while :; do sleep 0.1; done`)
	deaf.ReadinessProbe = asked("test -e $HOME/deaf") // the shell has reached its trap
	o := n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{deaf}}, corev1.PodStatus{})
	n.wait("Ready", ready)
	grace := int64(1)
	o.DeletionGracePeriodSeconds = &grace
	began := time.Now()
	if err := n.DeletePod(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod is removed", func() bool { return n.get("ns", "pod") == nil })
	if d := time.Since(began); d < time.Second {
		t.Errorf("removal took %s with a grace of 1 s", d)
	}
}

func TestSidecar(t *testing.T) {
	n := newTestNode(t)
	always := corev1.ContainerRestartPolicyAlways
	side := sh("side", `trap 'exit 0' TERM; echo up > $HOME/side; while :; do sleep 0.05; done`)
	side.RestartPolicy = &always
	side.StartupProbe = asked("test -e $HOME/side")
	side.StartupProbe.FailureThreshold = 300
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, InitContainers: []corev1.Container{side}, Containers: []corev1.Container{sh("a", "grep up $HOME/side")}}, corev1.PodStatus{})
	s := n.wait("an end of both", func(s corev1.PodStatus) bool {
		return s.Phase == corev1.PodSucceeded && s.InitContainerStatuses[0].State.Terminated != nil
	})
	if s.InitContainerStatuses[0].State.Terminated.ExitCode != 0 {
		t.Errorf("%+v", s.InitContainerStatuses[0].State)
	}
}

func TestForeignConditionsAndGates(t *testing.T) {
	n := newTestNode(t)
	gate := corev1.PodConditionType("target-health.elbv2.k8s.aws/x")
	o := n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, ReadinessGates: []corev1.PodReadinessGate{{ConditionType: gate}}, Containers: []corev1.Container{{Name: "a", Image: "none"}}}, corev1.PodStatus{
		Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}},
	})
	s := n.wait("ContainersReady", func(s corev1.PodStatus) bool {
		c := conditionOf(s.Conditions, corev1.ContainersReady)
		return c != nil && c.Status == corev1.ConditionTrue
	})
	if r := conditionOf(s.Conditions, corev1.PodReady); r.Status != corev1.ConditionFalse || r.Reason != "ReadinessGatesNotReady" {
		t.Errorf("%+v", r)
	}
	cur, err := n.client.CoreV1().Pods("ns").Get(t.Context(), "pod", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cur = cur.DeepCopy()
	cur.Status.Conditions = append(cur.Status.Conditions, corev1.PodCondition{Type: gate, Status: corev1.ConditionTrue})
	if _, err := n.client.CoreV1().Pods("ns").UpdateStatus(t.Context(), cur, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := n.cache.Update(cur); err != nil {
		t.Fatal(err)
	}
	n.watch().OnUpdate(o, cur)
	s = n.wait("Ready", ready)
	for _, want := range []corev1.PodConditionType{gate, corev1.PodScheduled} {
		if conditionOf(s.Conditions, want) == nil {
			t.Errorf("condition %s is lost", want)
		}
	}
}

func TestContinuesAfterARestartOfTheNode(t *testing.T) {
	before := func(state corev1.ContainerState) corev1.PodStatus {
		return corev1.PodStatus{PodIP: "10.10.4.5", ContainerStatuses: []corev1.ContainerStatus{{Name: "a", ContainerID: "process://x/a/2", RestartCount: 2, State: state}}}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	loop := []corev1.Container{sh("a", "while :; do sleep 0.1; done")}

	n := newTestNode(t)
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: loop}, before(running))
	s := n.wait("Ready", ready)
	c := s.ContainerStatuses[0]
	if s.PodIP != "10.10.4.5" || c.RestartCount != 3 || c.LastTerminationState.Terminated == nil || c.LastTerminationState.Terminated.ExitCode != 137 {
		t.Errorf("%s %+v", s.PodIP, c)
	}

	n = newTestNode(t)
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: loop}, before(running))
	n.wait("Failed, because a run was lost that must not be repeated", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodFailed })

	n = newTestNode(t)
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{{Name: "a", Image: "none"}}}, before(running))
	if s = n.wait("Ready", ready); s.ContainerStatuses[0].RestartCount != 2 {
		t.Errorf("a simulated container was restarted: %+v", s.ContainerStatuses[0])
	}
}

func TestSuccessorOfTheSameName(t *testing.T) {
	n := newTestNode(t)
	old := n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{sh("a", "while :; do sleep 0.1; done")}}, corev1.PodStatus{})
	n.wait("Ready", ready)
	if err := n.client.CoreV1().Pods("ns").Delete(t.Context(), "pod", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	next := n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{sh("a", "while :; do sleep 0.1; done")}}, corev1.PodStatus{})
	x := n.get("ns", "pod")
	if x.uid != string(next.UID) || x.ip == "10.10.0.1" {
		t.Errorf("uid %s, address %s", x.uid, x.ip)
	}
	// Not from the API: the fake knows no preconditions, so the old pod's removal takes the new object with it.
	eventually(t, "the successor is ready", func() bool { return ready(x.computeStatus(&corev1.PodStatus{})) })
	eventually(t, "the old pod's directory is gone", func() bool {
		_, err := os.Stat(filepath.Join(n.cfg.Root, string(old.UID)))
		return os.IsNotExist(err)
	})
}

func TestDeadline(t *testing.T) {
	n := newTestNode(t)
	one := int64(1)
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, ActiveDeadlineSeconds: &one, Containers: []corev1.Container{sh("a", "sleep 600")}}, corev1.PodStatus{})
	n.wait("DeadlineExceeded", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodFailed && s.Reason == "DeadlineExceeded" })
}

func TestTCPProbe(t *testing.T) {
	n := newTestNode(t)
	told := record.NewFakeRecorder(100)
	n.events = told
	c := sh("a", "while :; do sleep 0.1; done")
	c.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: "127.0.0.1", Port: intstr.FromInt32(1)}}}
	n.create(corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{c}}, corev1.PodStatus{})
	s := n.wait("Running", func(s corev1.PodStatus) bool { return s.Phase == corev1.PodRunning })
	if ready(s) {
		t.Error("ready though nothing listens")
	}
	// Of a container that was never ready, too: it is the only place where the reason is told.
	for said := ""; !strings.Contains(said, "Unhealthy Readiness probe failed"); {
		select {
		case said = <-told.Events:
		case <-time.After(patience):
			t.Fatal("no event tells of the probe")
		}
	}
}
