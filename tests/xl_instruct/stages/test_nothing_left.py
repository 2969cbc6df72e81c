"""A run in which no row survives the teacher: it ends with the reasons, and its folder goes on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models import answer, write_passages
from tests.xl_instruct.stages.test_pipeline import configure, run
from xl_instruct.stages.generate import NothingLeft
from xl_suite.chat.loopback.server import Reply, serve_loopback


def test_a_run_without_a_row_names_its_reasons_and_goes_on_in_the_same_folder(tmp_path: Path) -> None:
    passages, out = write_passages(tmp_path / "passages.jsonl", 2), tmp_path / "out"
    right = False

    def reply(request: dict[str, Any]) -> Reply | str:
        return answer(request) if right else "I wrote no tags."

    with serve_loopback(reply) as server:
        config = configure(passages, server)
        with pytest.raises(NothingLeft, match=r"(?s)2 quarantined: malformed answer.*tries the 2 quarantined"):
            run(config, out)
        left = [json.loads(line) for line in (out / "quarantine.jsonl").read_text("utf-8").splitlines()]
        assert len(left) == 2
        assert all(row["reason"] for row in left)
        right = True
        made = run(config, out)
    assert all(count for rows in made.rows.values() for count in rows.values())


def test_a_run_in_which_every_row_is_dropped_says_why_and_what_to_change(tmp_path: Path) -> None:
    passages = write_passages(tmp_path / "passages.jsonl", 2)

    def reply(request: dict[str, Any]) -> Reply | str:
        """A teacher that answers with code alone, in which nothing can be translated."""
        text = answer(request)
        code = "<response>\n```\nprint(1)\n```\n</response>"
        return re.sub(r"<response>.*</response>", code, text, flags=re.DOTALL) if isinstance(text, str) else text

    with serve_loopback(reply) as server, pytest.raises(NothingLeft, match=r"(?s)2 dropped: .*change the passages"):
        run(configure(passages, server), tmp_path / "out")
