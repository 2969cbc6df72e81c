"""The Hub's refusals and broken connections, as a user meets them: what happened, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xl_suite.errors import XLSuiteError

# After these errors the commit may have been made: perhaps only the answer to it was lost.
_AGAIN = "Run the same command again later: it looks at what is there, and what was uploaded is not uploaded twice."


class HubRefused(XLSuiteError):
    """The Hub does not let us, or its answer does not come."""


@contextmanager
def explained(url: str, committed: str = "") -> Iterator[None]:
    """Turns the client's errors into what the user can do about them. committed: the commit that was made already."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except XLSuiteError:
        raise
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        nothing = f"Commit {committed} is there; only its tag is missing." if committed else "Nothing was committed."
        advice = {
            400: f"It does not take what was sent: {_shorten(error)}",
            401: f"Log in first: `hf auth login`, or HF_TOKEN with a token that may write. {nothing}",
            403: f"Your token may not write there. Choose a repository of yours, or ask its owner. {nothing}",
            409: "It changed at the same time. Run the same command again.",
            412: f"It has got a commit since it was compared. {nothing} Run it again, and look at --dry-run.",
        }.get(status or 0, _AGAIN)
        raise HubRefused(f"{url}: the Hub answers {status}. {advice}") from error
    except Exception as error:
        if isinstance(error.__cause__, HfHubHTTPError):  # the card, which the Hub looks at before a commit
            raise HubRefused(f"{url}: {_shorten(error)} Nothing was committed.") from error
        if not _is_transports(error):
            raise
        raise HubRefused(f"{url}: the connection to the Hub broke ({type(error).__name__}). {_AGAIN}") from error


def _shorten(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."


def _is_transports(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, is of the client's transport, which changes with its version."""
    while error is not None:
        if type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "requests", "urllib3", "httpcore"):
            return True
        error = error.__cause__ or error.__context__
    return False
