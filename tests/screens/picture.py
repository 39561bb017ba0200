"""A screen as a picture: SVG that looks the same in every browser, its text beside it, and PNG made of it.

Lines and blocks are drawn as shapes, so that they join whatever font there is; each text is as wide as its cells.
Nothing in the SVG depends on anything but the screen.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape, unescape
from itertools import groupby
from typing import Any

import resvg_py
from rich.cells import cell_len
from rich.color import blend_rgb
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from textual._compositor import LayoutUpdate
from textual.app import App

WIDTH, HEIGHT, FONT_SIZE, BASELINE = 10, 20, 16.6, 15
"""A cell, in pixels; of DejaVu Sans Mono a letter is as wide as that."""
MARGIN = 8
FONTS = ("DejaVu Sans Mono", "Liberation Mono", "Menlo", "Consolas", "monospace")
DIM = 0.4
PNG_HEADER = 33
"""The bytes with which each PNG begins: its magic ones, and the chunk that tells its size."""
WIDE, SMALL = (120, 40), (80, 24)
"""The terminals for which the screens were designed."""
BLANK = " \N{NO-BREAK SPACE}"
CORNERS = {"╭": (1, 5), "╮": (1, -5), "╰": (-1, 5), "╯": (-1, -5)}
"""Whether the line comes from below or from above, and where it turns to."""
SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}
LOWER, LEFT = "▁▂▃▄▅▆▇█", "▏▎▍▌▋▊▉"
PARTS: dict[str, tuple[float, float, float, float]] = {
    **{char: (0, 1 - eighths / 8, 1, eighths / 8) for eighths, char in enumerate(LOWER, 1)},
    **{char: (0, 0, eighths / 8, 1) for eighths, char in enumerate(LEFT, 1)},
    **dict.fromkeys(SHADES, (0, 0, 1, 1)),
    "▀": (0, 0, 1, 1 / 2),
    "▔": (0, 0, 1, 1 / 8),
    "▐": (1 / 2, 0, 1 / 2, 1),
    "▕": (7 / 8, 0, 1 / 8, 1),
}
"""What a block fills of its cell: left, top, width, height."""
DRAWN = f"─│{''.join(CORNERS)}{''.join(PARTS)}"
TOKEN = re.compile(rf"(?P<drawn>([{DRAWN}])\2*)|[^\s{DRAWN}]+(?: [^\s{DRAWN}]+)*")


@dataclass(frozen=True, slots=True)
class Look:
    """How characters look: colours as ``#rrggbb``, and CSS for the rest."""

    colour: str
    background: str
    css: str = ""


Run = tuple[int, str, Look]
"""Characters of one look, and the column of the first one."""


def of(app: App[Any]) -> str:
    """Return what stands on the screen of `app`, as SVG; its plain text is the description."""
    rows = _rows(app)
    columns, lines = app.size
    classes: dict[Look, str] = {}
    body = "".join(_row(y, row, classes) for y, row in enumerate(rows))
    styles = "".join(f".{name}{{fill:{look.colour};{look.css}}}\n" for look, name in classes.items())
    text = "\n".join("".join(words for _, words, _ in row).rstrip(BLANK) for row in rows)
    width, height = columns * WIDTH + 2 * MARGIN, lines * HEIGHT + 2 * MARGIN
    fonts = ", ".join(f"'{font}'" if " " in font else font for font in FONTS)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-MARGIN} {-MARGIN} {width} {height}" '
        f'width="{width}" height="{height}">\n<desc>\n{escape(text, quote=False)}\n</desc>\n'
        f"<style>\ntext{{font:{FONT_SIZE}px {fonts}}}\nrect{{shape-rendering:crispEdges}}\n"
        f"path{{fill:none;stroke-width:1.4}}\n{styles}</style>\n"
        f'<rect x="{-MARGIN}" y="{-MARGIN}" width="{width}" height="{height}" rx="6" '
        f'fill="{SVG_EXPORT_THEME.background_color.hex}"/>\n{body}</svg>\n'
    )


def looks(app: App[Any]) -> Iterator[tuple[str, Look]]:
    """Yield the texts that stand on the screen of `app`, and how they look; without lines and blocks."""
    for _, words, look in (run for row in _rows(app) for run in row):
        if any(char.isalnum() for char in words):
            yield words, look


def name(stem: str, size: tuple[int, int], colours: bool) -> str:
    """Return what a picture of `stem` is called."""
    return f"{stem}-{size[0]}x{size[1]}" if colours else f"{stem}-no-color"


def text_of(svg: str) -> list[str]:
    """Return the lines of the screen of which `svg` is a picture."""
    return unescape(svg.partition("<desc>\n")[2].partition("\n</desc>")[0]).split("\n")


def png(svg: str) -> bytes:
    """Return `svg` as PNG, with the fonts of this machine; see `has_font`."""
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, monospace_family=FONTS[0]))


