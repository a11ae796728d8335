"""Progress of long work: a bar at a terminal, plain log lines elsewhere."""

import logging
import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

logger = logging.getLogger(__name__)
T = TypeVar("T")


def progress(items: Sequence[T], description: str) -> Iterator[T]:
    """Pass `items` on, and show how many of them are done."""
    bar = tqdm(items, desc=description, leave=False, disable=not sys.stderr.isatty())
    step = max(1, len(items) // 10)
    for count, item in enumerate(bar, start=1):
        yield item
        if bar.disable and count % step == 0:
            logger.info("%s: %d of %d", description, count, len(items))
