"""The CDK app: settings -> stacks -> cdk-nag. ``cdk synth`` and ``cdk deploy`` run it (see cdk.json)."""

import sys
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from hello_queue.constants import IDENTITY_STACK, MESSAGING_STACK, WORKERS_STACK
from stacks.identity import IdentityStack
from stacks.messaging import MessagingStack
from stacks.settings import Settings, SettingsError
from stacks.workers import WorkersStack


def build(**options: Any) -> cdk.App:
    """The app with its stacks and checks, not yet synthesized.

    Args:
        options: as ``cdk.App`` takes them.

    Raises:
        SettingsError: the app's context does not describe a deployment.
    """
    # The default synthesizer deploys with the roles that `cdk bootstrap` made; its version check would only add a
    # parameter and a rule to templates that people read.
    synthesizer = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
    app = cdk.App(default_stack_synthesizer=synthesizer, **options)
    settings = Settings.from_context(app.node.get_all_context())
    tags = {"Project": "hello-queue", "Deployment": settings.deployment or "default"}
    messaging = MessagingStack(app, settings.prefixed(MESSAGING_STACK), settings=settings, tags=tags)
    IdentityStack(app, settings.prefixed(IDENTITY_STACK), settings=settings, tags=tags)
    if settings.workers == "lambda":
        workers = WorkersStack(app, settings.prefixed(WORKERS_STACK), settings=settings, tags=tags)
        workers.add_stack_dependency(messaging)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    return app


def main() -> None:
    try:
        app = build()
    except SettingsError as error:
        sys.exit(f"settings: {error}")
    app.synth()


if __name__ == "__main__":
    main()
