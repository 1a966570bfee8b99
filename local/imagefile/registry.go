// Package imagefile takes one file out of a container image, without a container engine. Everything that it reads is checked by
// digest, and nothing of an image is written but the one file.
package imagefile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// How long a registry may take.
const (
	// DefaultAnswer is the limit for what an image consists of: some small requests.
	DefaultAnswer = 5 * time.Second
	// DefaultStall is how long a download may stand still.
	DefaultStall = 20 * time.Second
)

// Registries is where images are read. The zero value reads each at the registry that its name begins with.
type Registries struct {
	// Mirror, when set, is a registry, or a path in one, that holds the images instead: host/name is at Mirror/host/name.
	Mirror string
	// Answer and Stall are time limits; default: DefaultAnswer and DefaultStall.
	Answer, Stall time.Duration
}

// Digests are what a tag names.
type Digests struct {
	// Digest is that of the tag: of the index where the image has several platforms.
	Digest string `json:"digest"`
	// Platforms are the digests of the images, by platform, as linux/arm64.
	Platforms map[string]string `json:"platforms"`
}

// errNoAnswer and errStalled end requests.
var (
	errNoAnswer = errors.New("no answer in time")
	errStalled  = errors.New("the download stands still")
)

// Resolve asks for the digests of a tag, for those of the platforms that the image has. Which they are is the registry's word:
// who keeps them can tell later whether a tag has moved.
func (r Registries) Resolve(ctx context.Context, repository, tag string, platforms ...string) (Digests, error) {
	at, err := r.at(repository)
	if err != nil {
		return Digests{}, err
	}
	ctx, asked := r.asking(ctx)
	defer asked()
	found, err := remote.Get(at.Tag(tag), options(ctx)...)
	if err != nil {
		return Digests{}, explain(ctx, at, tag, err)
	}
	all := Digests{Digest: found.Digest.String(), Platforms: map[string]string{}}
	for _, wanted := range platforms {
		platform, err := v1.ParsePlatform(wanted)
		if err != nil {
			return Digests{}, err
		}
		image, err := pick(found, *platform)
		if err != nil {
			return Digests{}, explain(ctx, at, tag, err)
		}
		if image != "" {
			all.Platforms[wanted] = image
		}
	}
	return all, nil
}

// pick is the digest of a platform's image, or "" where there is none.
func pick(found *remote.Descriptor, wanted v1.Platform) (string, error) {
	if !found.MediaType.IsIndex() {
		image, err := found.Image()
		if err != nil {
			return "", err
		}
		config, err := image.ConfigFile()
		if err != nil || config.OS != wanted.OS || config.Architecture != wanted.Architecture {
			return "", err
		}
		return found.Digest.String(), nil
	}
	index, err := found.ImageIndex()
	if err != nil {
		return "", err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	for _, part := range manifest.Manifests {
		if p := part.Platform; p != nil && p.OS == wanted.OS && p.Architecture == wanted.Architecture {
			return part.Digest.String(), nil
		}
	}
	return "", nil
}

// Image is an image of one platform, of which nothing but its description has been read.
type Image struct {
	image v1.Image
	ctx   context.Context
	end   context.CancelCauseFunc
	stall time.Duration
	name  name.Digest
}

// Open reads the description of the image with a digest, which must be of the platform. Close ends all that it does.
func (r Registries) Open(ctx context.Context, repository, digest, platform string) (*Image, error) {
	at, err := r.at(repository)
	if err != nil {
		return nil, err
	}
	whole, err := name.NewDigest(at.Name() + "@" + digest)
	if err != nil {
		return nil, fmt.Errorf("%s has no digest: must be as sha256:…, got %q", at, digest)
	}
	i := &Image{name: whole, stall: r.Stall}
	if i.stall == 0 {
		i.stall = DefaultStall
	}
	i.ctx, i.end = context.WithCancelCause(ctx)
	late := time.AfterFunc(r.answer(), func() { i.end(errNoAnswer) })
	defer late.Stop()
	if i.image, err = remote.Image(i.name, options(i.ctx)...); err == nil {
		var config *v1.ConfigFile
		if config, err = i.image.ConfigFile(); err == nil && config.OS+"/"+config.Architecture != platform {
			i.Close()
			return nil, fmt.Errorf("%s is of %s/%s, must be of %s", i.name, config.OS, config.Architecture, platform)
		}
	}
	if err != nil {
		err = explain(i.ctx, at, digest, err)
		i.Close()
		return nil, err
	}
	return i, nil
}

// Close ends what the image's methods do.
func (i *Image) Close() { i.end(context.Canceled) }

// Validate reports what is wrong with the mirror.
func (r Registries) Validate() error {
	_, err := r.at("docker.io/library/any")
	return err
}

// at is where a repository is read.
func (r Registries) at(repository string) (name.Repository, error) {
	if r.Mirror != "" {
		repository = strings.TrimSuffix(r.Mirror, "/") + "/" + repository
	}
	at, err := name.NewRepository(repository)
	if err != nil || strings.Contains(repository, "://") {
		return at, fmt.Errorf("%s is in no registry: that must be as registry.example.com or registry.example.com/path", repository)
	}
	return at, nil
}

func (r Registries) answer() time.Duration {
	if r.Answer > 0 {
		return r.Answer
	}
	return DefaultAnswer
}

func (r Registries) asking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, r.answer(), errNoAnswer)
}

// options are those of every request. Logins are those of `docker login`.
func options(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithRetryBackoff(remote.Backoff{Duration: 300 * time.Millisecond, Factor: 1, Steps: 2}),
	}
}

// explain makes one line of a failure to read a reference: what went wrong and what to do.
func explain(ctx context.Context, at name.Repository, reference string, err error) error {
	var refused *transport.Error
	var unreachable *net.OpError
	var request *url.Error
	switch {
	case errors.Is(context.Cause(ctx), errNoAnswer):
		return fmt.Errorf("%s cannot be reached: %w", at.RegistryStr(), errNoAnswer)
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s has no %s", at, reference)
	case errors.As(err, &refused) && (refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden):
		return fmt.Errorf("%s may not be read: docker login %s", at, at.RegistryStr())
	case errors.As(err, &unreachable) && unreachable.Op == "dial":
		return fmt.Errorf("%s cannot be reached: %w", at.RegistryStr(), unreachable.Err)
	case errors.As(err, &request):
		err = request.Err
	}
	return fmt.Errorf("%s, %s: %s", at, reference, strings.Join(strings.Fields(err.Error()), " "))
}
