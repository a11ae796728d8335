"""Progress of long work: a bar at a terminal, plain log lines elsewhere."""

import logging
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

logger = logging.getLogger(__name__)
T = TypeVar("T")


def progress(items: Sequence[T], description: str, history: Sequence[Any] = ()) -> Iterator[T]:
    """Pass `items` on, and show how many of them are done.

    The numbers by name that are last in `history`, which may grow meanwhile, are shown with it.
    """
    bar = tqdm(items, desc=description, leave=False, disable=not sys.stderr.isatty())
    step = max(1, len(items) // 10)
    for count, item in enumerate(bar, start=1):
        yield item
        newest = [f"{name} {value:.3f}" for last in history[-1:] for name, value in last.items()]
        bar.set_postfix_str(", ".join(newest), refresh=False)
        if bar.disable and count % step == 0:
            logger.info(", ".join([f"{description}: {count} of {len(items)}", *newest]))
