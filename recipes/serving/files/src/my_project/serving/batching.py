"""Predict in a thread, so that the event loop stays free, and for several requests at a time.

Nothing waits for a batch to fill: what arrives while a prediction runs goes into the next one.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ..workloads import FittedModel


class Job(NamedTuple):
    """The examples of one request, the model that they were checked for, and the answer to be."""

    model: FittedModel
    examples: Sequence[Any]
    answer: asyncio.Future[Sequence[Any] | BaseException]


class Batcher:
    """One thread that predicts for all requests of a workload."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.waiting: deque[Job] = deque()
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predict")
        self.running: asyncio.Task[None] | None = None

    async def predict(self, model: FittedModel, examples: Sequence[Any]) -> Sequence[Any]:
        """Return a prediction for each example, or raise what the model raises for them."""
        loop = asyncio.get_running_loop()
        job = Job(model, examples, loop.create_future())
        self.waiting.append(job)
        if self.running is None or self.running.done():
            self.running = loop.create_task(self._run())
        if isinstance(outcome := await job.answer, Exception):
            raise outcome
        if isinstance(outcome, BaseException):  # a panic in Rust code, say, which nobody expects
            raise RuntimeError("the model broke down") from outcome
        return outcome

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self.waiting:
            jobs = self._next()
            inputs = [job.examples for job in jobs]
            try:
                outcomes = await loop.run_in_executor(self.thread, _predict, jobs[0].model, inputs)
            except Exception as error:  # the system has no thread left, say
                outcomes = [error for _ in jobs]
            for job, outcome in zip(jobs, outcomes, strict=True):
                if not job.answer.done():  # else it was cancelled: nobody waits for it
                    job.answer.set_result(outcome)

    def _next(self) -> list[Job]:
        """Take the oldest job, and those behind it for the same model, up to a batch."""
        jobs = [self.waiting.popleft()]
        size = len(jobs[0].examples)
        while self.waiting and self.waiting[0].model is jobs[0].model:
            size += len(self.waiting[0].examples)
            if size > self.batch_size:
                break
            jobs.append(self.waiting.popleft())
        return jobs


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
