"""The configuration of a run: one YAML file, checked as a whole, and the fingerprint of what it determines."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from xl_instruct.config_errors import explain
from xl_instruct.corpus.filters import PassageLimits
from xl_instruct.stages.prompts import load_prompt
from xl_suite.chat.calls import Sampling
from xl_suite.chat.models import Model, parse_model
from xl_suite.chat.wire import dump
from xl_suite.errors import BadInput, UnknownLanguage, XLSuiteError
from xl_suite.foreign import MOST_YAML_CHARACTERS, parse_yaml, read_bytes
from xl_suite.languages import find_language

# The paper's eight (section 5; its Table 1).
PAPER_LANGUAGES = ("deu", "por", "hun", "lit", "gle", "mlt", "zho", "hin")
# Raised when the rows that a stage writes change their form: old stage files are then left alone.
FORMAT = 1
# The one reason for a refusal that no guard sees: the answer was cut off by max_tokens.
TRUNCATED = "truncated"
DOCUMENT_PROMPT = "translate_document"
PROMPTS = ("instruct", "refine", "translate", "translate_in_context")

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]


def check_guards(value: tuple[str, ...] | None, valid: tuple[str, ...]) -> tuple[str, ...] | None:
    """The names of guards, or ValueError for one that is not in `valid`."""
    for name in value or ():
        if name not in valid:
            raise ValueError(f"{name!r} is not a guard. Valid: {', '.join(valid)}")
    return value


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Passages(Section):
    """Stage 0: where the English passages come from, and which of them are taken.

    source: a file or folder of Parquet, JSON or text, a plug-in (`package.module:function`), or a Hub dataset's ID.
    subset, split: of a folder with a card or a Hub dataset. revision: of a Hub dataset. text, id: names of the
    columns; without `id` a row's number is its ID. count: passages to sample. read: rows of the corpus to sample them
    from, at most; those of a Hub dataset then come from files in a drawn order, so that a corpus of terabytes need
    not be read to its end. None reads all.
    limits: which passages are taken (`corpus.filters.PassageLimits`). licence: of the corpus, for the card.
    """

    source: Text
    subset: str | None = None
    split: str = "train"
    revision: str | None = None
    text: Text = "text"
    id: str = ""
    count: Count = 1000
    read: Count | None = None
    seed: int = 1
    limits: PassageLimits = PassageLimits()
    licence: Text = "unknown"

    @field_validator("limits", mode="before")
    @classmethod
    def _are_limits(cls, value: Any) -> Any:
        valid = [field.name for field in fields(PassageLimits)]
        strange = [name for name in value if name not in valid] if isinstance(value, dict) else []
        if strange:
            raise ValueError(f"{strange[0]!r} is not a limit of passages. Valid: {', '.join(valid)}")
        return value


class ModelSettings(Section):
    """A model, named as everywhere (`vllm:ID_OR_DIR`, `MODEL@http://host:8000/v1`, ...), and how it is asked.

    revision, licence: for provenance and card. extra: further fields of the request's body.
    """

    model: Text
    revision: str = ""
    licence: Text = "unknown"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Count = 2048
    seed: int | None = None
    extra: dict[str, Any] = Field(default_factory=dict)

    @field_validator("model")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        return value.strip()

    def sampling(self, sample: int = 0) -> Sampling:
        return Sampling(
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            top_p=self.top_p,
            seed=self.seed,
            extra=tuple(sorted(self.extra.items())),
        )


class Teacher(ModelSettings):
    """guards: those that refuse what the teacher writes, by name; null is all (`stages.teacher_guards`)."""

    guards: tuple[str, ...] | None = None

    @field_validator("guards")
    @classmethod
    def _are_known(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        from xl_instruct.stages.teacher_guards import REASONS

        return check_guards(value, tuple(REASONS))


class Translator(ModelSettings):
    """temperature: of the first answer. retry_temperature: of further ones, which would else be the same again."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    retry_temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.7
    max_tokens: Count = 1024

    def sampling(self, sample: int = 0) -> Sampling:
        first = super().sampling()
        if sample == 0:
            return first
        return Sampling(self.retry_temperature, first.max_tokens, first.top_p, first.seed, extra=first.extra)


