//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/local/endpoint/permissions"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/report"
)

// dot is a PNG of one pixel.
const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// permitted fails when a pod called AWS in a way that its role does not allow,
// and when a role that the scenario uses made no call at all.
func (s *system) permitted(ctx context.Context) (string, error) {
	if err := s.upload(ctx); err != nil {
		return "", err
	}
	out, err := s.gitops(ctx, "local", "permissions", "--output", "json")
	if err != nil {
		return "", err
	}
	var verdicts []permissions.Verdict
	if err := json.Unmarshal([]byte(out), &verdicts); err != nil {
		return "", err
	}
	for _, account := range []string{"kube-system/aws-load-balancer-controller", "external-dns/external-dns", "external-secrets/external-secrets", "ghost/ghost"} {
		if !slices.ContainsFunc(verdicts, func(v permissions.Verdict) bool { return v.ServiceAccount == account && len(v.Calls) > 0 }) {
			return "", fmt.Errorf("no call of %s was noted", account)
		}
	}
	// The removal is judged by the policies of now: it takes the roles along.
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	if s.grants, err = permissions.Grants(ctx, c); err != nil {
		return "", err
	}
	return s.keepVerdicts(verdicts)
}

// permittedRemoval is permitted for what the controllers did until their end.
func (s *system) permittedRemoval(ctx context.Context) (string, error) {
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return "", err
	}
	calls, err := permissions.Noted(ctx, ports.URL(layout.AWS))
	if err != nil {
		return "", err
	}
	verdicts := permissions.Judge(s.grants, calls)
	if !slices.ContainsFunc(calls, func(c permissions.Call) bool { return c.Action == "elasticloadbalancing:DeleteLoadBalancer" }) {
		return "", errors.New("the load balancer's removal was not noted")
	}
	detail, err := s.keepVerdicts(verdicts)
	return detail, errors.Join(err, permissions.Refused(verdicts))
}

// keepVerdicts writes the report, out/permissions.txt.
func (s *system) keepVerdicts(verdicts []permissions.Verdict) (string, error) {
	var text bytes.Buffer
	permissions.Write(&text, verdicts)
	actions, unused := 0, 0
	for _, v := range verdicts {
		unused += len(v.Unused)
		seen := map[string]bool{}
		for _, c := range v.Calls {
			seen[c.Action] = true
		}
		actions += len(seen)
	}
	return fmt.Sprintf("%d actions of %d roles, all allowed; %d granted and never used", actions, len(verdicts), unused),
		os.WriteFile(filepath.Join(s.root, "out", "permissions.txt"), text.Bytes(), 0o644)
}

// upload puts an image into Ghost, as its editor does, and reads it back: both
// go through the bucket.
func (s *system) upload(ctx context.Context) error {
	image, err := base64.StdEncoding.DecodeString(dot)
	if err != nil {
		return err
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreatePart(map[string][]string{"Content-Disposition": {`form-data; name="file"; filename="dot.png"`}, "Content-Type": {"image/png"}})
	if err == nil {
		_, err = part.Write(image)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	ports, err := s.dir.LoadPorts()
	if err != nil {
		return err
	}
	client, err := report.Client(s.dir, ports)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	origin := fmt.Sprintf("https://ghost.localhost:%d", ports[layout.HTTPS])
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, origin+"/ghost/api/admin/images/upload/", &form)
	if err != nil {
		return err
	}
	req.Header.Set("Origin", origin)
	req.Header.Set("Cookie", s.cookie)
	req.Header.Set("Content-Type", w.FormDataContentType())
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct{ Images []struct{ URL string } }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusCreated || len(answer.Images) != 1 {
		return fmt.Errorf("the upload is answered with %s: %+v, %w", resp.Status, answer, err)
	}
	where, err := url.Parse(answer.Images[0].URL)
	if err != nil {
		return err
	}
	code, text, err := s.get(ctx, "ghost", where.Path)
	if err == nil && (code != http.StatusOK || !strings.HasPrefix(text, "\x89PNG")) {
		err = fmt.Errorf("%s answers %d", where.Path, code)
	}
	return err
}
