"""A mirror of which no product is mirrored: how its row stands, and what its keys do."""

from __future__ import annotations

from pathlib import Path

from tests.screens import night
from tests.tui.playing import playing

DEAD = """INSERT INTO mirrors (id, name, protocol, url, destination, error_kind, error)
          VALUES (3, 'dead', 'ipp', 'http://dead.example.org/ds', '/srv/dead', 'transient', 'it answered 503')"""


async def test_its_page_and_its_keys_tell_what_can_be_done_with_it(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 160, 50) as play:
        await play.change(DEAD)
        await play.to("1 Products", "dead/")
        await play.sees("?1 unlisted", "=1 paused")
        await play.sees("Is the URL right, and the server up?")
        for keys, name in (("r", "Retry"), ("v", "Verify"), ("4m", "Mirror or stop")):
            await play.press(*keys)
            await play.sees(f"{name}: no product of 'dead' is mirrored: u looks at its source")
        await play.press("u")
        await play.wished(1)
        await play.change("UPDATE mirrors SET paused = 'by mira' WHERE name = 'dead'")
        await play.on("1 Products", "dead/", "= paused")
        assert "unlisted" not in await play.sees("=2 paused")
        await play.sees("why        paused by mira")
        await play.sees("error      it answered 503")
        await play.sees("then       p resumes it")
        await play.press("u")
        await play.sees("Poll now: 'dead' is paused: p resumes it")
        await play.press("p")
        wished = [(kind, target["mirror"], target["product"]) for kind, target in await play.wished(2)]
        assert wished == [("poll", "dead", None), ("resume", "dead", None)]
        await play.pilot.resize_terminal(80, 24)
        await play.press("1")
        await play.sees("╰─ paused by mira")
