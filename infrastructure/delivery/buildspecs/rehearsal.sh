#!/usr/bin/env bash
# Rehearses the pull request of this checkout and writes the result into a file: rehearsal.yml.
set -euo pipefail
result=$1

case ${CODEBUILD_BUILD_URL:-} in
file:*)
  echo 'Nothing is rehearsed: this is the local system, and a rehearsal is one itself. Run bin/gitops rehearse in your checkout.'
  exit
  ;;
esac
if [ "origin/${REVIEW_BRANCH:?is the branch of the pull request}" = "${REVIEW_BASE:?names the branch that it goes to}" ]; then
  echo "Nothing to rehearse: $REVIEW_BRANCH itself." # the execution that a new pipeline begins with
  exit
fi

git fetch --quiet origin "${REVIEW_BASE#origin/}:refs/remotes/$REVIEW_BASE"
infrastructure/delivery/buildspecs/packages.sh
if aws s3api get-object --bucket "${PROGRAMS_BUCKET:?is the pipelines bucket}" --key "${PROGRAMS_KEY:?names the archive}" /tmp/programs.tar.zst >/dev/null; then
  tar --extract --zstd --file /tmp/programs.tar.zst --directory /tmp # cache/
else
  echo 'No programs are kept yet: they are built here, which takes a quarter of an hour and more. Release the pipeline that builds them.'
fi
make --silent node_modules/.package-lock.json bin/gitops bin/gitops-local bin/services
# A rehearsal that broke has a result, which says so, and the build ends well: whether CodeBuild tells what a failed build has
# exported is not tried.
bin/gitops rehearse --base "$REVIEW_BASE" -o json >"$result" || [ -s "$result" ]
