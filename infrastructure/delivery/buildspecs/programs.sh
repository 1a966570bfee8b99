#!/usr/bin/env bash
# Builds the programs of the local system from this checkout, and keeps them: programs.yml.
set -euo pipefail

case ${CODEBUILD_BUILD_URL:-} in
file:*)
  echo 'No programs are kept: this is the local system, which has its own.'
  exit
  ;;
esac

infrastructure/delivery/buildspecs/packages.sh
make --silent node_modules/.package-lock.json bin/app bin/gitops bin/gitops-local bin/services
# The rest of what the compiler keeps is larger than the programs, and only what changes is compiled again.
GOCACHE=/tmp/rest/go-build GOMODCACHE=/tmp/rest/go-mod bin/gitops local up
bin/gitops local down
# Snapshots hold passwords, though of a system that is gone: they stay here.
tar --create --zstd --file /tmp/programs.tar.zst --directory /tmp --exclude cache/programs/snapshots cache
aws s3api put-object --bucket "${PROGRAMS_BUCKET:?is the pipelines bucket}" --key "${PROGRAMS_KEY:?names the archive}" --body /tmp/programs.tar.zst >/dev/null
