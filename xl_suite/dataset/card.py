"""Dataset cards: filled from a template, and checked offline before a folder is written or published.

The Hub checks a card's YAML itself, but only on upload; the tables here say the same beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from xl_suite.errors import BadInput, UnknownLanguage
from xl_suite.foreign import parse_yaml
from xl_suite.languages import Language, find_language, table
from xl_suite.placeholders import fill_all, find_names
from xl_suite.tables import read_table

_FRONT = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_SPLIT = re.compile(r"\w+(\.\w+)*")
_REQUIRED = ("language", "license", "pretty_name", "size_categories", "task_categories", "configs", "dataset_info")
# The fields whose values the Hub knows as a closed list.
_CLOSED = ("license", "size_categories", "task_categories")


@dataclass(frozen=True, slots=True)
class HubValue:
    """A row of hub_values.tsv: a value that the Hub accepts in a field of a card's YAML."""

    field: str
    value: str


@cache
def hub_values(field: str) -> tuple[str, ...]:
    rows = read_table("xl_suite.dataset", "hub_values.tsv", HubValue)
    return tuple(row.value for row in rows if row.field == field)


def name_language(language: Language) -> str:
    """The code of a language on the Hub: ISO 639-1, or 639-3 where there is none."""
    return language.code2 or language.code


def render_card(template: str, metadata: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """The text of a README: the template's own YAML joined with `metadata`, and every {{placeholder}} filled.

    Lists that both have (`tags`) are joined. Raises BadInput for a card that `check_card` finds fault with, for a
    placeholder without a value and for a value without a placeholder.
    """
    own = read_metadata(template)
    found = _FRONT.match(template)
    if own is None or found is None:
        raise BadInput("The template of the card has no YAML between --- lines at its top.")
    body = fill_all(found[2], values, "card", double=True)
    joined = dict(own)
    for name, value in metadata.items():
        joined[name] = [*own[name], *value] if isinstance(own.get(name), list) else value
    text = f"---\n{_dump(joined)}---\n{body}"
    problems = check_card(text)
    if problems:
        raise BadInput("The card is not valid, so nothing is written:\n" + "\n".join(f"- {p}" for p in problems))
    return text


def read_metadata(text: str) -> dict[str, Any] | None:
    """The YAML at the top of a card, or None where there is none or it is not a mapping."""
    found = _FRONT.match(text.replace("\r\n", "\n"))
    if found is None:
        return None
    try:
        value = parse_yaml(found[1], "the card")
    except BadInput:
        return None
    return value if isinstance(value, dict) else None


def check_card(text: str, *, with_clients: bool = False) -> list[str]:
    """What is wrong with a dataset card, one sentence each; empty for a good one. No network.

    with_clients: also has huggingface_hub and datasets read it, which costs their imports (about a second).
    """
    metadata = read_metadata(text)
    if metadata is None:
        return ["It has no YAML between --- lines at its top, or the YAML cannot be read."]
    problems = [f"{field} is missing from the YAML." for field in _REQUIRED if not metadata.get(field)]
    for field in _CLOSED:
        known = hub_values(field)
        for value in _listed(metadata.get(field)):
            if value not in known:
                problems.append(f"{field}: {value!r} is not known to the Hub ({', '.join(known[:6])}, ...).")
    problems += [f"language: {code!r} is not a language's code." for code in _wrong_codes(metadata.get("language"))]
    if metadata.get("configs") and metadata.get("dataset_info"):
        problems += _check_layout(metadata["configs"], metadata["dataset_info"])
    body = text.split("\n---\n", 1)[-1]
    if not re.search(r"^# \S", body, re.MULTILINE):
        problems.append("The text has no title (# ...).")
    problems += [f"The placeholder {{{{{name}}}}} is not filled." for name in sorted(find_names(body, double=True))]
    if with_clients and not problems:
        problems += _read_with_clients(text)
    return problems


def _check_layout(configs: Any, infos: Any) -> Iterator[str]:
    try:
        splits = {c["config_name"]: [part["split"] for part in c["data_files"]] for c in configs}
        paths = [part["path"] for c in configs for part in c["data_files"]]
        counts = {i["config_name"]: {s["name"]: s["num_examples"] for s in i["splits"]} for i in _listed(infos)}
        features = {i["config_name"]: i["features"] for i in _listed(infos)}
    except (KeyError, TypeError) as error:
        yield f"configs or dataset_info does not have the form of the Hub's cards ({type(error).__name__}: {error})."
        return
    if len(splits) != len(configs):
        yield "configs: a config_name is there twice."
    for config, names in splits.items():
        for name in names:
            if not (isinstance(name, str) and _SPLIT.fullmatch(name)):
                yield f"configs: {config}: datasets allows letters, digits and _ in a split's name, not {name!r}."
        if names != list(counts.get(config, {})):
            yield f"dataset_info: {config} has the splits {list(counts.get(config, {}))}, but configs has {names}."
        if not features.get(config):
            yield f"dataset_info: {config} has no features."
    for path in paths:
        for part in _listed(path):
            if not isinstance(part, str) or part.startswith("/") or ".." in part.split("/"):
                yield f"configs: the path {part!r} leads out of the dataset."


def _read_with_clients(text: str) -> list[str]:
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    try:
        data = DatasetCard(text).data
        configs = MetadataConfigs.from_dataset_card_data(data)
        infos = DatasetInfosDict.from_dataset_card_data(data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return [f"huggingface_hub or datasets cannot read it: {type(error).__name__}: {error}"]
    unread = sorted(set(configs) ^ set(infos))
    return [f"datasets reads {', '.join(unread)} from only one of configs and dataset_info."] if unread else []


def _wrong_codes(codes: Any) -> Iterator[str]:
    own = {code for language in table() for code in (language.code, language.code2)}
    for code in _listed(codes):
        if code not in own and not _is_language(code):
            yield code


def _is_language(code: Any) -> bool:
    if not isinstance(code, str):
        return False
    if len(code) == 2:
        from iso639 import Language as IsoLanguage
        from iso639 import LanguageNotFoundError

        try:
            return bool(IsoLanguage.from_part1(code))
        except LanguageNotFoundError:
            return False
    try:
        return bool(find_language(code))
    except UnknownLanguage:
        return False


def _listed(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _dump(metadata: Mapping[str, Any]) -> str:
    import yaml

    # A dumper without anchors: the same list under two names is written out twice, as people read it.
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(dict(metadata), Dumper=Plain, sort_keys=False, allow_unicode=True, width=1000)
