"""What goes to others: datasets and adapters on the Hub, and submissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xl_suite.api.benchmarks import load_benchmark
from xl_suite.api.jobs import Languages, Place, list_languages, logger, to_path
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_suite.publishing.hub import Published, PublishPlan
    from xl_suite.results import Benchmark, Outputs
    from xl_suite.submission.submission import Submission


def publish(
    folder: Place,
    repo: str,
    *,
    private: bool = False,
    gated: Literal["auto", "manual"] | None = None,
    gated_prompt: str = "By asking for access you agree to the licence on the card.",
    revision: str = "main",
    tag: str | None = None,
    over: str | None = None,
    allow_emails: bool = False,
) -> Published:
    """Publishes a dataset's or an adapter's folder on the Hub: one commit and a tag.

    Raises BadInput for what must not be published, and where the repository has commits that this folder lacks.
    """
    from xl_suite.publishing.hub import publish as upload

    plan = plan_publish(
        folder,
        repo,
        gated_prompt=gated_prompt if gated else None,
        revision=revision,
        tag=tag,
        allow_emails=allow_emails,
    )
    return upload(plan, private=private, gated=gated, over=over)


def plan_publish(
    folder: Place,
    repo: str,
    *,
    gated_prompt: str | None = None,
    revision: str = "main",
    tag: str | None = None,
    allow_emails: bool = False,
) -> PublishPlan:
    """What `publish` would change on the Hub. Checks the folder; changes nothing."""
    from xl_suite.publishing.checks import check_folder
    from xl_suite.publishing.hub import plan_publish as plan

    checked = check_folder(Path(folder))
    for problem in checked.problems:
        logger.warning("  %s", problem)
    if checked.problems:
        raise BadInput(f"{folder} cannot be published: {len(checked.problems)} problems, above.")
    if checked.emails:
        for address, place in checked.emails[:20]:
            logger.warning("  e-mail address %s in %s", address, place)
        if not allow_emails:
            raise BadInput(
                f"{folder} holds {len(checked.emails)} e-mail addresses. Take them out, or add --allow-emails."
            )
    return plan(Path(folder), repo, kind=checked.kind, revision=revision, tag=tag, gated_prompt=gated_prompt)


def submit(
    results: Place | None = None,
    *,
    benchmark: Benchmark | Place,
    reference: Outputs | Place,
    out: Place | None = None,
    name: str = "",
    outputs: Place | None = None,
    annotations: Place | None = None,
    annotator: str = "",
    journals: Sequence[Place] = (),
    languages: Languages = "all",
    limit: int | None = None,
    min_fidelity: float = 0.5,
    allow_emails: bool = False,
    about: Mapping[str, Any] | None = None,
) -> Submission:
    """Checks a model's results as the leaderboard's maintainer would; with `out`, writes the submission there.

    The result's `problems` are empty where the results are accepted. about: `model_id`, `billions`, `training`,
    `benchmark_id`, `benchmark_revision`, `date`, `source_url`, which go beside the scores.
    """
    from xl_suite.submission.checks import Requirements
    from xl_suite.submission.writer import check_and_write

    return check_and_write(
        None if results is None else Path(results),
        benchmark=load_benchmark(benchmark).folder,
        reference=to_path(reference),
        out=None if out is None else Path(out),
        name=name,
        outputs=None if outputs is None else Path(outputs),
        annotations=None if annotations is None else Path(annotations),
        annotator=annotator,
        journals=[Path(one) for one in journals],
        required=Requirements(
            languages=tuple(list_languages(languages) or ()),
            limit=limit,
            annotator=Path(annotator).resolve().name if Path(annotator, "configs.yaml").is_file() else annotator,
            min_fidelity=min_fidelity,
            allow_emails=allow_emails,
        ),
        about=about or {},
    )
