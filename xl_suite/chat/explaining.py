"""What the user is told of an attempt that broke, and of one that cost too much."""

from __future__ import annotations

import zlib

from xl_suite.chat.calls import Answer
from xl_suite.chat.faults import Fault, Kind
from xl_suite.chat.http import TooLarge, WrongRedirect
from xl_suite.chat.lines import tell
from xl_suite.errors import ModelUnavailable


def tell_surprise(row: str, answer: Answer, dollars: float, most: float) -> str:
    return (
        f"{row} cost ${dollars:.4f} ({answer.prompt_tokens:,} + {answer.completion_tokens:,} tokens by the server's "
        f"count), and at most ${most:.4f} was reckoned with: the rest is not asked, since no budget holds with such "
        "costs. What was answered is kept; the same command goes on from there once the server counts right, or "
        "without --budget."
    )


def explain_exception(error: Exception, timeout: float, url: str) -> Fault:
    """The fault of an attempt that ended without a response. Raises what is not a fault of connection or server."""
    import aiohttp

    if isinstance(error, WrongRedirect):
        raise ModelUnavailable(tell("ended_redirect", url=url, target=error.target, status=error.status)) from error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        raise ModelUnavailable(tell("ended_certificate", url=url, said=str(error.certificate_error))) from error
    if isinstance(error, TooLarge):
        return Fault(Kind.REFUSED, f"{error}.", maybe_paid=True, own_fault=True)
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Fault(Kind.UNREACHABLE, f"{error}.")
    if isinstance(error, TimeoutError):
        return Fault(Kind.BROKEN, f"no response within {timeout:g} s", maybe_paid=True)
    if isinstance(error, aiohttp.ClientError | OSError | zlib.error):
        text = str(error) or type(error).__name__
        return Fault(Kind.BROKEN, f"the connection broke: {text}", maybe_paid=True)
    raise error
