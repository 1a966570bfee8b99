package dockerbuild

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// finding is what a scan found, as basic scanning words it.
type finding struct{ name, severity, pkg string }

// ecrStub answers ECR's JSON protocol for one repository with an image per architecture: findings in pages of 100, as ECR
// has them, and what it throttles or does not know yet as errors.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
type ecrStub struct {
	t *testing.T
	// findings of the scan by architecture; one without an entry was never scanned.
	findings map[string][]finding
	// before are answers before the scan's, "Error" or "status STATUS", for each image.
	before []string
	// status of the scan; COMPLETE when empty.
	status string
	// enhanced words the findings as Inspector does.
	enhanced bool
	// lost findings are counted and not listed.
	lost int

	asked map[string]int // questions for findings by digest
	put   *putImage
}

// putImage is the request that gives a tag.
type putImage struct{ RepositoryName, ImageTag, ImageManifest, ImageManifestMediaType string }

const page = 100

// serve starts the stub and returns its address.
func (s *ecrStub) serve() string {
	s.asked = map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			putImage
			ImageIDs []struct{ ImageTag string } `json:"imageIds"`
			ImageID  struct{ ImageTag, ImageDigest string }
			Next     string `json:"nextToken"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			s.t.Errorf("request: %v", err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		var out any
		switch operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonEC2ContainerRegistry_V20150921."); operation {
		case "BatchGetImage":
			var images []any
			for _, id := range in.ImageIDs {
				images = append(images, map[string]any{
					"imageId":       map[string]any{"imageTag": id.ImageTag, "imageDigest": digest(id.ImageTag)},
					"imageManifest": `{"mediaType": "application/vnd.oci.image.manifest.v1+json"}`, "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
				})
			}
			out = map[string]any{"images": images, "failures": []any{}}
		case "DescribeImageScanFindings":
			out = s.scan(cmp.Or(in.ImageID.ImageDigest, digest(in.ImageID.ImageTag)), in.Next)
		case "PutImage":
			s.put = &in.putImage
			out = map[string]any{"image": map[string]any{"imageId": map[string]any{"imageDigest": "sha256:index"}}}
		default:
			s.t.Errorf("publish asks ECR for %s", operation)
		}
		if code, ok := out.(string); ok {
			w.WriteHeader(http.StatusBadRequest)
			out = map[string]any{"__type": code, "message": "stub: " + code}
		}
		if err := json.NewEncoder(w).Encode(out); err != nil {
			s.t.Error(err)
		}
	}))
	s.t.Cleanup(server.Close)
	return server.URL
}

// digest is an image's; its architecture is the end of its tag.
func digest(tag string) string { return "sha256:" + tag[strings.LastIndex(tag, "-")+1:] }

// scan is a page of an image's findings, or the code of an error.
func (s *ecrStub) scan(image, next string) any {
	answer := map[string]any{"repositoryName": "dev/ghost", "imageId": map[string]any{"imageDigest": image}}
	if next == "" {
		s.asked[image]++
		if n := s.asked[image]; n <= len(s.before) {
			status, ok := strings.CutPrefix(s.before[n-1], "status ")
			if !ok {
				return s.before[n-1]
			}
			answer["imageScanStatus"] = map[string]any{"status": status, "description": "by the stub"}
			return answer
		}
	}
	all, scanned := s.findings[strings.TrimPrefix(image, "sha256:")]
	if !scanned {
		return "ScanNotFoundException"
	}
	start, _ := strconv.Atoi(next)
	counts, listed := map[string]int{}, []any{}
	for i, f := range all {
		counts[f.severity]++
		if i >= start && i < start+page && i < len(all)-s.lost {
			listed = append(listed, s.words(f))
		}
	}
	kind := "findings"
	if s.enhanced {
		kind = "enhancedFindings"
	}
	answer["imageScanStatus"] = map[string]any{"status": cmp.Or(s.status, "COMPLETE")}
	answer["imageScanFindings"] = map[string]any{kind: listed, "findingSeverityCounts": counts}
	if start+page < len(all) {
		answer["nextToken"] = strconv.Itoa(start + page)
	}
	return answer
}

// words is a finding as the kind of scan words it.
func (s *ecrStub) words(f finding) any {
	if s.enhanced {
		return map[string]any{"severity": f.severity, "title": f.name + " - " + f.pkg, "packageVulnerabilityDetails": map[string]any{
			"vulnerabilityId": f.name, "vulnerablePackages": []any{map[string]any{"name": f.pkg}},
		}}
	}
	return map[string]any{"name": f.name, "severity": f.severity, "attributes": []any{map[string]any{"key": "package_name", "value": f.pkg}}}
}

// many are findings of severity LOW.
func many(n int) []finding {
	all := make([]finding, n)
	for i := range all {
		all[i] = finding{fmt.Sprintf("CVE-2020-%04d", i), "LOW", "libc6"}
	}
	return all
}
