package procnode

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// registryClient reaches registries on this machine, whatever proxy the environment names.
var registryClient = &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}, Timeout: 30 * time.Second}

// pull is lookup, and asks the entry's registry, if it has one, for the reference.
func (s *images) pull(ctx context.Context, reference string) (*Image, error) {
	im, err := s.lookup(reference)
	if err != nil || im == nil || im.Registry == "" || s.present(reference) {
		return im, err
	}
	if err := im.exists(ctx, reference); err != nil {
		return im, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pulled == nil {
		s.pulled = map[string]bool{}
	}
	s.pulled[reference] = true
	return im, nil
}

func (s *images) present(reference string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pulled[reference]
}

// exists asks the registry for the manifest of a reference. The reference's host is sent as the request's, since one address
// may serve several registries.
func (im *Image) exists(ctx context.Context, reference string) error {
	repository, tag := splitReference(reference)
	if _, digest, found := strings.Cut(reference, "@"); found {
		tag = digest
	}
	host, name, _ := strings.Cut(canonical(repository), "/")
	at := strings.TrimSuffix(im.Registry, "/") + "/v2/" + name + "/manifests/" + tag
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, at, nil)
	if err != nil {
		return fmt.Errorf("failed to pull image %q: %w", reference, err)
	}
	r.Host = host
	res, err := registryClient.Do(r)
	if err != nil {
		return fmt.Errorf("failed to pull image %q: %w", reference, err)
	}
	_ = res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound:
		return &unknownTag{reference, tag}
	}
	return fmt.Errorf("failed to pull image %q: the registry answers %s", reference, res.Status)
}
