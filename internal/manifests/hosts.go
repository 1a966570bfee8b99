package manifests

import (
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"k8s-plus-aws-gitops/internal/services"
)

// Annotations of the load balancer controller:
// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/
const (
	albPorts       = "alb.ingress.kubernetes.io/listen-ports"
	albCertificate = "alb.ingress.kubernetes.io/certificate-arn"
)

// hosts reports Ingresses whose requests would not arrive: a host that another one has with the same path, of which the load
// balancer keeps one, and a host for which there is no certificate.
func (c *check) hosts() {
	owners := c.serviceHosts()
	for _, a := range c.arrived {
		i, ok := typed[networkingv1.Ingress](a.object, "networking.k8s.io/v1/Ingress")
		if !ok {
			continue
		}
		for _, rule := range i.Spec.Rules {
			c.certificate(a, i, rule.Host)
			for _, path := range pathsOf(rule) {
				place := rule.Host + path
				if other, taken := owners[place]; taken {
					c.reportOf(a, fmt.Sprintf("%s is %s's, too", place, other),
						"choose another host or path: the load balancer sends its requests to one of them")
					continue
				}
				owners[place] = a.String()
			}
		}
	}
}

// serviceHosts are those of the environment's services by host and path, as their manifests have them. What is wrong with the files
// their own check says.
func (c *check) serviceHosts() map[string]string {
	owners := map[string]string{}
	all, err := services.LoadFiles(c.root, c.environments)
	if err != nil {
		return owners
	}
	for _, s := range all {
		if spec := s.Resolve(services.ClusterOf(c.settings)); s.Enabled(c.environment) && spec.Host != "" {
			owners[spec.Host+"."+c.settings.Domain+"/"] = "service " + s.Name
		}
	}
	return owners
}

// pathsOf are the paths of a rule without what means the same.
func pathsOf(rule networkingv1.IngressRule) []string {
	if rule.HTTP == nil {
		return nil
	}
	var all []string
	for _, p := range rule.HTTP.Paths {
		all = append(all, "/"+strings.Trim(strings.TrimSuffix(p.Path, "*"), "/"))
	}
	return all
}

// certificate reports a host of HTTPS that the environment's certificate, which is for one label before the domain, does not cover.
// The controller would find none, and leave the whole load balancer as it is.
func (c *check) certificate(a arrival, i networkingv1.Ingress, host string) {
	if !strings.Contains(i.Annotations[albPorts], "HTTPS") || i.Annotations[albCertificate] != "" || host == "" {
		return
	}
	if label, in := strings.CutSuffix(host, "."+c.settings.Domain); !in || strings.Contains(label, ".") {
		c.reportOf(a, fmt.Sprintf("host %s has no certificate: the environment's is for *.%s", host, c.settings.Domain),
			"choose a host of the zone, or name a certificate of your own by the annotation "+albCertificate)
	}
}
