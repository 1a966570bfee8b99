package services

import (
	"fmt"
	"strconv"
)

// Summary is a service in a line.
type Summary struct {
	Service string `json:"service"`
	Image   string `json:"image"`
	// Pods is their number, or the range of it: 2-10.
	Pods         string   `json:"pods"`
	Host         string   `json:"host,omitempty"`
	Environments []string `json:"environments"`
	// Repository of its own, whose file has the image and the number of pods, and who answers for it.
	Repository string `json:"repository,omitempty"`
	Owner      string `json:"owner,omitempty"`
}

// Summary is a service as it is in an environment; of none, as it is where an environment says nothing else.
func (f Fleet) Summary(s Service, c Cluster) Summary {
	spec := s.Resolve(c)
	out := Summary{Service: s.Name, Image: spec.Image, Pods: spec.pods(), Host: spec.Host, Repository: s.Repository, Owner: s.Owner}
	if s.Registered() {
		out.Pods = "0-" + strconv.Itoa(spec.limits().Replicas)
	}
	if spec.Host != "" && c.Domain != "" {
		out.Host += "." + c.Domain
	}
	for _, name := range f.Names() {
		if s.Enabled(name) {
			out.Environments = append(out.Environments, name)
		}
	}
	return out
}

func (s Spec) pods() string {
	switch {
	case s.Autoscale != nil:
		return fmt.Sprintf("%d-%d", s.Autoscale.Min, s.Autoscale.Max)
	case s.Replicas != nil:
		return strconv.Itoa(*s.Replicas)
	}
	return "1"
}
