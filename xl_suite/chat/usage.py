"""What answered the calls of a run: the models that the answers name, and a fingerprint of calls and answers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from xl_suite.chat.answers import answer_to_json
from xl_suite.chat.calls import Answer, Call
from xl_suite.chat.identity import Identity
from xl_suite.chat.models import Model
from xl_suite.chat.shapes import Shape
from xl_suite.chat.wire import dump


class Usage:
    """Recorded by one client. group: which calls are told together, for example those of one language."""

    def __init__(
        self, group: Callable[[Call], Hashable], state: Callable[[], tuple[Model, Shape, Sequence[Identity]]]
    ):
        self._group, self._state = group, state
        self._digests: dict[Hashable, dict[bytes, bytes]] = {}
        self._models: dict[Hashable, Counter[str]] = {}

    def note(self, call: Call, key: bytes, answer: Answer) -> None:
        group = self._group(call)
        self._digests.setdefault(group, {})[key] = hash_answer(answer)
        self._models.setdefault(group, Counter())[answer.model] += 1

    def describe(self, group: Hashable) -> dict[str, Any]:
        """Who answered a group's calls; the same for a run, one that goes on, and a replay.

        model: as asked. weights: the hash of local ones. answered_as: how often the answers name each model. servers:
        who has answered as the model in this journal. shape: how requests differ from what the calls ask for.
        journal_fingerprint: of n_calls calls and their answers.
        """
        model, shape, servers = self._state()
        digests = self._digests.get(group, {})
        value: dict[str, Any] = {"model": model.name}
        if model.key != model.name:
            value["weights"] = model.key
        value["answered_as"] = dict(sorted(self._models.get(group, Counter()).items()))
        value["servers"] = sorted(
            {dump(told): told for one in servers for told in [one.to_dict(public=True)]}.values(), key=dump
        )
        value["shape"] = shape.to_dict()
        return value | {"n_calls": len(digests), "journal_fingerprint": fingerprint(digests.items())}


def fingerprint(answers: Iterable[tuple[bytes, bytes]]) -> str:
    """SHA-256 over the sorted (key, hash of the answer) of calls, whatever journals hold them."""
    digest = hashlib.sha256()
    for key, answer in sorted(answers):
        digest.update(key + answer)
    return digest.hexdigest()


def hash_answer(answer: Answer) -> bytes:
    return hashlib.sha256(dump(answer_to_json(answer))).digest()
