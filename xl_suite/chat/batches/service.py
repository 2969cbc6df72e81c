"""A server's files and batches, as OpenAI's Batch API has them."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from xl_suite.chat.http import TooLarge, find_proxy, join_path, read_bounded
from xl_suite.chat.models import Model
from xl_suite.chat.wire import excerpt, load
from xl_suite.keys import hide_keys, hide_secrets

if TYPE_CHECKING:
    import aiohttp

METADATA = "xl_suite_plan"
ENDPOINT = "/v1/chat/completions"
PAGE = 100
# What a file of results may hold: 50,000 answers of 100 kB.
MOST_RESULT_BYTES = 5 << 30
# States in which a server is done with a batch.
ENDED = ("completed", "expired", "cancelled", "failed")


class ServiceFault(Exception):
    """A request that failed. status: 0 without a response; then, and from 500 on, the server may have done it.

    data: the response's body.
    """

    def __init__(self, status: int, data: bytes, reason: str = ""):
        super().__init__(hide_secrets(reason or f"HTTP {status}: {excerpt(data)}"))
        self.status, self.data = status, data

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status == 0 or self.status >= 500 or self.status in (408, 409, 425, 429)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the server tells it. errors: (code, message, line) of what its validation refuses. made: Unix time,
    0 where the server does not say it."""

    id: str
    status: str
    plan: str
    output_file: str
    error_file: str
    done: int
    total: int
    errors: tuple[tuple[str, str, int | None], ...]
    made: int = 0

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


class BatchService:
    """The files and batches at one base URL. Every method raises ServiceFault."""

    def __init__(self, http: aiohttp.ClientSession, model: Model, url: str, timeout: float):
        self.url = url
        self._http, self._timeout = http, timeout

    async def upload(self, file: IO[bytes], name: str) -> str:
        """Sends a file of requests; its ID."""
        import aiohttp

        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", file, filename=name, content_type="application/jsonl")
        return str(_field(await self._request("POST", "/files", data=form), "id"))

    async def create(self, file: str, plan: str) -> Batch:
        body = {
            "input_file_id": file,
            "endpoint": ENDPOINT,
            "completion_window": "24h",
            "metadata": {METADATA: plan},
        }
        return read_batch(await self._request("POST", "/batches", json=body))

    async def get(self, batch: str) -> Batch:
        return read_batch(await self._request("GET", f"/batches/{quote(batch, safe='')}"))

    async def cancel(self, batch: str) -> Batch:
        return read_batch(await self._request("POST", f"/batches/{quote(batch, safe='')}/cancel"))

    async def delete_file(self, file: str) -> None:
        await self._request("DELETE", f"/files/{quote(file, safe='')}")

    async def list(self) -> AsyncIterator[Batch]:
        """All batches, the newest ones first, page by page."""
        after = ""
        while True:
            query = f"?limit={PAGE}" + (f"&after={quote(after, safe='')}" if after else "")
            page = await self._request("GET", "/batches", query=query)
            entries = _field(page, "data")
            for entry in entries if isinstance(entries, list) else []:
                yield read_batch(entry)
            last = entries[-1].get("id", "") if isinstance(entries, list) and entries else ""
            if not page.get("has_more") or not last or last == after:
                return
            after = last

    async def fetch(self, file: str, to: IO[bytes]) -> None:
        """Writes the content of a file of results to `to`."""
        await self._request("GET", f"/files/{quote(file, safe='')}/content", to=to)

    async def _request(
        self, method: str, path: str, *, query: str = "", to: IO[bytes] | None = None, **body: Any
    ) -> dict[str, Any]:
        import aiohttp

        url = join_path(self.url, path)
        if query:
            url += query if "?" not in url else f"&{query[1:]}"
        timeout = None if to is not None or "data" in body else self._timeout
        try:
            async with (
                asyncio.timeout(timeout),
                self._http.request(method, url, allow_redirects=False, proxy=find_proxy(url), **body) as response,
            ):
                if response.status != 200:
                    raise ServiceFault(response.status, await read_bounded(response, 1 << 20))
                if to is not None:
                    await _write(response, to)
                    return {}
                value = load(await read_bounded(response), exact=False)
        except TimeoutError as error:
            raise ServiceFault(0, b"", f"{url}: no response within {self._timeout:g} s") from error
        except TooLarge as error:
            raise ServiceFault(413, b"", f"{url}: {error}") from error
        except (aiohttp.ClientError, OSError, ValueError, RecursionError, zlib.error) as error:
            raise ServiceFault(0, b"", f"{url}: {error or type(error).__name__}") from None
        if not isinstance(value, dict):
            raise ServiceFault(0, b"", f"{url}: the response is not a JSON object")
        return value


def read_batch(value: Any) -> Batch:
    """A batch from its JSON. Raises ServiceFault for what is not one."""
    if not isinstance(value, dict) or not isinstance(value.get("status"), str):
        raise ServiceFault(0, b"", f"no batch in {excerpt(str(value), 200)}")
    metadata, counts, errors = value.get("metadata"), value.get("request_counts"), value.get("errors")
    counts = counts if isinstance(counts, dict) else {}
    found = errors.get("data") if isinstance(errors, dict) else errors
    told = []
    for one in found if isinstance(found, list) else []:
        if isinstance(one, dict):
            line = one.get("line")
            told.append(
                (
                    hide_keys(str(one.get("code") or "")),
                    hide_keys(str(one.get("message") or "")),
                    line if _is_line(line) else None,
                )
            )
    return Batch(
        str(_field(value, "id")),
        value["status"],
        str(metadata.get(METADATA, "")) if isinstance(metadata, dict) else "",
        str(value.get("output_file_id") or ""),
        str(value.get("error_file_id") or ""),
        _count(counts.get("completed")) + _count(counts.get("failed")),
        _count(counts.get("total")),
        tuple(told),
        _count(value.get("created_at")),
    )


async def _write(response: aiohttp.ClientResponse, to: IO[bytes]) -> None:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise TooLarge(f"the response has the content encoding {encoding!r}, which is not read")
    decoder = None if encoding in ("", "identity") else zlib.decompressobj(wbits=47)
    size = 0
    async for chunk in response.content.iter_any():
        if decoder is not None:
            chunk = decoder.decompress(chunk, MOST_RESULT_BYTES - size + 1)
        size += len(chunk)
        if size > MOST_RESULT_BYTES:
            raise TooLarge(f"the response is longer than {MOST_RESULT_BYTES:,} bytes")
        to.write(chunk)


def _field(value: dict[str, Any], name: str) -> Any:
    if name not in value:
        raise ServiceFault(0, b"", f"the response has no {name!r}: {excerpt(str(value), 200)}")
    return value[name]


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _is_line(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
