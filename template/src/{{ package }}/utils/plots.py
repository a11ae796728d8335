"""Pictures that more than one workload draws."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay


def new_figure(title: str, width: float = 5, height: float = 4) -> tuple[Figure, Axes]:
    """Return a figure, sized in inches, and its axes; without pyplot, which needs a display."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot(title=title)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG that does not record the version of matplotlib; it is shown at half its size."""
    figure.savefig(path, dpi=150, metadata={"Software": None})


def confusion_matrix(true: Any, predicted: Any, path: Path) -> None:
    """Draw how often each class, by row, was predicted as each class, by column."""
    side = 3 + 0.4 * len({*true, *predicted})  # inches, so that numbers do not overlap
    figure, axes = new_figure("Confusion matrix on test data", side, side)
    ConfusionMatrixDisplay.from_predictions(true, predicted, ax=axes, cmap="Blues", colorbar=False)
    # Long names would run into each other.
    axes.tick_params(axis="x", labelrotation=90 if max(len(str(one)) for one in true) > 2 else 0)
    save_figure(figure, path)
