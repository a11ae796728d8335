"""What docs/serving.md shows is what comes out."""

from collections.abc import Callable


def test_the_page_shows_what_comes_out(check_page: Callable[[str], None]) -> None:
    check_page("serving")
