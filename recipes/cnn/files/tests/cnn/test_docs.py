"""What docs/cnn.md shows is what comes out."""

from collections.abc import Callable


def test_the_page_shows_what_comes_out(check_page: Callable[[str], None]) -> None:
    check_page("cnn")
