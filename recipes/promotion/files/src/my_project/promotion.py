"""Which model is in use: the champion of a workload, and how a better run takes its place."""

from typing import get_type_hints

from . import pipeline, tracking
from .runs import Run
from .utils.errors import UserError


def served_run(workload: str) -> Run:
    """Return the champion, or the newest finished run while nothing was promoted.

    A UserError where there is neither, or where the champion cannot be had.
    """
    return tracking.champion(workload) or pipeline.find_run(workload)


def compare(run: Run) -> tuple[float, float | None]:
    """Return the primary metric of a run and of the champion, None where there is none yet.

    Both models are measured now, on the data that `run` held out. A champion that was trained on
    other data may have seen some of it, which can only help the champion. A UserError where the
    two do not take the same inputs.
    """
    metric, champion = run.metadata["primary_metric"], tracking.champion(run.metadata["workload"])
    measured: float = pipeline.evaluate_run(run)["test"][metric]
    if champion is None:
        return measured, None
    inputs, others = (
        get_type_hints(pipeline.load_model(one).example_type) for one in (run, champion)
    )
    if inputs != others:
        raise UserError(
            f"{run.folder}: takes other inputs than the champion {champion.folder.name}, so the "
            "two cannot be compared; --force promotes without a comparison"
        )
    return measured, pipeline.evaluate_run(run, of=champion)["test"][metric]


def promote(run: Run, force: bool = False) -> str:
    """Make a run the champion, and tell why; a UserError where it does not beat the present one.

    With `force` nothing is compared: the way back to an older model.
    """
    metadata, name = run.metadata, run.folder.name
    workload, metric = metadata["workload"], metadata["primary_metric"]
    if force:
        pipeline.load_model(run)
        tracking.promote(run)
        return f"{workload}: {name} is the champion now, without a comparison"
    champion = tracking.champion(workload)
    if champion and champion.metadata["model_sha256"] == metadata["model_sha256"]:
        return f"{workload}: {name} is the model that is the champion already"
    new, old = compare(run)
    if champion and old is not None and new <= old:
        raise UserError(
            f"{workload}: {name} does not beat the champion {champion.folder.name}: {metric} "
            f"{new:.4f} against {old:.4f}; the champion stays (--force overrides)"
        )
    tracking.promote(run)
    before = "the first one" if old is None else f"{old:.4f} before"
    return f"{workload}: {name} is the champion now: {metric} {new:.4f}, {before}"
