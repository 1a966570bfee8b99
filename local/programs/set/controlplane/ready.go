package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"time"
)

// apiserverStart is how long kube-apiserver may take until /readyz is 200; it takes 2 to 3 s on an idle
// machine with two cores.
const apiserverStart = 5 * time.Minute

// waitReady polls /readyz, which needs no identity, until it is 200, a component failed or ctx ends.
func waitReady(ctx context.Context, server string, ca *x509.CertPool, failed <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, apiserverStart)
	defer cancel()
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca, MinVersion: tls.VersionTLS12}},
	}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := fmt.Errorf("no answer yet")
	for {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return fmt.Errorf("%s/readyz is not 200 after %s: %w", server, apiserverStart, last)
		case <-tick.C:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/readyz", nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			last = err
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
		last = fmt.Errorf("it answers %s", res.Status)
	}
}