def signed_png(svg: str) -> bytes:
    """Return `svg` as PNG with a signature, by which `was_made_of` knows it again."""
    drawn = png(svg)
    return drawn[:PNG_HEADER] + _signature(svg) + drawn[PNG_HEADER:]


def was_made_of(signed: bytes, svg: str) -> bool:
    """Tell whether a signed PNG was made of `svg`."""
    return signed.startswith(_signature(svg), PNG_HEADER)


def has_font() -> bool:
    """Tell whether this machine has any font to draw text with."""
    frame = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="20">{}</svg>'
    return png(frame.format('<text y="15" font-family="monospace">M</text>')) != png(frame.format(""))


def _signature(svg: str) -> bytes:
    """Return a text chunk with the digest of `svg`, see the PNG specification, 11.3.3.2; viewers pass it over."""
    typed = b"tEXtSVG SHA-256\0" + hashlib.sha256(svg.encode()).hexdigest().encode()
    return struct.pack(">I", len(typed) - 4) + typed + struct.pack(">I", zlib.crc32(typed))


def _rows(app: App[Any]) -> list[list[Run]]:
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    assert isinstance(update, LayoutUpdate)
    return [list(_runs(segment for strip in row for segment in strip)) for row in update.strips]


def _runs(segments: Iterable[Segment]) -> Iterator[Run]:
    x = 0
    for look, group in groupby(
        ((segment.text, _look(segment.style or Style())) for segment in segments), key=lambda pair: pair[1]
    ):
        words = "".join(text for text, _ in group)
        yield x, words, look
        x += cell_len(words)


def _look(style: Style) -> Look:
    theme = SVG_EXPORT_THEME
    colour = theme.foreground_color if style.color is None else style.color.get_truecolor(theme)
    background = (
        theme.background_color if style.bgcolor is None else style.bgcolor.get_truecolor(theme, foreground=False)
    )
    if style.reverse:
        colour, background = background, colour
    if style.dim:
        colour = blend_rgb(colour, background, DIM)
    css = {
        "font-weight:bold": style.bold,
        "font-style:italic": style.italic,
        "text-decoration:underline": style.underline,
    }
    return Look(colour.hex, background.hex, ";".join(rule for rule, holds in css.items() if holds))


def _row(y: int, row: list[Run], classes: dict[Look, str]) -> str:
    drawn = ""
    for background, group in groupby(row, key=lambda run: run[2].background):
        runs = list(group)
        if background != SVG_EXPORT_THEME.background_color.hex:
            width = sum(cell_len(words) for _, words, _ in runs) * WIDTH
            drawn += _rect(runs[0][0] * WIDTH, y * HEIGHT, width, HEIGHT, background)
    return drawn + "".join(_foreground(y, *run, classes) for run in row)


def _foreground(y: int, x: int, words: str, look: Look, classes: dict[Look, str]) -> str:
    drawn = ""
    for found in TOKEN.finditer(words.replace("\N{NO-BREAK SPACE}", " ")):
        token = found.group()
        left, width, top = (x + cell_len(words[: found.start()])) * WIDTH, cell_len(token) * WIDTH, y * HEIGHT
        if not found["drawn"]:
            name = classes.setdefault(Look(look.colour, "", look.css), f"s{len(classes)}")
            place = f'x="{left}" y="{top + BASELINE}" textLength="{width}"'
            drawn += f'<text class="{name}" {place}>{escape(token, quote=False)}</text>\n'
        elif token[0] in PARTS:
            drawn += _blocks(left, top, token, look.colour)
        else:
            drawn += f'<path d="{_line(left, top, token)}" stroke="{look.colour}"/>\n'
    return drawn


def _line(left: int, top: int, token: str) -> str:
    if token[0] == "─":
        return f"M{left} {top + HEIGHT // 2}h{len(token) * WIDTH}"
    centre = left + WIDTH // 2
    if token[0] == "│":
        return "".join(f"M{centre + at * WIDTH} {top}v{HEIGHT}" for at in range(len(token)))
    below, turn = CORNERS[token[0]]
    return f"M{centre} {top + HEIGHT // 2 + below * HEIGHT // 2}v{-below * 5}q0 {-below * 5} {turn} {-below * 5}"


def _blocks(left: int, top: int, token: str, colour: str) -> str:
    x, y, width, height = PARTS[token[0]]
    spans: list[tuple[float, float]] = [(left, len(token) * WIDTH)]
    if width < 1:
        spans = [(left + (at + x) * WIDTH, width * WIDTH) for at in range(len(token))]
    opacity = SHADES.get(token[0], 1)
    return "".join(_rect(begin, top + y * HEIGHT, length, height * HEIGHT, colour, opacity) for begin, length in spans)


def _rect(x: float, y: float, width: float, height: float, colour: str, opacity: float = 1) -> str:
    faint = "" if opacity == 1 else f' opacity="{opacity}"'
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{colour}"{faint}/>\n'
