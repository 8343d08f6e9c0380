"""The network between simulated processes and the model of SQS: a `Transport` with delays and faults."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore import exceptions as aws

from hello_queue.aws.clients import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from tests.simulation.faults import Event
from tests.simulation.sqs_service import Answer, Refused, Service
from tests.simulation.virtual_loop import Process

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle

URL = "https://sqs.us-east-1.amazonaws.com"
_WORLD = contextvars.Context()
"""Where requests travel: they arrive although their sender was killed."""


class Network:
    """Decides what happens to each request.

    Attributes:
        active: the events that affect requests now.
        fault_counts: how often each kind of fault has hit a request.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, service: Service, chance: random.Random, oracle: Oracle
    ) -> None:
        self.loop = loop
        self.service = service
        self.chance = chance
        self.oracle = oracle
        self.active: list[Event] = []
        self.fault_counts: dict[str, int] = {}
        self.latency = chance.choice((0.002, 0.01, 0.05))
        self.requests = 0

    def fault(self, role: str, action: str) -> str:
        """What befalls this request; empty: nothing."""
        for event in self.active:
            if (event.who in ("", role)) and event.action in ("", action) and self.chance.random() < event.share:
                self.fault_counts[event.kind] = self.fault_counts.get(event.kind, 0) + 1
                return event.kind
        return ""

    def delay(self, kind: str) -> float:
        if kind == "slow":
            return self.chance.uniform(0.05, 4)
        return self.latency * self.chance.uniform(0.5, 2)


class SimulatedTransport:
    """What one process calls SQS by."""

    def __init__(self, network: Network, process: Process, role: str) -> None:
        self._network = network
        self._process = process
        self._role = role

    async def close(self) -> None:
        """There is nothing to close."""

    async def call(self, action: str, parameters: Mapping[str, Any], timeout: float = READ_TIMEOUT_SECONDS) -> Any:
        network = self._network
        loop = network.loop
        network.requests += 1
        request = network.requests
        kind = network.fault(self._role, action)
        network.oracle.asked(self._process, action, parameters, kind)
        answer: asyncio.Future[Answer] = loop.create_future()
        _Request(network, self._process, action, parameters, kind, request, timeout, answer).send()
        try:
            result = await answer
        except (aws.ClientError, aws.BotoCoreError) as error:
            network.oracle.failed(self._process, action, parameters, error)
            raise
        network.oracle.answered(self._process, action, parameters, result)
        return result


class _Request:
    """A request on its way, with the fault that befalls it."""

    def __init__(
        self,
        network: Network,
        process: Process,
        action: str,
        parameters: Mapping[str, Any],
        kind: str,
        number: int,
        timeout: float,
        answer: asyncio.Future[Answer],
    ) -> None:
        self._network = network
        self._loop = network.loop
        self._process = process
        self._action = action
        self._parameters = parameters
        self._kind = kind
        self._number = number
        self._timeout = timeout
        self._answer = answer
        self._begun = self._loop.time()
        self._silent = False

    def send(self) -> None:
        kind, chance = self._kind, self._network.chance
        way = self._network.delay(kind)
        if kind == "refused":
            self._fail(way, aws.EndpointConnectionError(endpoint_url=URL, error="refused"))
        elif kind == "unconnected":
            self._fail(min(CONNECT_TIMEOUT_SECONDS, self._timeout), aws.ConnectTimeoutError(endpoint_url=URL))
        elif kind == "request lost":
            self._fail(way, _closed())
        elif kind in ("throttled", "unavailable", "expired"):
            codes = {"throttled": "RequestThrottled", "unavailable": "ServiceUnavailable", "expired": "ExpiredToken"}
            self._fail(2 * way, Refused(codes[kind]).raised(self._action))
        elif kind == "broken":
            if chance.random() < 0.5:
                self._arrive_silently(way)
            self._fail(2 * way, Refused("InternalError").raised(self._action))
        elif kind == "answer lost":
            self._arrive_silently(way)
            self._fail(2 * way, _closed())
        elif kind == "overtaken":
            self._arrive_silently(way + chance.uniform(0, 8))
            self._fail(way, _closed())
        elif kind == "stalled":
            self._arrive_silently(way)
            self._fail(self._timeout, aws.ReadTimeoutError(endpoint_url=URL))
        elif kind == "request stalled":
            self._arrive_silently(self._timeout + chance.uniform(0, 10))
            self._fail(self._timeout, aws.ReadTimeoutError(endpoint_url=URL))
        else:
            if kind == "duplicated" and self._action != "ReceiveMessage":
                self._in_world(way + chance.uniform(0, 3), self._act)
            self._in_world(way, self._arrive)
            if kind == "slow":
                self._fail(self._timeout, aws.ReadTimeoutError(endpoint_url=URL))

    def _arrive_silently(self, delay: float) -> None:
        """It acts, and nobody hears of it."""
        self._silent = True
        self._in_world(delay, self._arrive)

    def _in_world(self, delay: float, act: Callable[[], object]) -> None:
        self._loop.call_later(delay, act, context=_WORLD)

    def _fail(self, delay: float, error: Exception) -> None:
        self._loop.call_later(delay, self._settle, None, error, context=self._process.context)

    def _arrive(self) -> None:
        if self._action == "ReceiveMessage":
            self._network.service.receive(self._parameters, self._respond)
        else:
            self._respond(self._act())

    def _act(self) -> Answer | Refused:
        network = self._network
        parameters = self._parameters
        failing: list[Any] = []
        entries = parameters["Entries"]
        if self._kind == "entries fail":
            failing = [entry for entry in entries if network.chance.random() < 0.4]
            parameters = {**parameters, "Entries": [entry for entry in entries if entry not in failing]}
        elif self._kind == "altered" and self._action == "SendMessageBatch":
            altered = [{**each, "MessageBody": each["MessageBody"] + "~"} for each in entries[:1]]
            parameters = {**parameters, "Entries": altered + entries[1:]}
        network.oracle.acting(self._process, self._action, self._number)
        try:
            answer: Answer = {"Successful": [], "Failed": []}
            if parameters["Entries"]:
                answer = network.service.perform(self._action, parameters)
        except Refused as refused:
            return refused
        codes = ("InternalError", "RequestThrottled")
        answer["Failed"] += [Refused(codes[number % 2]).entry(entry["Id"]) for number, entry in enumerate(failing)]
        return answer

    def _respond(self, answer: Answer | Refused) -> None:
        network = self._network
        if self._action == "ReceiveMessage":
            network.oracle.handed_out(self._process, answer, self._begun, self._kind, heard=not self._silent)
        if self._silent:
            return
        if self._kind == "altered" and self._action == "ReceiveMessage" and not isinstance(answer, Refused):
            for message in answer.get("Messages", ())[:1]:
                message["Body"] += "~"
        elif self._kind == "entries missing" and not isinstance(answer, Refused) and "Successful" in answer:
            answer["Successful"] = [each for each in answer["Successful"] if network.chance.random() < 0.6]
        error = answer.raised(self._action) if isinstance(answer, Refused) else None
        delay = network.delay(self._kind)
        self._loop.call_later(delay, self._settle, answer, error, context=self._process.context)

    def _settle(self, answer: Answer | Refused | None, error: Exception | None) -> None:
        if self._answer.done():
            return
        if error is not None:
            self._answer.set_exception(error)
        else:
            assert isinstance(answer, dict)
            self._answer.set_result(answer)


def _closed() -> Exception:
    return aws.ConnectionClosedError(endpoint_url=URL, request=None, response=None)
