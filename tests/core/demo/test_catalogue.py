"""The demo's catalogue: the same for the same seed, well-formed, and growing."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile

import pytest

from core.demo.catalogue import HIDDEN_PRODUCT, Catalogue
from core.names import unsafe_name

NOW = 1_800_000_000.0
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(seed=1, filesets=10, now=NOW)


def rows(text: str | None) -> list[list[str]]:
    """Return the stripped cells of an index's data lines, each with as many as its header has."""
    assert text is not None
    assert text.startswith("# ")
    assert text.endswith("|\n\n")
    found, width = [], 0
    for line in text.splitlines()[:-1]:
        cells = [cell.strip() for cell in line.split("|")[:-1]]
        if line.startswith("#"):
            width = len(cells)
        else:
            assert len(cells) == width
            found.append(cells)
    return found


def names(text: str | None) -> list[str]:
    return [cells[0] for cells in rows(text)]


def everything(catalogue: Catalogue) -> dict[str, str | None]:
    """Return every index of a catalogue by its path."""
    found: dict[str, str | None] = {"": catalogue.root()}
    for product in [*names(catalogue.root()), HIDDEN_PRODUCT]:
        found[product] = catalogue.filesets(product)
        for fileset in names(found[product]):
            found[f"{product}/{fileset}"] = catalogue.files(product, fileset)
    return found


def test_the_same_seed_makes_the_same_catalogue(catalogue: Catalogue) -> None:
    assert everything(Catalogue(seed=1, filesets=10, now=NOW)) == everything(catalogue)
    assert everything(Catalogue(seed=2, filesets=10, now=NOW)) != everything(catalogue)


def test_products(catalogue: Catalogue) -> None:
    listed = {cells[0]: cells[1] for cells in rows(catalogue.root())}
    assert len(listed) == 6
    assert list(listed.values()).count("none") == 1
    assert HIDDEN_PRODUCT not in listed
    assert len(rows(catalogue.filesets(HIDDEN_PRODUCT))) == 10
    for product, latest in listed.items():
        filesets = rows(catalogue.filesets(product))
        assert [cells[0] for cells in filesets[-1:]] == [latest] * (latest != "none")
        assert all(TIME.fullmatch(cells[1]) for cells in filesets)


def test_filesets_look_like_those_of_the_field(catalogue: Catalogue) -> None:
    assert names(catalogue.filesets("gpc1-dist-200904"))[1] == "o4741g0231o.chip.14520.32.1"
    assert names(catalogue.filesets("md-stack-200909"))[0] == "stack.14519.31.1"
    fields = rows(catalogue.filesets("md-all-rel-200907"))
    assert {cells[3] for cells in fields} >= {"null"}
    times = [cells[1] for cells in fields]
    assert len(set(times)) < len(times)
    assert times == sorted(times)


def test_files_are_as_listed(catalogue: Catalogue) -> None:
    for path, text in everything(catalogue).items():
        product, _, fileset = path.partition("/")
        if not fileset:
            continue
        listed = rows(text)
        assert 3 <= len(listed) <= 12
        for name, size, digest, *_ in listed:
            assert unsafe_name(name) is None
            file = catalogue.file(product, fileset, name)
            assert file is not None
            assert len(file.content) == int(size)
            assert hashlib.md5(file.content, usedforsecurity=False).hexdigest() == digest == file.digest


def test_a_file_index_has_headers_in_the_middle(catalogue: Catalogue) -> None:
    text = catalogue.files("md-all-rel-200907", names(catalogue.filesets("md-all-rel-200907"))[0])
    assert text is not None
    headers = [line.split("|")[4].strip() for line in text.splitlines() if line.startswith("#")]
    assert headers == ["chipname", "component"]


def test_archives_can_be_unpacked(catalogue: Catalogue) -> None:
    file = catalogue.file("gpc1-dist-200904", "o4741g0231o.chip.14520.32.1", "o4741g0231o.XY01.tgz")
    assert file is not None
    with tarfile.open(fileobj=io.BytesIO(file.content), mode="r:gz") as archive:
        [member] = archive.getmembers()
        image = archive.extractfile(member)
        assert image is not None
        assert image.read(10) == b"SIMPLE  = "
        assert member.size % 2880 == 0


def test_growing_is_listed_after_any_cursor() -> None:
    catalogue = Catalogue(seed=1, filesets=2, now=NOW)
    before = everything(catalogue)
    for step in range(1, 9):
        product, fileset = catalogue.grow(NOW + step)
        old = names(before[product])
        assert names(catalogue.filesets(product))[-1] == fileset
        assert fileset in names(catalogue.filesets(product, old[-1]))
        assert catalogue.filesets(product, fileset) is not None
        assert names(catalogue.filesets(product, fileset)) == []
        assert rows(catalogue.files(product, fileset))


def test_what_is_not_there(catalogue: Catalogue) -> None:
    assert catalogue.filesets("gpc1-dist-200904", "lost") == "\n"
    assert catalogue.filesets("none") is None
    assert catalogue.files("gpc1-dist-200904", "none") is None
    assert catalogue.file("gpc1-dist-200904", "none", "none") is None
    assert catalogue.file("gpc1-dist-200904", "o4741g0231o.chip.14520.32.1", "none") is None
