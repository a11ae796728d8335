"""What docs/runs.md shows is what comes out; the layers' pages are tested beside their code."""

from collections.abc import Callable


def test_the_page_shows_what_comes_out(check_page: Callable[[str], None]) -> None:
    check_page("runs")
