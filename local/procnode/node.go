package procnode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	"github.com/virtual-kubelet/virtual-kubelet/node"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

const (
	// kubeletVersion is what the node reports: the API's version that its pods are written for.
	kubeletVersion = "v1.36.3-procnode"
	leaseSeconds   = 40 // a kubelet's
	// shutdownGrace is how long processes have when the node itself is told to end.
	shutdownGrace = 8 * time.Second
	workers       = 16
)

// Run is the node: it registers, runs the pods that are scheduled to it, serves the gate and the kubelet API, and returns when
// the context ends and no process is left. Pods stay in the API and continue, with their addresses, when Run is called again.
func Run(ctx context.Context, c Config) error {
	c, err := c.complete()
	if err != nil {
		return err
	}
	unlock, err := lockRoot(ctx, c.Root)
	if err != nil {
		return err
	}
	defer unlock()
	killOrphans(c.Root, c.Log)
	p, err := newProvider(c)
	if err != nil {
		return err
	}
	return p.run(ctx)
}

// lockRoot keeps a second node away from the same pods. An earlier one may need a moment to end.
func lockRoot(ctx context.Context, root string) (unlock func(), err error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("procnode: Root: %w", err)
	}
	l := flock.New(filepath.Join(root, ".lock"))
	ctx, cancel := context.WithTimeout(ctx, 2*shutdownGrace)
	defer cancel()
	if ok, err := l.TryLockContext(ctx, 100*time.Millisecond); !ok {
		return nil, fmt.Errorf("procnode: another node runs the pods in %s: stop it first: %w", root, err)
	}
	return func() { _ = l.Unlock() }, nil
}

func newProvider(c Config) (*provider, error) {
	rc, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("procnode: Kubeconfig: %w", err)
	}
	rc.QPS = -1 // the API server has its own priority and fairness
	rc.UserAgent = "procnode"
	client, err := kubernetes.NewForConfig(rc)
	if err != nil {
		return nil, fmt.Errorf("procnode: Kubeconfig: %w", err)
	}
	table, err := newImages(c.ImagesFile, c.Log)
	if err != nil {
		return nil, fmt.Errorf("procnode: %w", err)
	}
	p := &provider{cfg: c, log: c.Log, client: client, images: table, reports: newReportQueue(), pods: map[string]*pod{}}
	if p.apiServer, p.apiHost, p.apiPort, err = apiAddress(rc); err != nil {
		return nil, err
	}
	if c.PodIdentity != "" {
		p.identity = newPodIdentity(c.PodIdentity)
	}
	return p, nil
}

func apiAddress(rc *rest.Config) (server, host, port string, err error) {
	u, _, err := rest.DefaultServerUrlFor(rc)
	if err != nil {
		return "", "", "", fmt.Errorf("procnode: Kubeconfig: server: %w", err)
	}
	u = &url.URL{Scheme: u.Scheme, Host: u.Host}
	host, port = u.Hostname(), u.Port()
	if port == "" {
		port = "443"
	}
	return u.String(), host, port, nil
}

// run wires the informers, virtual-kubelet's two controllers and the servers, and waits.
func (p *provider) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	own := informers.NewSharedInformerFactoryWithOptions(p.client, 0, informers.WithTransform(slim), informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", p.cfg.NodeName).String()
	}))
	all := informers.NewSharedInformerFactoryWithOptions(p.client, 0, informers.WithTransform(slim))
	pods, core := own.Core().V1().Pods(), all.Core().V1()
	p.lister = pods.Lister()
	p.sources = sources{secrets: core.Secrets().Lister(), configMaps: core.ConfigMaps().Lister()}
	services := core.Services().Informer()
	if err := services.AddIndexers(cache.Indexers{byClusterIP: clusterIPIndex}); err != nil {
		return err
	}
	r := &resolver{
		services: core.Services().Lister(), index: services.GetIndexer(), slices: all.Discovery().V1().EndpointSlices().Lister(),
		bind: p.bind, leaving: func(ip string) bool { return p.addresses.leaving(ip) }, hosts: p.cfg.Hosts, apiServer: net.JoinHostPort(p.apiHost, p.apiPort),
	}
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typed.EventSinkImpl{Interface: p.client.CoreV1().Events("")})
	p.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: p.cfg.NodeName})
	pc, err := node.NewPodController(node.PodControllerConfig{
		PodClient: p.client.CoreV1(), PodInformer: pods, EventRecorder: &record.FakeRecorder{}, Provider: p,
		ConfigMapInformer: core.ConfigMaps(), SecretInformer: core.Secrets(), ServiceInformer: core.Services(),
		SkipDownwardAPIResolution: true,
		// virtual-kubelet's own limiters let 10 pods a second through.
		SyncPodsFromKubernetesRateLimiter: limiter(), DeletePodsFromKubernetesRateLimiter: limiter(), SyncPodStatusFromProviderRateLimiter: limiter(),
	})
	if err != nil {
		return fmt.Errorf("procnode: %w", err)
	}
	if _, err := pods.Informer().AddEventHandler(p.watch()); err != nil {
		return err
	}
	p.addresses = newAddresses(p.cfg.PodPrefix)
	loopback, claim, err := claimNetwork(p.cfg.PodPrefix)
	if err != nil {
		return err
	}
	defer claim.Close()
	p.loopback = loopback
	if err := newGate(r.resolve, p.log).serve(ctx, p.cfg.Gate, p.cfg.GateSocket); err != nil {
		return err
	}
	if err := p.serveKubelet(ctx); err != nil {
		return err
	}
	own.Start(ctx.Done())
	all.Start(ctx.Done())
	if err := p.begin(ctx, own, all); err != nil {
		return err
	}
	return p.control(ctx, cancel, pc)
}

