"""Predict in a thread, so that the event loop stays free, and for several requests at a time.

Nothing waits for a batch to fill: what arrives while a prediction runs goes into the next one.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from ..workloads import FittedModel


class Overdue(Exception):
    """There was no prediction in time."""


class Job(NamedTuple):
    """The examples of one request, the model that they were checked for, and the answer to be."""

    model: FittedModel
    examples: Sequence[Any]
    answer: asyncio.Future[Sequence[Any] | BaseException]


class Batcher:
    """One thread that predicts for all requests of a workload."""

    def __init__(self, batch_size: int, seconds: float) -> None:
        self.batch_size, self.seconds = batch_size, seconds
        self.queue = SimpleQueue[Job]()
        self.held: Job | None = None  # what did not fit into a batch, and begins the next one
        # Nobody can stop a model that is stuck; a daemon does not keep the process from ending.
        self.thread = Thread(target=self._work, name="predict", daemon=True)
        self.busy_since: float | None = None

    async def predict(self, model: FittedModel, examples: Sequence[Any]) -> Sequence[Any]:
        """Return a prediction for each example, or raise what the model raises for them."""
        if self.thread.ident is None:
            self.thread.start()
        job = Job(model, examples, asyncio.get_running_loop().create_future())
        self.queue.put(job)
        try:
            async with asyncio.timeout(self.seconds):
                outcome = await job.answer
        except TimeoutError:
            raise Overdue from None
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, BaseException):  # a panic in Rust code, say, which nobody expects
            raise RuntimeError("the model broke down") from outcome
        return outcome

    def overdue(self) -> bool:
        """Tell whether the model has been busy for so long that it may be stuck."""
        since = self.busy_since
        return since is not None and time.monotonic() - since > self.seconds

    def _work(self) -> None:
        while True:
            jobs = self._take()
            self.busy_since = time.monotonic()
            outcomes = _predict(jobs[0].model, [job.examples for job in jobs])
            self.busy_since = None
            with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
                jobs[0].answer.get_loop().call_soon_threadsafe(_answer, jobs, outcomes)

    def _take(self) -> list[Job]:
        """Wait for a job; take what is behind it for the same model too, up to a batch."""
        jobs, self.held = [self.held or self.queue.get()], None
        size = len(jobs[0].examples)
        while not (self.held or self.queue.empty()):
            job = self.queue.get()
            size += len(job.examples)
            if job.model is jobs[0].model and size <= self.batch_size:
                jobs.append(job)
            else:
                self.held = job
        return jobs


def _answer(jobs: Sequence[Job], outcomes: Sequence[Sequence[Any] | BaseException]) -> None:
    for job, outcome in zip(jobs, outcomes, strict=True):
        if not job.answer.done():  # else it was cancelled: nobody waits for it
            job.answer.set_result(outcome)


def _predict(
    model: FittedModel, groups: Sequence[Sequence[Any]]
) -> list[Sequence[Any] | BaseException]:
    """Predict all groups at once; where that fails, one by one, so that only the bad ones fail."""
    try:
        answers = list(model.predict([example for group in groups for example in group]))
        if len(answers) != sum(map(len, groups)):
            raise ValueError("the model did not give one prediction for each example")
    except BaseException as error:
        if len(groups) == 1:
            return [error]
        return [outcome for group in groups for outcome in _predict(model, [group])]
    rest = iter(answers)
    return [[next(rest) for _ in group] for group in groups]
