"""The calls of a run that wait for batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xl_suite.chat.batches.results import rebuild_request
from xl_suite.chat.batches.tables import PlannedCall
from xl_suite.chat.work import Work


@dataclass(slots=True)
class Waiting:
    """works: calls of this run in an open batch, by key. inherited: keys of calls in batches of an earlier run,
    whether this run asks them or not. answered: keys whose answers came when nobody in this run waited for them."""

    works: dict[bytes, Work] = field(default_factory=dict)
    inherited: set[bytes] = field(default_factory=set)
    answered: set[bytes] = field(default_factory=set)

    def take_back(self, calls: Mapping[bytes, PlannedCall], name: str) -> list[Work]:
        """The works of some calls, with their requests as they were; they wait no longer. name: of the model."""
        taken = []
        for key, call in calls.items():
            work = self.works.pop(key, None)
            if work is not None:
                work.request = rebuild_request(call, name)
                taken.append(work)
        return taken

    def end(self, keys: Sequence[bytes], settled: Iterable[bytes]) -> None:
        """A batch of `keys` is over, and `settled` of them need nothing more."""
        for key in settled:
            if self.works.pop(key, None) is None:
                self.answered.add(key)
        self.inherited.difference_update(keys)
