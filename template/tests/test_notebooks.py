"""Every notebook runs from top to bottom, and is kept with its output; a private one without."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    order = [cell.execution_count for cell in code]
    if notebook.metadata.get("private"):
        assert not any(cell.outputs for cell in code), "clear its output: it would show the data"
    else:
        assert order == [*range(1, len(code) + 1)], "run it from top to bottom, then save it"
        assert any(cell.outputs for cell in code), "save it with its output"
    monkeypatch.setenv("PYTHONPATH", str(path.parents[1] / "src"))
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": path.parent}})
    client.execute()
