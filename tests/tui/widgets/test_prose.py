"""Text that is read is wrapped where it can be read."""

from __future__ import annotations

import pytest

from tui.widgets.prose import wrapped

URL = "http://datastore.example.org/ds/md-all-rel-200907/md-all-rel-200907.05204"


def lines(words: str, width: int) -> list[str]:
    return ["".join(cell.text for cell in cells).rstrip() for cells in wrapped([(words, "")], width, 0)]


@pytest.mark.parametrize(
    ("words", "broken"),
    [
        (URL, ["http://", "datastore.example.org/ds/", "md-all-rel-200907/", "md-all-rel-200907.05204"]),
        ("/srv/mirror/ps1/md-all-rel-200907", ["/srv/mirror/ps1/", "md-all-rel-200907"]),
        ("the file is not at http://h/a: 404", ["the file is not at", "http://h/a: 404"]),
        ("x" * 30, ["x" * 25, "x" * 5]),
    ],
)
def test_a_url_and_a_path_are_broken_between_their_parts(words: str, broken: list[str]) -> None:
    assert lines(words, 25) == broken
