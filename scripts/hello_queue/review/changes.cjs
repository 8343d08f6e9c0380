// What changes between CloudFormation templates, by the CDK's own diff. Each line of stdin is a list of {before, after} in
// JSON; each line of stdout is the list of what happens to each resource, and of the text that `cdk diff` prints.
const { formatDifferences, fullDiff } = require("@aws-cdk/cloudformation-diff");
const { createInterface } = require("readline");
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
createInterface({ input: process.stdin }).on("line", (line) => {
  console.log(JSON.stringify(JSON.parse(line).map(comparedOrNot)));
});