class Document(Translator):
    """A third arm beside naive and best-of-k: a model that translates a whole response, or a window of it, in a call.

    window: segments of a call; null is the whole response. before: sentences shown before a window.
    """

    window: Annotated[int, Field(ge=1)] | None = None
    before: Annotated[int, Field(ge=0, le=20)] = 3
    max_tokens: Count = 8192


class Splitting(Section):
    """name: of a splitter (`sentencex`, `sat`). options: as its module takes them."""

    name: Text = "sentencex"
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _is_known(cls, value: str) -> str:
        from xl_instruct.splitters import explain_splitter, is_splitter

        if not is_splitter(value):
            raise ValueError(explain_splitter(value))
        return value


class Translation(Section):
    """Stage 3. unit: what one call translates. mix: whether each unit (`sentence`) or each row takes the best of k.

    context: how many sentences before it a sentence is shown with. guards: those that refuse a candidate, by name;
    null is all. attempts: samples of one model for a sentence without a sound candidate.
    """

    unit: Literal["sentence", "paragraph", "document"] = "sentence"
    mix: Literal["sentence", "row"] = "sentence"
    context: Annotated[int, Field(ge=0, le=20)] = 0
    attempts: Count = 3
    guards: tuple[str, ...] | None = None

    @field_validator("guards")
    @classmethod
    def _are_known(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        from xl_suite.translation.guards import REASONS

        return check_guards(value, (*REASONS, TRUNCATED))


class Estimation(Section):
    """The quality estimator (`surface`, `cometkiwi:ID_OR_DIR`, `comet:DIR`), and one that only reports."""

    model: Text = "surface"
    options: dict[str, Any] = Field(default_factory=dict)
    report_with: str | None = None
    report_options: dict[str, Any] = Field(default_factory=dict)


class Filtering(Section):
    """Stage 4. drop: the share of rows with the lowest scores that is left out. scope: of each language, or of all
    languages together. stratify: `length` cuts within bins of equally long rows."""

    drop: Annotated[float, Field(ge=0, lt=1)] = 0.2
    scope: Literal["language", "global"] = "language"
    stratify: Literal["none", "length"] = "none"
    bins: Annotated[int, Field(ge=2, le=100)] = 10


class Config(Section):
    """A whole run. attempts: samples of the teacher for a malformed or refused answer. seed: of the templates' draw.

    decontaminate: a benchmark's folder or Hub ID whose prompts must not occur; null is off.
    licence: of the dataset. assumed: what the paper leaves unstated, with the choice made here.
    stop_at_refused: a run stops early when this share of the first hundreds of rows, or of a translator's candidates,
    is refused; null never.
    """

    title: Text = "XL-Instruct"
    licence: Text = "other"
    languages: Annotated[tuple[str, ...], Field(min_length=1)] = PAPER_LANGUAGES
    passages: Passages
    teacher: Teacher
    translators: Annotated[tuple[Translator, ...], Field(min_length=1)]
    splitter: Splitting = Splitting()
    translation: Translation = Translation()
    document: Document | None = None
    estimation: Estimation = Estimation()
    filtering: Filtering = Filtering()
    decontaminate: str | None = None
    attempts: Count = 3
    seed: int = 1
    stop_at_refused: Annotated[float, Field(gt=0, le=1)] | None = 0.95
    assumed: tuple[str, ...] = ()

    @field_validator("languages")
    @classmethod
    def _are_languages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for code in value:
            try:
                find_language(code)
            except UnknownLanguage as error:
                raise ValueError(str(error)) from error
            if code == "eng":
                raise ValueError("the passages are English already: 'eng' cannot be translated into")
            if value.count(code) > 1:
                raise ValueError(f"{code!r} is named twice")
        return value

    @field_validator("licence")
    @classmethod
    def _is_a_licence(cls, value: str) -> str:
        from xl_suite.dataset.card import hub_values

        if value not in hub_values("license"):
            near = difflib.get_close_matches(value.lower(), hub_values("license"), n=3, cutoff=0.4)
            raise ValueError(
                f"{value!r} is not a licence that the Hub knows. Near: {', '.join(near) or 'other, unknown'}"
            )
        return value

    @model_validator(mode="after")
    def _differ(self) -> Config:
        names = [translator.model for translator in self.translators]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"translators: {doubled[0]!r} is there twice; each gives one candidate per sentence")
        return self

    @property
    def best_of(self) -> str:
        """The name of the config that best-of-k makes: `bestof3`."""
        return f"bestof{len(self.translators)}"


