#!/usr/bin/env node
// scan.js REPOSITORY DIGEST...: fails unless the scans of images in an ECR
// repository found nothing of the severities in SCAN_REFUSES that accepted.json
// does not accept. publish.js asks it before it gives a tag, and a promotion before
// it takes an image over.
"use strict";
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

// Severities that stop an image, separated by blanks: CRITICAL HIGH MEDIUM LOW.
const refuses = (process.env.SCAN_REFUSES ?? "CRITICAL").split(/\s+/).filter(Boolean);
const tries = Number(process.env.SCAN_TRIES ?? 60);
const pause = Number(process.env.SCAN_PAUSE ?? 10) * 1000;
// A file beside this one, unless a test has its own.
const acceptedFile = process.env.SCAN_ACCEPTED ?? path.join(__dirname, "accepted.json");

// aws runs a command of ECR for a repository and returns its answer, all pages of it: as JSON the
// CLI joins them, while --query with --output text answers for each page. The
// CLI waits and repeats what ECR throttles.
function aws(repository, operation, ...args) {
  const run = spawnSync("aws", ["ecr", operation, "--repository-name", repository, ...args, "--output", "json"], {
    encoding: "utf8", maxBuffer: 1 << 28, env: { ...process.env, AWS_RETRY_MODE: "standard", AWS_MAX_ATTEMPTS: "10", AWS_PAGER: "" },
  });
  if (run.error) throw new Error(`aws ecr ${operation}: ${run.error.message}`);
  if (run.status === 0) return JSON.parse(run.stdout);
  const text = run.stderr.trim();
  throw Object.assign(new Error(`aws ecr ${operation}: ${text}`), { code: /An error occurred \((\w+)\)/.exec(text)?.[1] });
}

// accepted reads the findings that somebody accepted.
function accepted() {
  let list;
  try {
    list = JSON.parse(fs.readFileSync(acceptedFile, "utf8"));
  } catch (error) {
    throw new Error(`${acceptedFile}: ${error.message}`);
  }
  list.forEach((entry, i) => {
    for (const key of ["name", "package", "reason", "until"]) {
      if (typeof entry[key] !== "string" || !entry[key]) throw new Error(`${acceptedFile}: entry ${i + 1} (${entry.name}) has no ${key}`);
    }
    if (!/^\d{4}-\d{2}-\d{2}$/.test(entry.until) || isNaN(Date.parse(entry.until))) {
      throw new Error(`${acceptedFile}: ${entry.name}: until must be a date, YYYY-MM-DD, got ${entry.until}`);
    }
  });
  return list;
}

// scan waits until the scan of a push is done, which ECR starts by itself a
// moment after the push, and returns what it found.
function scan(repository, { what, digest }) {
  let status;
  for (let i = 0; i < tries; i++) {
    if (i > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
    try {
      const answer = aws(repository, "describe-image-scan-findings", "--image-id", `imageDigest=${digest}`);
      status = answer.imageScanStatus?.status;
      // Basic scans end as COMPLETE, Inspector's stay ACTIVE.
      if (status === "COMPLETE" || status === "ACTIVE") return answer.imageScanFindings ?? {};
      if (status !== "IN_PROGRESS" && status !== "PENDING") {
        throw new Error(`the scan of ${what} ended with ${status}: ${answer.imageScanStatus?.description ?? "no description"}; look at it in ECR`);
      }
    } catch (error) {
      if (error.code !== "ScanNotFoundException") throw error;
      status = error.code;
    }
  }
  throw new Error(`no scan of ${what} after ${tries} tries (${status}); is scan on push enabled for the repository?`);
}

// listed are the findings of a scan, as basic scanning and as Inspector words them.
function listed(found) {
  const attribute = (finding, key) => finding.attributes?.find((a) => a.key === key)?.value ?? "";
  return [
    ...(found.findings ?? []).map((f) => ({ name: f.name, severity: f.severity, package: attribute(f, "package_name") })),
    ...(found.enhancedFindings ?? []).flatMap((f) => {
      const details = f.packageVulnerabilityDetails ?? {};
      return (details.vulnerablePackages ?? [{}]).map((p) => ({ name: details.vulnerabilityId ?? f.title, severity: f.severity, package: p.name ?? "" }));
    }),
  ];
}

// judge returns why the findings of an image stop it, and notes which
// entries of the list were of use.
function judge({ what }, found, list, used) {
  const today = new Date().toISOString().slice(0, 10);
  const counts = found.findingSeverityCounts ?? {};
  console.log(`${what}: ${JSON.stringify(counts)}`);
  const problems = [];
  for (const severity of refuses) {
    const findings = listed(found).filter((f) => f.severity === severity);
    // Inspector can hold back what a rule suppresses; no page may be missing.
    if (findings.length < (counts[severity] ?? 0)) {
      problems.push(`${counts[severity] - findings.length} findings of severity ${severity} in ${what} that ECR counts and does not list`);
    }
    for (const finding of findings) {
      const entry = list.find((e) => e.name === finding.name && e.package === finding.package);
      if (entry) used.add(entry);
      if (entry && entry.until >= today) {
        console.log(`${what}: ${finding.name} in ${finding.package} is accepted until ${entry.until}: ${entry.reason}`);
      } else if (entry) {
        problems.push(`${finding.name} in ${finding.package} of ${what} was accepted until ${entry.until} (${entry.reason}); update the package, or give the entry in dockerbuild/accepted.json another date`);
      } else {
        problems.push(`${finding.name} of severity ${severity} in ${finding.package || "an unnamed package"} of ${what}; update the base image or the package in dockerbuild/Dockerfile, or accept it with a reason and a date in dockerbuild/accepted.json`);
      }
    }
  }
  return problems;
}

// check fails unless the scans of all images allow them; what names an image to
// people.
function check(repository, images) {
  const list = accepted();
  const used = new Set();
  const problems = images.flatMap((image) => judge(image, scan(repository, image), list, used));
  for (const entry of list) {
    if (!used.has(entry)) console.log(`dockerbuild/accepted.json: ${entry.name} in ${entry.package} matches nothing that was found; remove it`);
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

// run runs a script and says who fails, on each line.
function run(script) {
  try {
    script();
  } catch (error) {
    for (const line of error.message.split("\n")) console.error(`${path.basename(process.argv[1])}: ${line}`);
    process.exitCode = 1;
  }
}

module.exports = { aws, check, run };

if (require.main === module) {
  run(() => {
    const [repository, ...digests] = process.argv.slice(2);
    if (digests.length === 0) throw new Error("usage: scan.js REPOSITORY DIGEST...");
    check(repository, digests.map((digest) => ({ digest, what: `${repository}@${digest}` })));
  });
}
