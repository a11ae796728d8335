"""Run the checks of all projects on all cores, each only where nothing proves it already."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from projects import Project

from proof.checks import Check, Failed, workplace
from proof.environment import Packages, derive, site_packages
from proof.evidence import Evidence, Store, Subject, gather

DERIVING = threading.Lock()


@dataclass(frozen=True)
class Job:
    """One check of one project."""

    check: Check
    project: Project
    subject: Subject
    packages: Packages

    def parts(self) -> set[str]:
        """The parts of the project that the check judges each by itself; none where it cannot."""
        if self.check.parts is None:
            return set()
        return self.check.parts(self.subject, self.packages)

    def make_ready(self) -> None:
        """Give the project its environment, unless it has one or is where all packages are."""
        if site_packages(self.project.python) != self.packages.folder:
            names = {one.partition("==")[0] for one in self.subject.packages}
            with DERIVING:
                derive(self.project, self.packages, names)


@dataclass(frozen=True)
class Result:
    """How a job went: run in so many seconds, or proved; failed with what was printed, or passed.

    `evidence` is what it rests on, its own included.
    """

    job: Job
    seconds: float
    evidence: Sequence[Evidence] = ()
    failure: str | None = None
    ran: bool = True


def run(job: Job, store: Store, cached: bool) -> Result:
    """Run one check, unless evidence makes that needless; keep new evidence."""
    name, asked, parts = job.check.name, job.check.asked, job.parts()
    held = store.cover(name, parts) if parts else store.find(name, asked, job.subject)
    if cached and held:
        return Result(job, 0.0, held, ran=False)
    job.make_ready()
    began = time.perf_counter()
    with workplace(job.project) as place:
        try:
            job.check.run(place)
        except Failed as error:
            return Result(job, time.perf_counter() - began, failure=str(error))
        seconds = time.perf_counter() - began
        if parts:
            evidence: Evidence | None = Evidence(
                name, job.project.label, round(seconds, 2), parts=sorted(parts)
            )
        else:
            told = (place.traces, place.copies, job.packages)
            evidence = gather(name, asked, job.subject, seconds, *told)
    if cached and evidence:
        store.add(evidence)
    return Result(job, seconds, [evidence] if evidence else [])


def run_all(
    jobs: Sequence[Job], cached: bool, told: Callable[[Result], None], workers: int | None = None
) -> list[Result]:
    """Run all jobs and return their results; `told` hears of each as it is there.

    While a check runs in one project, the same check of another one waits: its outcome may make the
    other needless. Without evidence nothing waits.
    """
    store, waiting = Store(), list(jobs)
    running: list[str] = []
    results: list[Result] = []
    changed = threading.Condition()

    def next_job() -> Job | None:
        with changed:
            while waiting:
                fresh = (job for job in waiting if not cached or job.check.name not in running)
                if job := next(fresh, None):
                    waiting.remove(job)
                    running.append(job.check.name)
                    return job
                changed.wait()
            return None

    def work() -> None:
        while job := next_job():
            try:
                result = run(job, store, cached)
            finally:
                with changed:
                    running.remove(job.check.name)
                    changed.notify_all()
            with changed:
                results.append(result)
                told(result)

    workers = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(work) for _ in range(workers)]:
            future.result()
    return results
