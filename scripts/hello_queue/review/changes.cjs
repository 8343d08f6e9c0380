// What changes between CloudFormation templates, by the CDK's own diff: stdin a list of {"before", "after"}, stdout a list of lists.
const { fullDiff } = require("@aws-cdk/cloudformation-diff");

function changes({ before, after }) {
  const found = [];
  fullDiff(before, after).resources.forEachDifference((id, resource) => {
    const properties = [];
    resource.forEachDifference((kind, name, difference) => {
      properties.push({ kind, name, before: difference.oldValue, after: difference.newValue, impact: difference.changeImpact });
    });
    found.push({ id, impact: resource.changeImpact, properties });
  });
  return found;
}

console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).map(changes)));
