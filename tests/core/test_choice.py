"""The configuration that would make an operator's choice of products permanent."""

from __future__ import annotations

import tomllib

import pytest

from core.config.choice import ProductChoice

KNOWN = ("md-1", "md-2", "new", "secret", "test-1", "test-2")
USUAL = ProductChoice(("md-*", "sas"), ("test-*",), ("secret",))


@pytest.mark.parametrize(
    ("wishes", "lines"),
    [
        ({}, ""),
        ({"md-1": True, "new": False}, ""),
        ({"new": True}, 'products = ["md-*", "sas", "new"]'),
        ({"new": True, "newer": True}, 'products = ["md-*", "sas", "new", "newer"]'),
        ({"sas": False}, 'products = ["md-*"]'),
        ({"md-1": False}, 'exclude_products = ["test-*", "md-1"]'),
        ({"secret": False}, "hidden_products = []"),
        ({"test-1": True}, 'products = ["md-*", "sas", "test-1"] and exclude_products = ["test-2"]'),
        ({"new": True, "md-2": False}, 'products = ["md-*", "sas", "new"] and exclude_products = ["test-*", "md-2"]'),
        ({'a"[b]': True}, 'products = ["md-*", "sas", "a\\"[[]b]"]'),
    ],
)
def test_the_lines_that_change_are_told(wishes: dict[str, bool], lines: str) -> None:
    assert USUAL.lines(wishes, KNOWN) == lines


@pytest.mark.parametrize("product", [*KNOWN, "sas", 'a"[b]*'])
@pytest.mark.parametrize("mirrored", [True, False])
def test_the_lines_fulfil_the_wish_and_change_nothing_else(product: str, mirrored: bool) -> None:
    lines = USUAL.lines({product: mirrored}, KNOWN).replace(" and ", "\n")
    keys = {key: tuple(value) for key, value in tomllib.loads(lines).items()}
    usual = {key: getattr(USUAL, key) for key in ProductChoice.__slots__}
    wanted = ProductChoice(**(usual | keys))
    assert wanted.selects(product) == mirrored
    assert [wanted.selects(other) for other in KNOWN if other != product] == [
        USUAL.selects(other) for other in KNOWN if other != product
    ]
