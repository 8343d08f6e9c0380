"""The names that a deployment's resources have in AWS. Only what a person or a script looks up has such a name."""

from __future__ import annotations

from dataclasses import dataclass

_FIFO_SUFFIX = ".fifo"


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of one deployment, each with the deployment's name in front: ``test``, or ``staging-test``."""

    deployment: str
    group_name: str
    user_name: str
    queue_name: str
    fifo: bool

    def prefixed(self, name: str) -> str:
        return f"{self.deployment}-{name}" if self.deployment else name

    @property
    def group(self) -> str:
        return self.prefixed(self.group_name)

    @property
    def user(self) -> str:
        return self.prefixed(self.user_name)

    @property
    def access_key_secret(self) -> str:
        return f"{self.user}/access-key"

    @property
    def console_password_secret(self) -> str:
        return f"{self.user}/console-password"

    @property
    def require_mfa_policy(self) -> str:
        return f"{self.user}-require-mfa"

    @property
    def queue(self) -> str:
        return self.of_queue() + self.queue_suffix

    @property
    def dead_letter_queue(self) -> str:
        return self.of_queue("-dlq") + self.queue_suffix

    @property
    def queue_suffix(self) -> str:
        return _FIFO_SUFFIX if self.fifo else ""

    @property
    def queue_user_policy(self) -> str:
        return self.of_queue("-queue-user")

    @property
    def operator_policy(self) -> str:
        return self.of_queue("-operator")

    @property
    def alarm_topic(self) -> str:
        return self.of_queue("-alarms")

    @property
    def dashboard(self) -> str:
        return self.of_queue()

    @property
    def worker(self) -> str:
        return self.of_queue("-worker")

    def of_queue(self, ending: str = "") -> str:
        """A name made from the queue's."""
        return self.prefixed(f"{self.queue_name}{ending}")
