package watch

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// clients ask each host at the same time, so that one slow answer does not hide what others get.
const clients = 2

// hosts are all that Ingresses have named.
type hosts struct {
	mu  sync.Mutex
	all map[string]*host // by URL
}

func newHosts() *hosts { return &hosts{all: map[string]*host{}} }

// pollHosts starts to ask hosts that have come, and leaves those alone that have gone.
func (w *Watch) pollHosts(ctx context.Context) error {
	list, err := w.kube.NetworkingV1().Ingresses("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	now := time.Now()
	phase, _ := w.times.at(now)
	named := w.named(list.Items)
	w.hosts.mu.Lock()
	defer w.hosts.mu.Unlock()
	for url, name := range named {
		h := w.hosts.all[url]
		if h == nil {
			h = newHost(name, url, phase)
			w.hosts.all[url] = h
		}
		if h.come(phase, now) {
			if err := w.ask(h, len(named)); err != nil {
				return err
			}
		}
	}
	for url, h := range w.hosts.all {
		if _, there := named[url]; !there {
			h.leave(phase)
		}
	}
	return nil
}

// named are the names of hosts by the URL that is asked. An Ingress that is being removed names none: its controller may have
// removed its rule already.
func (w *Watch) named(all []networkingv1.Ingress) map[string]string {
	named := map[string]string{}
	for _, i := range all {
		if i.DeletionTimestamp != nil {
			continue
		}
		for _, r := range i.Spec.Rules {
			if r.Host == "" || strings.HasPrefix(r.Host, "*") || r.HTTP == nil || len(r.HTTP.Paths) == 0 {
				continue
			}
			path := cmp.Or(strings.TrimSuffix(r.HTTP.Paths[0].Path, "*"), "/")
			named[w.address(overTLS(i.Annotations), r.Host)+path] = strings.TrimSuffix(r.Host+path, "/")
		}
	}
	return named
}

// overTLS reports whether the load balancer listens for HTTPS:
// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#listen-ports
func overTLS(annotations map[string]string) bool {
	const prefix = "alb.ingress.kubernetes.io/"
	return strings.Contains(annotations[prefix+"listen-ports"], "HTTPS") || annotations[prefix+"listen-ports"] == "" && annotations[prefix+"certificate-arn"] != ""
}

// ask starts the clients of a host. Their pauses grow with the number of hosts: the machine is to run the system, not the clients.
func (w *Watch) ask(h *host, hosts int) error {
	ctx, stop := context.WithCancel(w.life)
	h.stop = stop
	wait := max(w.pause, w.pause*time.Duration(hosts)/2)
	for range clients {
		client, err := w.client()
		if err != nil {
			h.stop()
			return err
		}
		w.tasks.Go(func() {
			defer client.CloseIdleConnections()
			for {
				begin := time.Now()
				a := get(ctx, client, h.url)
				if ctx.Err() != nil {
					return
				}
				now := time.Now()
				phase, _ := w.times.at(now)
				h.note(phase, now, now.Sub(begin), a)
				if !pause(ctx, wait) {
					return
				}
			}
		})
	}
	client, err := w.client()
	if err != nil {
		h.stop()
		return err
	}
	w.tasks.Go(func() { w.keep(ctx, client, h) })
	return nil
}

// expire says of hosts that never answered in a phase in which they should have.
func (all *hosts) expire(ended rehearsal.Phase, now time.Time) {
	if ended == rehearsal.Merge || ended == rehearsal.Second || ended == rehearsal.Revert {
		return // something new may still be coming up
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, h := range all.all {
		h.expire(now.Add(-1)) // in the phase that ends
	}
}

func (all *hosts) result(t *timeline) []rehearsal.Host {
	all.mu.Lock()
	defer all.mu.Unlock()
	var out []rehearsal.Host
	for _, url := range slices.Sorted(maps.Keys(all.all)) {
		out = append(out, all.all[url].result(t))
	}
	return out
}
