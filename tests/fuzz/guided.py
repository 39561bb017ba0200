"""Coverage-guided fuzzing, outside of the tests: ``python -m tests.fuzz.guided CORPUS [options of libFuzzer]``.

Every input is tried on the parsers and writers of indexes, and on the readers of configurations, headers, URLs and
text. Inputs that reach new code are kept in the folder CORPUS; one that fails is kept as ``crash-*`` in the current
folder. ``make fuzz MINUTES=5`` installs atheris and calls this.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

try:
    import atheris
except ModuleNotFoundError:
    sys.exit(
        "atheris is not installed; `make fuzz` does that where there is a wheel (Linux on x86-64, CPython 3.11 to 3.14)"
    )

with atheris.instrument_imports(include=["core"]):
    from core.destinations.indexes import file_index, fileset_index
    from core.http import LONGEST_RETRY_AFTER, retry_after
    from core.model import Rejection
    from core.sources.ipp_parse import FILES, FILESETS, PRODUCTS
    from core.text import display
    from core.transfer.response import parse_head
    from core.urls import RedirectRefused, follow, quote_segment, redact

from tests.fuzz.indexes import LEVELS, recorded
from tests.fuzz.oracle import assert_readable, check_index
from tests.fuzz.test_config import GOOD, loads_or_refuses


def products(data: bytes) -> None:
    check_index(PRODUCTS, data, 1000)


def filesets(data: bytes) -> None:
    index = fileset_index()
    rows = [item for item in check_index(FILESETS, data, 1000) or () if not isinstance(item, Rejection)]
    index.add(rows)
    assert check_index(FILESETS, b"".join(index.blocks()), 7) == rows


def files(data: bytes) -> None:
    index = file_index()
    rows = [item for item in check_index(FILES, data, 1000) or () if not isinstance(item, Rejection)]
    index.add(rows)
    assert check_index(FILES, b"".join(index.blocks()), 7) == rows


def text(data: bytes) -> None:
    raw = data.decode("utf-8", "surrogateescape")
    assert_readable(display(raw))
    assert_readable(display(redact(raw)))
    quote_segment(raw)
    seconds = retry_after(raw)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER
    try:
        assert follow("https://archive.example/ds/", raw, 1).startswith("https://")
    except RedirectRefused as refusal:
        assert_readable(display(refusal))


def head(data: bytes) -> None:
    found = parse_head(data.splitlines(keepends=True))
    found.continues(0, 10)
    assert found.validator is None or found.validator.isprintable()


TARGETS: tuple[Callable[[bytes], None], ...] = (products, filesets, files, text, head, loads_or_refuses)


def one_input(data: bytes) -> None:
    """Try an input: its first byte says on what."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def seed(corpus: Path) -> None:
    """Begin with what is good: the recorded indexes, and a configuration."""
    corpus.mkdir(parents=True, exist_ok=True)
    good = [(place, body) for place, level in enumerate(LEVELS) for body in recorded(level)]
    good += [(TARGETS.index(loads_or_refuses), GOOD.encode()), (TARGETS.index(text), b"Sat, 21 Nov 2026 05:04:50 GMT")]
    good += [(TARGETS.index(head), b'HTTP/1.1 206 x\r\nETag: "a"\r\nContent-Range: bytes 0-9/10\r\n\r\n')]
    for number, (target, body) in enumerate(good):
        (corpus / f"seed-{number}").write_bytes(bytes([target]) + body)


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
