"""Runs cdk-nag's AwsSolutions rules on templates, whatever the app that made them did with its own findings.

Usage: ``python run_nag.py DIRECTORY``, with a list of templates as JSON on stdin. The n-th is checked as stack Sn.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(directory: str) -> None:
    import aws_cdk as cdk
    from aws_cdk import cloudformation_include
    from cdk_nag import AwsSolutionsChecks

    app = cdk.App(outdir=directory, analytics_reporting=False)
    for number, template in enumerate(json.load(sys.stdin)):
        file = Path(f"{directory}.{number}.json")
        file.write_text(json.dumps(template))
        # The templates may have the rule already.
        synthesizer = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
        stack = cdk.Stack(app, f"S{number}", synthesizer=synthesizer)
        cloudformation_include.CfnInclude(stack, "T", template_file=str(file))
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:  # a rule is violated: the report says which
        print(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