def read_config(path: Path | str) -> Config:
    """The configuration of a YAML file, or of one that comes with the package (`paper`, `smoke`, `permissive`).

    Raises BadInput that names the key, what is wrong with it and what is valid.
    """
    text, name = read_text(path)
    return parse_config(parse_yaml(text, name), name)


def read_text(path: Path | str) -> tuple[str, str]:
    """(text, name) of a configuration, with its comments. Raises BadInput where it cannot be read."""
    path = Path(path)
    packaged = files("xl_instruct").joinpath("configs", f"{path}.yaml")
    if not path.exists() and len(path.parts) == 1 and packaged.is_file():
        return packaged.read_text(encoding="utf-8"), f"{path}.yaml"
    try:
        return read_bytes(path, MOST_YAML_CHARACTERS).decode("utf-8-sig"), str(path)
    except (BadInput, ValueError) as error:
        names = (entry.name[:-5] for entry in files("xl_instruct").joinpath("configs").iterdir())
        own = sorted(name for name in names if not name.startswith("train_"))
        place = "" if isinstance(error, BadInput) else f"{path}: cannot be read: "
        said = str(error).removesuffix(".")
        raise BadInput(f"{place}{said}. Name a YAML file, or one of ours: {', '.join(own)}.") from error


def parse_config(value: Any, name: str = "config") -> Config:
    """The configuration that a mapping holds; raises as `read_config`."""
    if not isinstance(value, dict):
        raise BadInput(f"{name}: expected a mapping of keys. Keys: {', '.join(Config.model_fields)}.")
    try:
        return Config.model_validate(value)
    except ValidationError as error:
        wrong = error.errors()
        # A list whose only item is wrong counts as too short for pydantic as well.
        told = [one for one in wrong if one["type"] != "too_short" or len(wrong) == 1]
        lines = [explain(one, Config) for one in told or wrong]
        raise BadInput(f"{name}: " + "\n".join(lines)) from error


def describe_model(settings: ModelSettings) -> Model:
    """The model of the settings. Raises BadInput or ModelUnavailable, saying in which setting."""
    try:
        return parse_model(settings.model)
    except XLSuiteError as error:
        raise type(error)(f"model: {error}") from error


def hash_values(*values: Any) -> str:
    """SHA-256 (hex) of JSON values, the same for equal ones."""
    return hashlib.sha256(dump([FORMAT, *values])).hexdigest()


def settings_of(section: Section, **replaced: Any) -> dict[str, Any]:
    return {**section.model_dump(mode="json"), **replaced}


def fingerprint(config: Config, limit: int | None = None) -> str:
    """SHA-256 (hex) of everything that determines the result: all settings, models by their key (URLs do not
    count), the prompts' texts, and the limit of passages."""
    values = settings_of(config)
    for name in ("assumed", "stop_at_refused"):
        values.pop(name)
    values["teacher"]["model"] = describe_model(config.teacher).key
    for own, translator in zip(values["translators"], config.translators, strict=True):
        own["model"] = describe_model(translator).key
    prompts: tuple[str, ...] = PROMPTS
    if config.document is None:  # as it was before there was such an arm
        values.pop("document")
    else:
        values["document"]["model"] = describe_model(config.document).key
        prompts = (*PROMPTS, DOCUMENT_PROMPT)
    return hash_values(values, limit, {name: load_prompt(name).sha256 for name in prompts})
