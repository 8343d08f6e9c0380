// What changes between CloudFormation templates, by the CDK's own diff. stdin: a list of {before, after}; stdout: for each
// what happens to each resource, and the text that `cdk diff` prints.
const { formatDifferences, fullDiff } = require("@aws-cdk/cloudformation-diff");
const { Writable } = require("stream");

function compared({ before, after }) {
  const impacts = {};
  const diff = fullDiff(before, after);
  diff.resources.forEachDifference((id, resource) => {
    const causes = [];
    resource.forEachDifference((kind, name, difference) => {
      if (/REPLACE/.test(difference.changeImpact)) causes.push(name);
    });
    impacts[id] = { impact: resource.changeImpact, causes };
  });
  let text = "";
  const stream = new Writable({ write(chunk, _encoding, done) { text += chunk; done(); } });
  formatDifferences(stream, diff);
  return { impacts, text };
}

// A template that the CDK cannot read may replace everything.
function comparedOrNot(templates) {
  try {
    return compared(templates);
  } catch (error) {
    const ids = Object.keys(templates.after.Resources);
    return { impacts: Object.fromEntries(ids.map((id) => [id, { impact: "MAY_REPLACE", causes: [] }])), text: String(error) };
  }
}

process.env.NO_COLOR = "1";
console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).map(comparedOrNot)));
