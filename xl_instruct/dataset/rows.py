"""The rows of XL-Instruct as they are published: what a model learns from, and where every sentence of it is from."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Candidate:
    """One translator's translation of a segment.

    score: of the run's quality estimator; None where guards refused it and a sound one was beside it.
    refused: the guards that refused it (`xl_suite.translation.guards.REASONS`, or `truncated`); empty: it is sound.
    sample: which of the translator's answers it is, from 0.
    flags: what the guards could not tell (`xl_suite.translation.guards.FLAGS`), for a reader to see.
    """

    model: str
    text: str
    score: float | None
    refused: list[str]
    sample: int
    flags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RowSegment:
    """A segment of the English response, in order; the texts of all of them join back to it.

    kind, text, protected: as in `xl_instruct.segments.Segment`. translation: what is in its place; for what is
    not translated, its text. model, score: of the candidate that won; None and empty for what is not translated.
    """

    kind: str
    text: str
    protected: list[str]
    translation: str
    model: str
    score: float | None
    candidates: list[Candidate]


@dataclass(frozen=True, slots=True)
class UsedModel:
    """role: `teacher`, `translator` or `estimator`. revision: as configured, empty where it was not."""

    role: str
    name: str
    revision: str


@dataclass(frozen=True, slots=True)
class UsedPrompt:
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class SyntheticRow:
    """A training example: English instruction, response in `language`.

    id: of the passage it is made of, the same in every language and config; the number counts the run's passages.
    instruction: `prompt`, and below it the filled `template`. response: the translation of `source_response`.
    qe_score: mean of the scores of its `n_segments` translated segments, of which `lowest_score` is the lowest.
    report_score: of the estimator that only reports, if there is one. draft: the instruction before refinement.
    fingerprint: of the configuration.
    """

    id: int
    instruction: str
    response: str
    language: str
    qe_score: float
    qe_model: str
    n_segments: int
    lowest_score: float
    report_score: float | None
    report_model: str
    prompt: str
    template: str
    source_response: str
    draft: str
    passage_id: str
    passage_source: str
    teacher: str
    translators: list[str]
    segments: list[RowSegment]
    models: list[UsedModel]
    prompts: list[UsedPrompt]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class LanguageScore:
    """translations: the config it is of, `naive` or `bestof<k>`. kept: whether the row is in that config."""

    language: str
    translations: str
    qe_score: float
    n_segments: int
    lowest_score: float
    kept: bool


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """An English pair with the scores of its translations, also of those that were cut.

    qe_score: the mean over languages of the best translations' scores.
    """

    id: int
    instruction: str
    response: str
    language: str
    qe_score: float
    qe_model: str
    scores: list[LanguageScore]
    draft: str
    passage_id: str
    passage_source: str
    teacher: str
    fingerprint: str
