#!/usr/bin/env bash
# publish.sh REPOSITORY NAME TAG: makes TAG an index of the images NAME-arm64 and
# NAME-amd64 in an ECR repository, after their scans found nothing of the
# severities in SCAN_REFUSES. It needs no Docker: ECR takes the index as text.
set -euo pipefail

repository=$1 name=$2 tag=$3
architectures="arm64 amd64"

# scan ARCHITECTURE: waits until the scan of a push is done (ECR starts it by
# itself) and prints the number of findings per severity, as JSON.
scan() {
  local image="imageTag=$name-$1" status="" tries=${SCAN_TRIES:-60}
  for ((i = 0; i < tries; i++)); do
    status=$(aws ecr describe-image-scan-findings --repository-name "$repository" --image-id "$image" \
      --query imageScanStatus.status --output text 2>/dev/null) || status="NOT_FOUND"
    case $status in
    COMPLETE | ACTIVE) break ;;
    FAILED | UNSUPPORTED_IMAGE)
      echo "publish.sh: the scan of $repository:$name-$1 ended with $status; look at it in ECR" >&2
      return 1
      ;;
    esac
    sleep "${SCAN_PAUSE:-10}"
  done
  if [[ $status != COMPLETE && $status != ACTIVE ]]; then
    echo "publish.sh: no scan of $repository:$name-$1 after $tries tries ($status); is scan on push enabled?" >&2
    return 1
  fi
  aws ecr describe-image-scan-findings --repository-name "$repository" --image-id "$image" \
    --query 'imageScanFindings.findingSeverityCounts || `{}`' --output json
}

# count JSON SEVERITY
count() { node -e 'console.log(JSON.parse(process.argv[1])[process.argv[2]] || 0)' "$1" "$2"; }

refused=0
for architecture in $architectures; do
  findings=$(scan "$architecture")
  echo "$repository:$name-$architecture:" $findings
  for severity in ${SCAN_REFUSES:-CRITICAL}; do
    n=$(count "$findings" "$severity")
    if ((n > 0)); then
      echo "publish.sh: $n findings of severity $severity in $repository:$name-$architecture; update the base image or the package, dockerbuild/Dockerfile" >&2
      refused=1
    fi
  done
done
((refused == 0)) || exit 1

index=$(mktemp)
trap 'rm -f "$index"' EXIT
for architecture in $architectures; do
  aws ecr batch-get-image --repository-name "$repository" --image-ids imageTag="$name-$architecture" --output json
done | node -e '
  const text = require("node:fs").readFileSync(0, "utf8").trim();
  const answers = JSON.parse("[" + text.replace(/\}\s*\{/g, "},{") + "]");
  const manifests = process.argv.slice(1).map((architecture, i) => {
    const image = answers[i].images[0];
    if (!image) throw new Error(`no image for ${architecture}: ${JSON.stringify(answers[i].failures)}`);
    return {
      mediaType: JSON.parse(image.imageManifest).mediaType,
      size: Buffer.byteLength(image.imageManifest),
      digest: image.imageId.imageDigest,
      platform: { architecture, os: "linux" },
    };
  });
  console.log(JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests }));
' $architectures >"$index"
aws ecr put-image --repository-name "$repository" --image-tag "$tag" \
  --image-manifest-media-type application/vnd.oci.image.index.v1+json \
  --image-manifest "file://$index" --query image.imageId.imageDigest --output text
echo "$repository:$tag"
