"""docs/reliability.md tells of tests that are there, and claims nothing without one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "reliability.md"
SECURITY = DOCUMENT.with_name("security.md")
TABLES = {"Names and catalogues", "Transfers", "The machine", "Archives", "The screen"}
PROSE = {"Long runs"}
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
MODULE = re.compile(r"`(core/[\w/.]+)`")


def rows() -> list[tuple[str, list[str]]]:
    """Return the rows of all tables: what comes, and the cells after it."""
    lines = [line.strip("|\n ") for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    found = [[cell.strip() for cell in line.split(" | ")] for line in lines]
    return [(first, rest) for first, *rest in found if first != "what comes"]


@cache
def functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_a_row_names_tests_that_are_there_or_says_that_it_is_not_proven(row: tuple[str, list[str]]) -> None:
    assert len(row[1]) == 3, "promise, tests, result"
    _, tests, result = row[1]
    named = NAMED.findall(tests)
    for path, function in named:
        assert function in functions(TESTS / path), f"{path}::{function}"
    assert named or result == "not proven yet" or "does not exist" in result
    assert result.startswith(("proven", "in part", "not proven yet")) or "does not exist" in result


def test_the_security_document_names_modules_and_tests_that_are_there() -> None:
    text = SECURITY.read_text()
    assert all(function in functions(TESTS / path) for path, function in NAMED.findall(text))
    assert all((TESTS.parent / module).exists() for module in MODULE.findall(text))
    attacks = text.partition("## What is defended")[2].partition("## ")[0].splitlines()[4:]
    assert all(NAMED.search(row) for row in attacks if row), "each defence has a test"


def test_every_section_is_there() -> None:
    assert set(re.findall(r"^## (.*)$", DOCUMENT.read_text(), re.MULTILINE)) == TABLES | PROSE


def test_every_promise_of_this_folder_is_listed() -> None:
    named = {function for _, function in NAMED.findall(DOCUMENT.read_text())}
    here = [path for path in TESTS.glob("reliability/test_*.py") if path.name != Path(__file__).name]
    assert {name for path in here for name in functions(path) if name.startswith("test_")} <= named
