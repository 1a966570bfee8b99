package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// Requests per second of the controller manager and the scheduler to kube-apiserver. Their defaults (20 and
// 50) protect an apiserver that many share; here they only make a rollout slower.
const (
	clientQPS   = 1000
	clientBurst = 2000
)

func runAPIServer(ctx context.Context, o options) error {
	c := apiserver.NewAPIServerCommand()
	c.SilenceErrors = true
	c.SetArgs(apiserverFlags(o))
	return c.ExecuteContext(ctx)
}

func runControllerManager(ctx context.Context, o options) error {
	c := controllermanager.NewControllerManagerCommand()
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(controllerManagerFlags(o))
	return c.ExecuteContext(ctx)
}

// runScheduler does what the scheduler's command does except for its signal handler, which exists once per
// process and is kube-apiserver's.
func runScheduler(ctx context.Context, o options) error {
	so := scheduleroptions.NewOptions()
	fs := pflag.NewFlagSet("kube-scheduler", pflag.ContinueOnError)
	for _, set := range so.Flags.FlagSets {
		fs.AddFlagSet(set)
	}
	if err := fs.Parse(schedulerFlags(o)); err != nil {
		return err
	}
	config, s, err := scheduler.Setup(ctx, so)
	if err != nil {
		return err
	}
	return scheduler.Run(ctx, config, s)
}

func apiserverFlags(o options) []string {
	flags := []string{
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(o.apiserver),
		// The endpoints of the Service `kubernetes` may not be loopback addresses; nobody uses them here.
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + o.path("pki", "apiserver.crt"),
		"--tls-private-key-file=" + o.path("pki", "apiserver.key"),
		"--client-ca-file=" + o.path("pki", "ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + o.path("pki", "sa.pub"),
		"--service-account-signing-key-file=" + o.path("pki", "sa.key"),
		"--service-cluster-ip-range=" + o.serviceCIDR,
		"--etcd-servers=" + fmt.Sprintf("https://127.0.0.1:%d", o.etcd),
		"--etcd-cafile=" + o.path("pki", "etcd", "ca.crt"),
		"--etcd-certfile=" + o.path("pki", "apiserver-etcd-client.crt"),
		"--etcd-keyfile=" + o.path("pki", "apiserver-etcd-client.key"),
		"--kubelet-client-certificate=" + o.path("pki", "apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + o.path("pki", "apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		// Webhooks and aggregated APIs are dialled at the addresses of their endpoints: no kube-proxy here
		// makes ClusterIPs work.
		"--enable-aggregator-routing=true",
		"--allow-privileged=true",
		"--profiling=false",
		"--v=" + strconv.Itoa(o.verbosity),
	}
	if o.egressSocket != "" {
		flags = append(flags, "--egress-selector-config-file="+o.path("egress.yaml"))
	}
	if o.tokenWebhook != "" {
		flags = append(flags, "--authentication-token-webhook-config-file="+o.path("token-webhook.yaml"), "--authentication-token-webhook-version=v1")
	}
	return flags
}

func controllerManagerFlags(o options) []string {
	return append(clientFlags(o, "controller-manager"),
		"--service-account-private-key-file="+o.path("pki", "sa.key"),
		"--root-ca-file="+o.path("pki", "ca.crt"),
		"--use-service-account-credentials=true",
		"--cluster-name=local",
	)
}

func schedulerFlags(o options) []string { return clientFlags(o, "scheduler") }

// clientFlags are the flags that the controller manager and the scheduler share. One instance of each runs,
// so they elect no leader, and nothing reads their own endpoint, so they serve none.
func clientFlags(o options, name string) []string {
	kubeconfig := o.path(name + ".kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--secure-port=0",
		"--leader-elect=false",
		"--kube-api-qps=" + strconv.Itoa(clientQPS),
		"--kube-api-burst=" + strconv.Itoa(clientBurst),
		"--profiling=false",
		"--v=" + strconv.Itoa(o.verbosity),
	}
}
