"""What hatchling runs in a build: the wheel gets the template's history beside the template.

A wheel is mostly built from an unpacked source distribution, so that carries the history as well.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

from mlmw import history


class HistoryHook(BuildHookInterface[Any]):
    """Adds history.bundle and provenance.json, where there is a history."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the two files, or find those of a source distribution."""
        if version == "editable":  # a checkout has its history at hand
            return
        root = Path(self.root)
        folder = root
        if not (root / history.HISTORY).is_file():
            self.temporary = tempfile.TemporaryDirectory(prefix="mlmw-")
            folder = Path(self.temporary.name)
            if not history.carry(root, folder):
                return
        inside = "mlmw/_template/" if self.target_name == "wheel" else ""
        for name in (history.HISTORY, history.PROVENANCE):
            build_data["force_include"][str(folder / name)] = f"{inside}{name}"
