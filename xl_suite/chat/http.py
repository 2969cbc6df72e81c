"""The one HTTP client: every request to a model's server goes through it.

It follows redirects to the same host only, bounds what it reads, and takes proxies and certificate authorities from
the environment.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from xl_suite.chat.models import Model
from xl_suite.chat.wire import load
from xl_suite.errors import XLSuiteError
from xl_suite.keys import make_headers

if TYPE_CHECKING:
    import aiohttp
    import yarl

# uvicorn, under vLLM and transformers, closes idle connections after 5 s; a call on such a connection would break.
KEEP_ALIVE_SECONDS = 4.0
CONNECT_SECONDS = 10.0
# What one response may hold, decoded.
MOST_BYTES = 64 << 20
MOST_REDIRECTS = 3
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PORTS = {"http": 80, "https": 443}


class TooLarge(XLSuiteError):
    """A response that is longer than what is read of one."""


class WrongRedirect(XLSuiteError):
    """A redirect to another host; `target` is its scheme, host and path."""

    def __init__(self, status: int, target: str):
        super().__init__(f"HTTP {status} points to {target}")
        self.status, self.target = status, target


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    data: bytes


def open_http(model: Model) -> aiohttp.ClientSession:
    """A session that sends the model's key. It asks for no content encoding, so that it knows what it reads."""
    import aiohttp

    azure = any("api-version=" in url for url in model.urls)
    headers = {"Accept": "application/json", "User-Agent": "xl-suite", **make_headers(model.api_key, azure=azure)}
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=300, ssl=_ssl()),
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        skip_auto_headers=("Accept-Encoding",),
        auto_decompress=False,
    )


def _ssl() -> Any:
    """The default context, with the certificate authorities that the environment names."""
    paths = [value for name in _CERTIFICATES if (value := os.environ.get(name)) and os.path.isfile(value)]
    return _trust(tuple(paths)) if paths else True


@cache
def _trust(paths: tuple[str, ...]) -> Any:
    """A context that trusts further certificate authorities; made once, since reading them takes 40 ms."""
    import ssl

    context = ssl.create_default_context()
    for path in paths:
        context.load_verify_locations(cafile=path)
    return context


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def find_proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL, if any; never for a server on this machine's loopback."""
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.netloc):
        return None
    proxy = getproxies().get(parts.scheme) or getproxies().get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def join_path(base: str, path: str) -> str:
    """The URL of a path below a base URL, whose query stays: `...?api-version=1` keeps it."""
    start, mark, query = base.partition("?")
    return f"{start}{path}{mark}{query}"


def find_target(url: str, status: int, location: str | None) -> str:
    """Where a redirect leads, if it is the same host. Raises WrongRedirect."""
    target = urljoin(url, location or "")
    old, new = urlsplit(url), urlsplit(target)
    shown = f"{new.scheme}://{new.hostname}{f':{new.port}' if new.port else ''}{new.path}"
    same_port = (new.port or _PORTS.get(new.scheme)) == (old.port or _PORTS.get(old.scheme))
    upgrade = (old.scheme, new.scheme) == ("http", "https") and old.port in (None, 80) and new.port in (None, 443)
    if not location or old.hostname != new.hostname or not ((same_port and old.scheme == new.scheme) or upgrade):
        raise WrongRedirect(status, shown)
    return target


async def read_bounded(response: aiohttp.ClientResponse, most: int = MOST_BYTES) -> bytes:
    """The body of a response, decoded. Raises TooLarge beyond `most` bytes, and for an encoding we do not bound."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    length = response.content_length
    if encoding in ("", "identity"):
        if length is not None and length <= most:
            return await response.read()
        if length is not None:
            raise TooLarge(f"the response has {length:,} bytes; at most {most:,} are read")
    elif encoding not in ("gzip", "x-gzip", "deflate"):
        raise TooLarge(f"the response has the content encoding {encoding!r}, which is not read")
    decoder = None if encoding in ("", "identity") else zlib.decompressobj(wbits=47)
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        if decoder is not None:
            chunk = decoder.decompress(chunk, most - size + 1)
        parts.append(chunk)
        size += len(chunk)
        if size > most:
            raise TooLarge(f"the response is longer than {most:,} bytes")
    return b"".join(parts)


async def request_json(http: aiohttp.ClientSession, url: str, seconds: float, most: int = 1 << 22) -> tuple[int, Any]:
    """(HTTP status, JSON) at a URL of the model's server; 0 without an answer, None without JSON. Raises nothing."""
    import asyncio

    import aiohttp

    try:
        async with asyncio.timeout(seconds):
            for _ in range(MOST_REDIRECTS):
                async with http.get(url, allow_redirects=False, proxy=find_proxy(url)) as response:
                    if 300 <= response.status < 400:
                        url = find_target(url, response.status, response.headers.get("Location"))
                        continue
                    status = response.status
                    return status, load(await read_bounded(response, most), exact=False) if status == 200 else None
    except (aiohttp.ClientError, OSError, TimeoutError, zlib.error):
        return 0, None
    except (ValueError, RecursionError, XLSuiteError):
        return 200, None
    return 310, None


def endpoint(url: str) -> yarl.URL:
    """Where the calls of a base URL go."""
    import yarl

    return yarl.URL(join_path(url, "/chat/completions"), encoded=True)
