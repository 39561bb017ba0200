"""Bytes for the demo's files: made from a seed whenever they are asked for, never kept."""

from __future__ import annotations

import gzip
import io
import random
import tarfile

FITS_BLOCK = 2880
"""A FITS file is made of blocks of this many bytes."""
CARD = 80


def fits(seed: str, size: int) -> bytes:
    """Return a one-dimensional FITS image with about `size` bytes of noise in it."""
    count = -(-size // FITS_BLOCK) * FITS_BLOCK
    cards = (
        f"SIMPLE  = {'T':>20}",
        f"BITPIX  = {8:>20}",
        f"NAXIS   = {1:>20}",
        f"NAXIS1  = {count:>20}",
        "END",
    )
    header = "".join(card.ljust(CARD) for card in cards).ljust(FITS_BLOCK)
    return header.encode() + random.Random(seed).randbytes(count)  # noqa: S311 - synthetic, and the same each time


def tgz(seed: str, member: str, size: int) -> bytes:
    """Return a gzipped tar archive with one FITS image, named `member`, of about `size` bytes."""
    image = fits(seed, size)
    entry = tarfile.TarInfo(member)
    entry.size = len(image)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(image))
    # Noise does not compress; a fixed time makes the same bytes each time.
    return gzip.compress(archive.getvalue(), compresslevel=0, mtime=0)


def metadata(blocks: list[tuple[str, dict[str, str]]]) -> bytes:
    """Return IPP's metadata config text: for each block its name and its values, all of them strings."""
    lines = []
    for name, values in blocks:
        lines.append(f"{name} METADATA")
        lines += [f"   {key:<13} STR  {value}" for key, value in values.items()]
        lines.append("END")
    return ("\n".join(lines) + "\n").encode()
