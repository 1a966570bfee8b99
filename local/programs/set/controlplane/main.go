// Command controlplane is a whole Kubernetes control plane in one process: etcd, kube-apiserver,
// kube-controller-manager and kube-scheduler, built from their own modules and started with their own
// flags. It needs no root, no container and no second process: kubeadm's phases make its certificates and
// kubeconfigs in one directory, and it listens on 127.0.0.1 only.
//
//	controlplane --dir D --kubeconfig F --apiserver-port N --etcd-port N --etcd-peer-port N [--egress-socket S]
//	controlplane kubectl ...
//
// The second form is kubectl of the same Kubernetes version, so that nothing else has to be installed.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go's metrics on /metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // the version metric on /metrics
	kubectl "k8s.io/kubectl/pkg/cmd"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "kubectl" {
		// kubectl's plugin look-up and help read os.Args, so it gets its own.
		os.Args = os.Args[1:]
		os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand()))
	}
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

// command is the root command, which runs the control plane until SIGTERM.
func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:           "controlplane",
		Short:         "Run etcd, kube-apiserver, kube-controller-manager and kube-scheduler in one process",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	o.bind(c.Flags())
	return c
}
