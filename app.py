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
    """The app with its stacks and checks, before it is synthesized.

    Args:
        options: arguments of ``cdk.App``.

    Raises:
        SettingsError: the app's context has an unknown setting or an invalid value.
    """
    # The default synthesizer deploys with the roles of `cdk bootstrap`; its version check would only add a parameter
    # and a rule to templates that people read.
    synthesizer = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
    app = cdk.App(default_stack_synthesizer=synthesizer, **options)
    settings = Settings.from_context(app.node.get_all_context())
    names = settings.names
    tags = {"Project": "hello-queue", "Deployment": names.deployment or "default"}
    messaging = MessagingStack(
        app,
        names.prefixed(MESSAGING_STACK),
        settings=settings.queue,
        alarm_settings=settings.alarms,
        names=names,
        tags=tags,
    )
    IdentityStack(app, names.prefixed(IDENTITY_STACK), settings=settings.identity, names=names, tags=tags)
    workers = WorkersStack(
        app,
        names.prefixed(WORKERS_STACK),
        settings=settings.workers,
        names=names,
        notify_by_email=bool(settings.alarms.alarm_email),
        tags=tags,
    )
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
