package images

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Repository is a repository of a registry, <host>/<name>, and the login there.
type Repository struct {
	Host, Name     string
	User, Password string
}

func (r Repository) String() string { return r.Host + "/" + r.Name }

// options are those of a request to the repository's registry.
func (r Repository) options(ctx context.Context) []remote.Option {
	all := []remote.Option{remote.WithContext(ctx)}
	if r.User != "" {
		all = append(all, remote.WithAuth(&authn.Basic{Username: r.User, Password: r.Password}))
	}
	return all
}

// digest and tag are references in the repository.
func (r Repository) digest(digest string) (name.Digest, error) {
	return name.NewDigest(r.String() + "@" + digest)
}
func (r Repository) tag(tag string) (name.Tag, error) { return name.NewTag(r.String() + ":" + tag) }

// Allowed says whether images of a repository may run, by their digests: of an index, the images of its platforms. It is asked
// when they are there and have no tag yet.
type Allowed func(ctx context.Context, repository string, digests []string) error

// Copy brings an image from one repository to another, and reports whether it had to. The tag comes last, when all else is
// there and allowed, so that an image that has it needs nothing more.
func Copy(ctx context.Context, image Image, from, to Repository, allowed Allowed) (copied bool, err error) {
	present, err := to.has(ctx, image)
	if present || err != nil {
		return false, err
	}
	found, err := from.find(ctx, image)
	if err != nil {
		return false, err
	}
	digests, err := push(ctx, found, from, to)
	if err != nil {
		return false, fmt.Errorf("%s@%s does not reach %s: %w", from, image.Digest, to, err)
	}
	if err := allowed(ctx, to.Name, digests); err != nil {
		return false, fmt.Errorf("%s:%s@%s must not run: %w", to, image.Tag, image.Digest, err)
	}
	tag, err := to.tag(image.Tag)
	if err != nil {
		return false, err
	}
	if err := remote.Put(tag, found, to.options(ctx)...); err != nil {
		return false, fmt.Errorf("%s gets no tag %s: %w", to, image.Tag, err)
	}
	return true, to.verify(ctx, image)
}

// has reports whether the repository has the image under its tag.
func (r Repository) has(ctx context.Context, image Image) (bool, error) {
	tag, err := r.tag(image.Tag)
	if err != nil {
		return false, err
	}
	got, err := remote.Head(tag, r.options(ctx)...)
	switch {
	case status(err) == http.StatusNotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%s is not readable: %w", r, err)
	case got.Digest.String() != image.Digest:
		return false, fmt.Errorf("%s:%s is %s there, and must be %s: tags never move; build the image again, which gives it a tag of its own, and promote that", r, image.Tag, got.Digest, image.Digest)
	}
	return true, nil
}

// find reads what the digest names, and compares it with that.
func (r Repository) find(ctx context.Context, image Image) (*remote.Descriptor, error) {
	at, err := r.digest(image.Digest)
	if err != nil {
		return nil, err
	}
	found, err := remote.Get(at, r.options(ctx)...)
	switch status(err) {
	case http.StatusNotFound:
		return nil, fmt.Errorf("%s has no %s (%s): it keeps the newest images alone (ghost.keepImages); promote a newer one", r, image.Digest, image.Tag)
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("%s may not be pulled from: %w; deploy the environment that builds the images with this cdk.json first, so that its repository admits the role that copies", r, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s@%s is not readable: %w", r, image.Digest, err)
	}
	return found, nil
}

// push brings the images of an index, or the one image, to the other repository, by their digests and without a tag. It returns
// those that run on a platform: an index also names what describes them, which no scan knows.
func push(ctx context.Context, found *remote.Descriptor, from, to Repository) ([]string, error) {
	if !found.MediaType.IsIndex() {
		one, err := found.Image()
		if err != nil {
			return nil, err
		}
		return []string{found.Digest.String()}, to.write(ctx, found.Digest, one)
	}
	index, err := found.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var digests []string
	for _, part := range manifest.Manifests {
		if !part.MediaType.IsImage() {
			return nil, fmt.Errorf("it holds %s of type %s; build an index of images alone", part.Digest, part.MediaType)
		}
		one, err := index.Image(part.Digest)
		if err != nil {
			return nil, fmt.Errorf("%s@%s is not readable: %w", from, part.Digest, err)
		}
		if err := to.write(ctx, part.Digest, one); err != nil {
			return nil, err
		}
		if part.Platform == nil || part.Platform.OS != "unknown" {
			digests = append(digests, part.Digest.String())
		}
	}
	if len(digests) == 0 {
		return nil, errors.New("it holds no image; build one for a platform")
	}
	return digests, nil
}

// write pushes what of an image is missing.
func (r Repository) write(ctx context.Context, digest v1.Hash, image v1.Image) error {
	at, err := r.digest(digest.String())
	if err != nil {
		return err
	}
	return remote.Write(at, image, r.options(ctx)...)
}

// verify reads the image by its digest, whose bytes are compared with it, and its tag.
func (r Repository) verify(ctx context.Context, image Image) error {
	at, err := r.digest(image.Digest)
	if err != nil {
		return err
	}
	if _, err := remote.Get(at, r.options(ctx)...); err != nil {
		return fmt.Errorf("%s has another image than was pushed: %w", r, err)
	}
	present, err := r.has(ctx, image)
	if err == nil && !present {
		err = fmt.Errorf("%s lost the tag %s; run it again", r, image.Tag)
	}
	return err
}

// status is that of a registry's error, 0 for another.
func status(err error) int {
	var refused *transport.Error
	if errors.As(err, &refused) {
		return refused.StatusCode
	}
	return 0
}
