"""How far the predictions for new data have moved from those for a model's own held-out data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import chi2


def population_stability_index(reference: Sequence[Any], new: Sequence[Any]) -> tuple[float, float]:
    """Return the PSI of two samples of predictions, and what chance alone stays below.

    PSI = Σ (q - p) ln(q / p) over classes, or for numbers over the reference's deciles; 0 means
    the same distribution, and above 0.2 is commonly read as a shift. Of two samples (n, m) from
    one distribution, PSI / (1/n + 1/m) follows χ² with as many degrees of freedom as bins less
    one; the second number is its 99.9 % quantile.

    Source: Yurdakul, Statistical Properties of Population Stability Index, 2018, chapter 3.
    """
    if isinstance(reference[0], str):
        names = sorted({*reference, *new})
        places = [np.array([names.index(one) for one in part]) for part in (reference, new)]
    else:
        edges = np.unique(np.quantile(reference, np.arange(1, 10) / 10))
        names = [str(edge) for edge in [*edges, np.inf]]
        places = [np.searchsorted(edges, part) for part in (reference, new)]
    # Half an observation more in each bin keeps the logarithm finite.
    counts = [np.bincount(place, minlength=len(names)) + 0.5 for place in places]
    p, q = (count / count.sum() for count in counts)
    index = float(((q - p) * np.log(q / p)).sum())
    freedom, scale = max(1, len(names) - 1), 1 / len(reference) + 1 / len(new)
    return index, float(chi2.ppf(0.999, freedom) * scale)
