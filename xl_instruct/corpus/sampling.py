"""Stage 0 of a configuration: its corpus, sampled and filtered."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from xl_instruct.config import Passages
from xl_instruct.corpus.lines import BadLines
from xl_instruct.corpus.passages import read_passages, sample_passages
from xl_instruct.stages.files import Summary
from xl_suite.errors import BadInput

logger = logging.getLogger("xl_suite")


def sample_rows(settings: Passages, limit: int | None, summary: Summary) -> Iterator[dict[str, Any]]:
    """The passages as rows, numbered from 1 in the order in which they were drawn; `limit` takes the first.

    summary: gets the counts of the passages that were left out. Raises BadInput where none is left.
    """
    bad = BadLines()
    passages = read_passages(
        settings.source,
        text=settings.text,
        id=settings.id,
        config=settings.subset,
        split=settings.split,
        revision=settings.revision,
        shuffle=None if settings.read is None else settings.seed,
        bad=bad,
        progress=logger.info,
    )
    sample = sample_passages(islice(passages, settings.read), settings.count, settings.seed, settings.limits)
    counts = dict(sample.counts)
    summary.extra["read"] = counts.pop("read")
    kept = counts.pop("kept")
    if bad.bad:
        counts["bad_line"] = bad.bad
    for reason, count in counts.items():
        summary.left_out["dropped", reason] += count
    if not kept:
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "it is empty"
        raise BadInput(f"{settings.source}: no passage is left of {summary.extra['read']} ({reasons}).")
    for number, passage in enumerate(sample.passages[:limit], start=1):
        yield {
            "id": number,
            "text": passage.text,
            "passage_id": passage.id,
            "passage_source": passage.source,
        }
    if limit is not None and kept > limit:
        summary.left_out["dropped", "beyond --limit"] += kept - limit
