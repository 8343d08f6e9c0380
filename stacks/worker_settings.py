"""The settings of the workers on AWS Lambda."""

from __future__ import annotations

from dataclasses import dataclass

from stacks.setting_kinds import Choice, SettingsError, SettingsGroup, Text, WholeNumber, setting

DEFAULT_WORKER_CONCURRENCY = 10
_FOLDER = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(SettingsGroup):
    """Workers on AWS Lambda."""

    workers: str = setting(
        "none",
        Choice(
            options=("none", "lambda"),
            meaning="`lambda`: a function on AWS Lambda handles the messages, in a stack of its own",
        ),
    )
    worker_handler: str = setting(
        "example:log",
        Text(
            pattern=r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*",
            words="module:function",
            longest=200,
            meaning="The function that handles a message, as for process.py's `--handler`",
        ),
    )
    worker_folder: str = setting(
        "scripts/workers",
        Text(
            pattern=rf"{_FOLDER}(/{_FOLDER})*",
            words="a folder in the project, of letters, digits and ._- (no part starts with a dot)",
            longest=200,
            meaning="The folder of the handler's module, relative to the root of the project, with a requirements.txt "
            "if it needs one",
        ),
    )
    worker_timeout_seconds: int = setting(
        5,
        WholeNumber(
            minimum=1,
            maximum=900,
            unit="seconds",
            meaning="How long a batch may take; the visibility timeout must be at least six times this plus the batch "
            "window",
        ),
    )
    worker_memory_mb: int = setting(
        128, WholeNumber(minimum=128, maximum=10_240, unit="MB", meaning="The function's memory, and with it its CPU")
    )
    worker_concurrency: int = setting(
        DEFAULT_WORKER_CONCURRENCY,
        WholeNumber(
            minimum=2,
            maximum=1_000,
            unit="batches",
            meaning="The maximum number of batches in progress; not with `worker_pollers_min`",
        ),
    )
    worker_batch_size: int = setting(
        10, WholeNumber(minimum=1, maximum=10, unit="messages", meaning="The maximum number of messages in a batch")
    )
    worker_batch_window_seconds: int = setting(
        0,
        WholeNumber(
            minimum=0, maximum=300, unit="seconds", meaning="How long to wait for a full batch; not with `fifo`"
        ),
    )
    worker_pollers_min: int = setting(
        0,
        WholeNumber(
            minimum=0,
            maximum=200,
            unit="pollers",
            meaning="Provisioned mode: so many event pollers, 2 or more, are always ready, and are paid for. `0`: "
            "Lambda starts pollers as it needs them",
        ),
    )
    worker_pollers_max: int = setting(
        0,
        WholeNumber(
            minimum=0,
            maximum=2_000,
            unit="pollers",
            meaning="Provisioned mode: the maximum number of event pollers, each of up to ten batches in progress. `0` "
            "without provisioned mode",
        ),
    )

    def __post_init__(self) -> None:
        """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""
        super().__post_init__()
        least, most = self.worker_pollers_min, self.worker_pollers_max
        if least == most == 0:
            return
        if min(least, most) < 2:
            raise SettingsError(
                f"worker_pollers_min, worker_pollers_max: {least} and {most}: provisioned mode needs both, each of 2 "
                "or more. Set both to 0 to do without it"
            )
        if least > most:
            raise SettingsError(f"worker_pollers_min: {least} is more than worker_pollers_max, {most}: lower it")
        if self.worker_concurrency != DEFAULT_WORKER_CONCURRENCY:
            raise SettingsError(
                f"worker_concurrency: {self.worker_concurrency} cannot be combined with provisioned mode: leave it "
                "out, and limit the batches in progress by worker_pollers_max"
            )
