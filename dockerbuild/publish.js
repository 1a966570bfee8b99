#!/usr/bin/env node
// publish.js REPOSITORY NAME TAG: makes TAG an index of the images NAME-arm64 and
// NAME-amd64 in an ECR repository, when scan.js allows both. It needs no Docker: ECR
// takes the index as text.
//
// ECR scans images and no index, so both images are asked for, by their digests:
// what the index names is what was scanned.
"use strict";
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { aws, check, run } = require("./scan.js");

const architectures = ["arm64", "amd64"];
const indexType = "application/vnd.oci.image.index.v1+json";
const [repository, name, tag] = process.argv.slice(2);

// images finds the image of each architecture, in their order.
function images() {
  const answer = aws(repository, "batch-get-image", "--image-ids", ...architectures.map((a) => `imageTag=${name}-${a}`));
  return architectures.map((architecture) => {
    const image = answer.images.find((i) => i.imageId.imageTag === `${name}-${architecture}`);
    if (!image) throw new Error(`no image ${repository}:${name}-${architecture}: ${JSON.stringify(answer.failures)}`);
    return {
      architecture, digest: image.imageId.imageDigest, what: `${repository}:${name}-${architecture}`,
      mediaType: image.imageManifestMediaType ?? JSON.parse(image.imageManifest).mediaType, size: Buffer.byteLength(image.imageManifest),
    };
  });
}

function publish() {
  if (!tag) throw new Error("usage: publish.js REPOSITORY NAME TAG");
  const found = images();
  check(repository, found);
  const manifests = found.map(({ mediaType, size, digest, architecture }) => ({ mediaType, size, digest, platform: { architecture, os: "linux" } }));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "index-"));
  try {
    const file = path.join(folder, "index.json");
    fs.writeFileSync(file, JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
    aws(repository, "put-image", "--image-tag", tag, "--image-manifest-media-type", indexType, "--image-manifest", `file://${file}`);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  console.log(`${repository}:${tag}`);
}

run(publish);
