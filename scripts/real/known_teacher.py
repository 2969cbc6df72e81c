"""A teacher that knows the answers: for texts that were answers to known prompts, behind OpenAI's chat protocol.

    python scripts/real/known_teacher.py FILE [FILE ...] --port 8083

FILE is a JSON array with `instruction` and `output`, as AlpacaEval has outputs. Asked for the instruction of a text,
it gives the one that the text answered; asked to rework both, it gives them back. So the stages after the teacher can
be run on real texts where no model is at hand that can be one.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from xl_suite.tags import escape_tags, restore_tags

TAGS = ("passage", "instruction", "response")
_PASSAGE = re.compile(r"<passage>\n(.*)\n</passage>", re.DOTALL)
_BOTH = re.compile(r"<instruction>\n(.*)\n</instruction>\s+<response>\n(.*)\n</response>", re.DOTALL)


def read_known(files: list[Path]) -> dict[str, str]:
    """The instruction by its answer, both without white space around them."""
    rows = [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]
    return {shorten(row["output"]): row["instruction"].strip() for row in rows}


def shorten(text: str) -> str:
    return " ".join(text.split())


def answer(prompt: str, known: dict[str, str]) -> str | None:
    """What the teacher says; None to what it does not know."""
    if found := _BOTH.search(prompt):
        return f"<instruction>{found[1]}</instruction>\n<response>{found[2]}</response>"
    found = _PASSAGE.search(prompt)
    instruction = known.get(shorten(restore_tags(found[1], "passage"))) if found else None
    return None if instruction is None else f"<instruction>{escape_tags(instruction, *TAGS)}</instruction>"


def make_app(known: dict[str, str]) -> web.Application:
    async def complete(request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        prompt = str(body["messages"][-1]["content"])
        text = answer(prompt, known) or "I do not know this text."
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        counts = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(text.split())}
        usage = {**counts, "total_tokens": sum(counts.values())}
        about = {"id": "known", "object": "chat.completion", "created": int(time.time()), "model": body["model"]}
        return web.json_response({**about, "choices": [choice], "usage": usage})

    async def list_all(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "known", "object": "model"}]})

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_get("/v1/models", list_all)
    app.router.add_get("/health", health)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--port", type=int, default=8083)
    options = parser.parse_args()
    known = read_known(options.files)
    web.run_app(make_app(known), host="127.0.0.1", port=options.port, print=None)


if __name__ == "__main__":
    main()
