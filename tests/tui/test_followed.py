"""A configuration that is changed while dashboards are open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screens import night
from tests.tui.playing import playing
from tui import followed


async def test_what_is_allowed_to_lag_is_what_the_file_says_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "LOOK_SECONDS", 0.02)
    async with playing(tmp_path, night.build, 160, 40) as play:
        file = tmp_path / "mirrortui.toml"
        await play.sees("md-all-rel-200907", "! LAG", "2h00m")
        file.write_text(night.CONFIGURATION.replace('"2h"', '"9h"'))
        await play.sees("md-all-rel-200907", "> fetching", "9h00m")
        file.write_text("[engine\n")
        await play.sees("the configuration as it")
        await play.sees("md-all-rel-200907", "> fetching", "9h00m")
        file.write_text(night.CONFIGURATION.replace('"2h"', '"8h"'))
        await play.sees("md-all-rel-200907", "> fetching", "8h00m")
        file.write_text(night.CONFIGURATION.replace('"mirror.db"', '"other.db"'))
        await play.sees("start the dashboard anew")
        await play.sees("md-all-rel-200907", "> fetching", "8h00m")
