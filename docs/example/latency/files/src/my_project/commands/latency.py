"""The command `latency`."""

import time

import numpy as np

from .. import pipeline, workloads
from ..utils.records import read_records, validate


def milliseconds(workload: str, rounds: int = 100) -> list[float]:
    """Time each of `rounds` predictions of the newest model; a UserError where there is none."""
    run = pipeline.find_run(workload)
    model, path = pipeline.load_model(run), run.folder / "examples.jsonl"
    examples = validate(read_records(path), model.example_type, path)
    times = []
    for number in range(rounds):
        started = time.perf_counter()
        model.predict([examples[number % len(examples)]])
        times.append(1000 * (time.perf_counter() - started))
    return times


def main(workload: str = workloads.NAMES[0]) -> None:
    """Measure how long a prediction takes, one example at a time."""
    median, slow = np.percentile(milliseconds(workload), [50, 99])
    print(f"{workload}: median {median:.2f} ms, 99 % within {slow:.2f} ms")
