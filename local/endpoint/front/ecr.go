package front

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// putImage passes the request on with the image's digest, as the SHA-256 of the manifest that it is: moto makes up one of
// those that it is not given, from few numbers for an index, so that two images could have the same.
func (f *Front) putImage(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		writeFailure(w, invalidParameter("the body cannot be read: %v", err))
		return
	}
	var in object
	if err := json.Unmarshal(body, &in); err != nil {
		writeFailure(w, invalidParameter("the body is no JSON: %v", err))
		return
	}
	manifest, _ := in["imageManifest"].(string)
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(manifest)))
	if given, ok := in["imageDigest"].(string); ok && given != digest {
		writeFailure(w, fail(http.StatusBadRequest, "ImageDigestDoesNotMatchException", "the digest of the manifest is %s, got %s", digest, given))
		return
	}
	in["imageDigest"] = digest
	if body, err = json.Marshal(in); err != nil {
		writeFailure(w, err)
		return
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	f.forward(w, r)
}
