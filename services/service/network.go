package service

import "k8s-plus-aws-gitops/services/imports/k8s"

// FleetLabel marks the namespaces of services.
const FleetLabel = "services"

// networkPolicy closes the namespace. In: the services of the fleet, which must declare the call, and the load balancer
// if the service has a host. Out: names, pods of the own service, the services that are called, what it has in AWS, and HTTPS
// to the internet if the file says so.
func (p Props) networkPolicy() object {
	in := []*k8s.NetworkPolicyPeer{{NamespaceSelector: match("app.kubernetes.io/part-of", FleetLabel)}}
	if p.Host != "" {
		// The load balancer's addresses are the VPC's.
		in = append(in, &k8s.NetworkPolicyPeer{IpBlock: &k8s.IpBlock{Cidr: text(p.Cluster.VPCCIDR)}})
	}
	props := &k8s.KubeNetworkPolicyProps{
		Metadata: p.metadata(p.Name, nil),
		Spec: &k8s.NetworkPolicySpec{
			PodSelector: &k8s.LabelSelector{}, // every pod of the namespace
			PolicyTypes: list("Egress", "Ingress"),
			Ingress:     &[]*k8s.NetworkPolicyIngressRule{{From: &in, Ports: ports("TCP", "http")}},
			Egress:      p.egress(),
		},
	}
	return object{"NetworkPolicy", "networking.k8s.io/v1", "NetworkPolicy", props, func(s *Service, id *string) {
		s.NetworkPolicy = k8s.NewKubeNetworkPolicy(s.Construct, id, props)
	}}
}

func (p Props) egress() *[]*k8s.NetworkPolicyEgressRule {
	names := append(*ports("UDP", 53), *ports("TCP", 53)...)
	rules := []*k8s.NetworkPolicyEgressRule{
		{To: &[]*k8s.NetworkPolicyPeer{{NamespaceSelector: match("kubernetes.io/metadata.name", "kube-system")}}, Ports: &names},
		// The Pod Identity agent is an address of the node.
		egressTo("169.254.170.23/32", 80),
		{To: &[]*k8s.NetworkPolicyPeer{{PodSelector: &k8s.LabelSelector{}}}},
	}
	for _, name := range p.Calls {
		rules = append(rules, &k8s.NetworkPolicyEgressRule{
			To:    &[]*k8s.NetworkPolicyPeer{{NamespaceSelector: match("kubernetes.io/metadata.name", name)}},
			Ports: ports("TCP", "http"),
		})
	}
	rules = append(rules, p.awsEgress()...)
	if deref(p.Internet, false) {
		rules = append(rules, egressTo("0.0.0.0/0", 443))
	}
	return &rules
}

func match(label, value string) *k8s.LabelSelector {
	return &k8s.LabelSelector{MatchLabels: texts(map[string]string{label: value})}
}

func ports(protocol string, port any) *[]*k8s.NetworkPolicyPort {
	return &[]*k8s.NetworkPolicyPort{{Port: port, Protocol: text(protocol)}}
}
