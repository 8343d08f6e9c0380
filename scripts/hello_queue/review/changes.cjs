// What changes between two CloudFormation templates, by the CDK's own diff: stdin {"before", "after"}, stdout a list.
const { fullDiff } = require("@aws-cdk/cloudformation-diff");

const { before, after } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const changes = [];
fullDiff(before, after).resources.forEachDifference((id, resource) => {
  const properties = [];
  resource.forEachDifference((kind, name, difference) => {
    properties.push({ kind, name, before: difference.oldValue, after: difference.newValue, impact: difference.changeImpact });
  });
  changes.push({ id, impact: resource.changeImpact, properties });
});
console.log(JSON.stringify(changes));