// begin waits for the caches and tidies up after an earlier node.
func (p *provider) begin(ctx context.Context, factories ...informers.SharedInformerFactory) error {
	for _, f := range factories {
		for kind, ok := range f.WaitForCacheSync(ctx.Done()) {
			if !ok {
				return fmt.Errorf("procnode: %s not read from the API server: %w", kind, context.Cause(ctx))
			}
		}
	}
	known, err := p.lister.List(labels.Everything())
	if err != nil {
		return err
	}
	p.addresses.keep(known)
	return p.sweep(known)
}

// control runs virtual-kubelet's controllers until the context ends, then ends every process.
func (p *provider) control(ctx context.Context, cancel context.CancelCauseFunc, pc *node.PodController) error {
	object, err := p.nodeObject()
	if err != nil {
		return err
	}
	nc, err := node.NewNodeController(node.NaiveNodeProvider{}, object, p.client.CoreV1().Nodes(),
		node.WithNodeEnableLeaseV1(p.client.CoordinationV1().Leases(corev1.NamespaceNodeLease), leaseSeconds))
	if err != nil {
		return fmt.Errorf("procnode: %w", err)
	}
	p.reportWorkers(ctx, workers)
	defer p.reports.ShutDown()
	go func() {
		select {
		case <-pc.Ready():
		case <-ctx.Done():
			return
		}
		p.log.Info("node ready", "name", p.cfg.NodeName, "gate", p.cfg.Gate, "kubelet", p.cfg.Listen)
		if err := nc.Run(ctx); err != nil && ctx.Err() == nil {
			cancel(fmt.Errorf("procnode: node object: %w", err))
		}
	}()
	err = pc.Run(ctx, workers)
	p.stopAll(shutdownGrace)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("procnode: %w", err)
	}
	return nil
}

func limiter() workqueue.TypedRateLimiter[any] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[any](5*time.Millisecond, 10*time.Second)
}

// slim drops what nobody here reads, a third of an object.
func slim(o any) (any, error) {
	if m, err := meta.Accessor(o); err == nil {
		m.SetManagedFields(nil)
	}
	return o, nil
}

func (p *provider) nodeObject() (*corev1.Node, error) {
	_, port, err := net.SplitHostPort(p.cfg.Listen)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return nil, err
	}
	at := metav1.Now()
	condition := func(t corev1.NodeConditionType, s corev1.ConditionStatus, reason string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: t, Status: s, Reason: reason, LastHeartbeatTime: at, LastTransitionTime: at}
	}
	name := p.cfg.NodeName
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname: name,
			// Manifests select linux; a process runs the same on another system.
			corev1.LabelOSStable: "linux", corev1.LabelArchStable: runtime.GOARCH,
			corev1.LabelTopologyZone: p.cfg.Zone, corev1.LabelTopologyRegion: p.cfg.Region,
		}},
		Spec: corev1.NodeSpec{ProviderID: "aws:///" + p.cfg.Zone + "/i-00000000000000001"},
		Status: corev1.NodeStatus{
			Capacity: capacity(), Allocatable: capacity(),
			NodeInfo: corev1.NodeSystemInfo{
				KubeletVersion: kubeletVersion, OperatingSystem: "linux", Architecture: runtime.GOARCH,
				OSImage: runtime.GOOS, ContainerRuntimeVersion: "process://1",
			},
			Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: hostIP}, {Type: corev1.NodeHostName, Address: name}},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(n)}},
			Conditions: []corev1.NodeCondition{
				condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady"),
				condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory"),
				condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure"),
				condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID"),
			},
		},
	}, nil
}
