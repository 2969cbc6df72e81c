"""Redirects, addresses and proxies of the HTTP client."""

from __future__ import annotations

import pytest

from xl_suite.chat.http import WrongRedirect, find_proxy, find_target, join_path


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("http://a:1/v1/chat/completions", "/v2/chat/completions", "http://a:1/v2/chat/completions"),
        ("http://a/v1", "https://a/v1", "https://a/v1"),
    ],
)
def test_a_redirect_to_the_same_host_is_followed(url: str, location: str, target: str) -> None:
    assert find_target(url, 307, location) == target


@pytest.mark.parametrize("location", ["http://b:1/v1", "http://a:2/v1", "ftp://a:1/v1", "//b/v1", None, ""])
def test_a_redirect_elsewhere_is_not(location: str | None) -> None:
    with pytest.raises(WrongRedirect):
        find_target("http://a:1/v1", 307, location)


def test_the_key_never_goes_from_https_to_http() -> None:
    with pytest.raises(WrongRedirect, match="http://a/v1"):
        find_target("https://a/v1", 307, "http://a/v1?secret=1")


def test_a_query_stays_behind_the_path() -> None:
    assert join_path("https://a/openai/deployments/m?api-version=1", "/chat/completions") == (
        "https://a/openai/deployments/m/chat/completions?api-version=1"
    )


def test_proxies_come_from_the_environment_and_never_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    assert find_proxy("https://api.example/v1") == "http://proxy.example:3128"
    assert find_proxy("https://localhost:1/v1") is None
    monkeypatch.setenv("no_proxy", "api.example")
    assert find_proxy("https://api.example/v1") is None
