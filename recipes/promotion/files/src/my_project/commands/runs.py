"""The command `runs`."""

import sys

from .. import tracking, workloads
from ..runs import finished_runs
from ..utils.errors import UserError


def main() -> None:
    """List the finished runs, the newest first; the champion of each workload has a star."""
    print(f"  {'run':40}  {'metric':>20}  {'value':>8}  commit")
    for name in workloads.NAMES:
        try:
            champion = tracking.champion(name)
        except UserError as error:  # the runs are listed all the same
            champion = None
            print(f"{error}; no champion of {name} is marked", file=sys.stderr)
        for run in finished_runs(name):
            metadata, value = run.metadata, run.metrics["test"][run.metadata["primary_metric"]]
            star = "*" if champion and champion.folder.name == run.folder.name else " "
            commit = (metadata["git"]["commit"] or "")[:10]
            print(
                f"{star} {run.folder.name:40}  {metadata['primary_metric']:>20}  "
                f"{value:8.4f}  {commit}".rstrip()
            )
