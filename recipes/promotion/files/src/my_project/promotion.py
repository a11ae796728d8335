"""Which model is in use: the champion of a workload, and how a better run takes its place."""

from typing import get_type_hints

from . import pipeline, tracking
from .runs import Run
from .utils.errors import UserError


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


def is_champion(run: Run) -> bool:
    """Tell whether a run's model is in use already, be it as that of another run."""
    champion = tracking.champion(run.metadata["workload"])
    return bool(champion and champion.metadata["model_sha256"] == run.metadata["model_sha256"])


def verdict(run: Run, new: float, old: float | None) -> str:
    """Tell by how much a run beats the champion; a UserError where it does not."""
    metric, name = run.metadata["primary_metric"], run.folder.name
    if old is not None and new <= old:
        measured = f"{metric} {new:.4f} against {old:.4f}"
        raise UserError(f"{name} does not beat the champion: {measured}; the champion stays")
    return f"{metric} {new:.4f}, " + ("no other to beat" if old is None else f"{old:.4f} before")


def promote(run: Run, force: bool = False) -> str:
    """Make a run the champion, and tell why; a UserError where it does not beat the present one.

    With `force` nothing is compared: the way back to an older model.
    """
    if not force and is_champion(run):
        return f"{run.folder.name} is the model that is the champion already"
    reason = "without a comparison (--force)" if force else verdict(run, *compare(run))
    pipeline.load_model(run)  # which refuses a damaged one
    tracking.promote(run)
    return f"{run.folder.name} is the champion now: {reason}"
