package environment

// The files of an environment's folder, as those of the sample environments are; a test compares them.
const (
	entry = `# yaml-language-server: $schema=https://json.schemastore.org/kustomization
# Flux entry point of environment %[1]s: the base, its images and what writes their tags. A difference that is
# not a fact of the AWS half goes here as a patch: docs/guides/environments.md.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
patches:
  - path: images.yaml
resources:
  - ../base
  - ../base/image-automation
`
	copyingEntry = `# yaml-language-server: $schema=https://json.schemastore.org/kustomization
# Flux entry point of environment %[1]s: the base, and the images that a promotion brings. A difference that is
# not a fact of the AWS half goes here as a patch: docs/guides/environments.md.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
patches:
  - path: images.yaml
resources:
  - ../base
`
	plainEntry = `# yaml-language-server: $schema=https://json.schemastore.org/kustomization
# Flux entry point of environment %[1]s: the base. A difference that is not a fact of the AWS half goes here
# as a patch: docs/guides/environments.md.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../base
`
	images = imagesSchema + `# The images of %s, written by Flux: k8s/platform/image-automation. Before the first build of
# dockerbuild/ it is the official image.
` + imagesPatch + ` # {"$imagepolicy": "flux-system:ghost"}
`
	copiedImages = imagesSchema + `# The images of %s, written by "gitops promotion --write": another environment built and scanned them. Before
# the first promotion it is the official image.
` + imagesPatch + `
`
	imagesSchema = `# yaml-language-server: $schema=https://raw.githubusercontent.com/fluxcd-community/flux2-schemas/main/kustomization-kustomize-v1.json
`
	imagesPatch = `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  postBuild:
    substitute:
      GHOST_IMAGE: %s`
)
