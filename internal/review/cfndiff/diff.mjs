// Compares pairs of CloudFormation templates with the CDK's own library and prints the result as JSON.
//
//   node diff.mjs <folder with node_modules> <pairs.json>
//
// pairs.json is [{"old": template, "new": template}, …]. The library knows from CloudFormation's resource specification
// which property changes replace a resource; it also reads IAM statements and security-group rules out of the resources.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [root, pairs] = process.argv.slice(2);
const { fullDiff } = createRequire(join(root, 'package.json'))('@aws-cdk/cloudformation-diff');

// Sections of a template whose changes are shown as they are.
const sections = ['parameters', 'mappings', 'conditions', 'outputs', 'unknown'];

const change = (old, now, impact) => ({ old, new: now, impact });

function resource(id, difference) {
  const properties = {};
  for (const [name, p] of Object.entries(difference.propertyUpdates)) {
    if (p.isDifferent) properties[name] = change(p.oldValue, p.newValue, p.changeImpact);
  }
  const attributes = {};
  for (const [name, a] of Object.entries(difference.otherChanges)) {
    // Metadata is for tools; changing it changes nothing in AWS.
    if (a.isDifferent && name !== 'Metadata' && name !== 'Type') attributes[name] = change(a.oldValue, a.newValue, '');
  }
  return {
    id,
    oldType: difference.oldResourceType,
    newType: difference.newResourceType,
    impact: difference.changeImpact,
    old: difference.oldValue,
    new: difference.newValue,
    properties,
    attributes,
  };
}

// A statement that is an intrinsic function as a whole cannot be read; its text is all there is to say.
const parsed = (list = []) => list.map((item) => (item.type === 'parsed' ? item.value : { unparsed: item.repr }));

function compare({ old, new: now }) {
  const difference = fullDiff(old, now);
  const resources = [];
  difference.resources.forEachDifference((id, r) => {
    if (r.isDifferent) resources.push(resource(id, r));
  });
  const other = [];
  for (const section of sections) {
    difference[section].forEachDifference((id, d) => {
      if (d.isDifferent) other.push({ section, id, ...change(d.oldValue, d.newValue, '') });
    });
  }
  const iam = difference.iamChanges._toJson();
  const groups = difference.securityGroupChanges.toJson();
  return {
    resources,
    other,
    iam: {
      added: parsed(iam.statementAdditions),
      removed: parsed(iam.statementRemovals),
      policiesAdded: parsed(iam.managedPolicyAdditions),
      policiesRemoved: parsed(iam.managedPolicyRemovals),
    },
    groups: {
      ingressAdded: groups.ingressRuleAdditions ?? [],
      ingressRemoved: groups.ingressRuleRemovals ?? [],
      egressAdded: groups.egressRuleAdditions ?? [],
      egressRemoved: groups.egressRuleRemovals ?? [],
    },
  };
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(pairs, 'utf8')).map(compare)));
