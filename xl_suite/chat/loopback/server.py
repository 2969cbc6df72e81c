"""A scripted server that speaks enough of OpenAI's chat protocol for tests, benchmarks and `xl-suite selftest`.

`python -m xl_suite.chat.loopback --latency 0.05 --slots 64` prints its base URL and serves until it is stopped.
`--like vllm` answers as that server does; with `--form refusals.context`, in that way of those in its table.
In Python: `with serve_loopback(lambda request: "Guten Tag.") as server: ... server.url, server.stats()`.
It is written on a bare asyncio protocol, so that it is faster than the clients that it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from xl_suite.chat.loopback.likeness import list_paths, list_servers, play
from xl_suite.chat.loopback.protocol import Connection, Loopback
from xl_suite.chat.loopback.replies import (
    FaultRates,
    Reply,
    Script,
    echo_words,
    last_message,
    read_rules,
    token_logprobs,
)
from xl_suite.chat.settings import raise_file_limit
from xl_suite.errors import BadInput

__all__ = ["FaultRates", "Loopback", "Reply", "Script", "last_message", "serve_loopback", "token_logprobs"]


async def start_loopback(server: Loopback, port: int = 0) -> asyncio.Server:
    """Serves on the loopback address in the running event loop; sets `server.url`."""
    raise_file_limit(16384)
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    return await loop.create_server(lambda: Connection(server), sock=listener, backlog=4096)


@contextmanager
def serve_loopback(script: Script = echo_words, *, port: int = 0, **options: Any) -> Iterator[Loopback]:
    """A running server in a thread of its own, for tests; `options` are the fields of Loopback."""
    server = Loopback(script, **options)
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(start_loopback(server, port))
    thread = threading.Thread(target=loop.run_forever, name="loopback", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listening.close()
        for transport in list(server.transports):
            transport.abort()
        loop.run_until_complete(asyncio.sleep(0))  # lets the sockets close
        loop.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m xl_suite.chat.loopback", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="of every answer")
    parser.add_argument("--slots", type=int, default=0, metavar="N", help="answers at a time; 0: any number")
    parser.add_argument("--models", default="", metavar="NAMES", help="with commas between; default: every name")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="a JSON array of rules: match, text, status, ...")
    like = f"answers as a real server does: {', '.join(list_servers())}"
    parser.add_argument("--like", default="", metavar="SERVER", help=like)
    parser.add_argument(
        "--form", default="", metavar="PART.NAME", help="of the server's table: refusals.context, ..."
    )
    parser.add_argument(
        "--times", type=int, default=0, metavar="N", help="of the form, before plain answers; 0: always"
    )
    parser.add_argument("--retry-after", default="1", metavar="SECONDS_OR_DATE", help="of the 429s")
    parser.add_argument("--stall-seconds", type=float, default=5.0, metavar="SECONDS", help="0: for ever")
    parser.add_argument("--seed", type=int, default=0, help="decides which requests get a fault")
    for name in ("throttled", "broken", "stalled", "cut", "garbage"):
        parser.add_argument(f"--{name}", type=float, default=0.0, metavar="SHARE", help="of the requests, 0 to 1")
    args = parser.parse_args(arguments)
    faults = FaultRates(
        args.throttled,
        args.broken,
        args.stalled,
        args.cut,
        args.garbage,
        args.retry_after,
        args.stall_seconds,
        args.seed,
    )
    script = read_rules(args.rules) if args.rules else echo_words
    if args.form and not args.like:
        parser.error("--form names a way in which the server of --like answers: give both.")
    paths: dict[str, Any] = {}
    if args.like:
        try:
            answer = script if args.rules else None
            script, paths = play(args.like, args.form, times=args.times, answer=answer), list_paths(args.like)
        except BadInput as error:
            parser.error(str(error))
    models = tuple(name for name in args.models.split(",") if name)
    server = Loopback(script, args.latency, args.slots, faults, models, paths=paths)

    async def serve() -> None:
        listening = await start_loopback(server, args.port)
        print(server.url, flush=True)
        await listening.serve_forever()

    with suppress(KeyboardInterrupt):
        asyncio.run(serve())
    return 0
