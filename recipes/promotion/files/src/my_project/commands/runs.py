"""The command `runs`."""

import logging

from .. import tracking, workloads
from ..runs import Run, finished_runs
from ..utils.errors import UserError

logger = logging.getLogger(__name__)


def main() -> None:
    """List the finished runs, the newest first; the champion of each workload has a star."""
    print(f"  {'run':40}  {'metric':>20}  {'value':>8}  commit")
    for name in workloads.NAMES:
        champion = _champion(name)
        for run in finished_runs(name):
            metadata, value = run.metadata, run.metrics["test"][run.metadata["primary_metric"]]
            star = "*" if champion and champion.folder.name == run.folder.name else " "
            commit = (metadata["git"]["commit"] or "")[:10]
            print(
                f"{star} {run.folder.name:40}  {metadata['primary_metric']:>20}  "
                f"{value:8.4f}  {commit}".rstrip()
            )


def _champion(workload: str) -> Run | None:
    """Return the champion; where it cannot be had the runs are listed all the same."""
    try:
        return tracking.champion(workload)
    except UserError as error:
        logger.warning("%s; no champion of %s is marked", error, workload)
        return None
