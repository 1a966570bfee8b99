package config

// ReadsManifests reports whether the deployment reads what Flux applies, so that a change of it starts one.
func (e Environment) ReadsManifests() bool { return e.Gated() || e.CopiesImages() }

// BuildsImages reports whether the environment's pipelines build the images that it runs.
func (e Environment) BuildsImages() bool { return e.Delivers() && e.Delivery.ImagesFrom == "" }

// CopiesImages reports whether its pipeline copies them from another environment's registry.
func (e Environment) CopiesImages() bool { return e.Delivers() && e.ImageSource != nil }

// ImagesRole is the agreed name of the role that copies them: the other account admits it before it is there.
func (e Environment) ImagesRole() string { return e.RoleName("images") }

// UpdatesImages reports whether Flux writes new image tags to the repository.
func (e Environment) UpdatesImages() bool {
	return e.Delivers() && e.Delivery.ImageUpdates != ImageUpdatesNone
}

// ImageUpdates says what Flux does with a new image tag.
type ImageUpdates string

// The values of Delivery.ImageUpdates.
const (
	ImageUpdatesCommit      ImageUpdates = "commit"
	ImageUpdatesPullRequest ImageUpdates = "pullRequest"
	ImageUpdatesNone        ImageUpdates = "none"
)
