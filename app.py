"""The CDK app: settings -> stacks -> cdk-nag. ``cdk synth`` and ``cdk deploy`` run it (see cdk.json)."""

import sys

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from stacks.identity import IdentityStack
from stacks.messaging import MessagingStack
from stacks.settings import Settings, SettingsError


def compose(app: cdk.App) -> None:
    """Put the stacks and their checks into the app.

    Raises:
        SettingsError: the app's context does not describe a deployment.
    """
    settings = Settings.from_context(app.node.get_all_context())
    tags = {"Project": "hello-queue", "Deployment": settings.deployment or "default"}
    MessagingStack(app, settings.prefixed("HelloQueueMessaging"), settings=settings, tags=tags)
    IdentityStack(app, settings.prefixed("HelloQueueIdentity"), settings=settings, tags=tags)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))


def main() -> None:
    # The default synthesizer deploys with the roles that `cdk bootstrap` made; its version check would only add a
    # parameter and a rule to templates that people read.
    app = cdk.App(default_stack_synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
    try:
        compose(app)
    except SettingsError as error:
        sys.exit(f"settings: {error}")
    app.synth()


if __name__ == "__main__":
    main()
