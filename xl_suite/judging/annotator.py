"""Annotators: folders with AlpacaEval's `configs.yaml` and a prompt, read for our judge and written for alpaca_eval.

`xl_suite/judging/annotators/<name>` contains the built-in ones; any other folder of that form works as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from xl_suite.chat.calls import Message, Sampling
from xl_suite.errors import BadInput, MissingExtra
from xl_suite.foreign import MOST_YAML_CHARACTERS, parse_yaml, read_bytes
from xl_suite.languages import find_language
from xl_suite.placeholders import fill, find_names
from xl_suite.records import write_text

# A prompt_template with this beginning is AlpacaEval's own: it is read from the installed package, never copied.
ALPACA_EVAL = "alpaca_eval:"
PLACEHOLDERS = {"instruction", "output_1", "output_2", "language"}
PARSERS = {"logprob_parser", "ranking_parser", "regex_parser"}
# Keys of AlpacaEval's YAML that have no effect here, each with the only values for which that is true.
INERT: dict[str, tuple[Any, ...]] = {
    "fn_completions": ("openai_completions",),
    "completion_key": ("completions", "completions_all"),
    "batch_size": (1,),
    "is_randomize_output_order": (True,),
    "processors_to_kwargs": ({"ChainOfThoughtProcessor": {}},),
}
# A key of this package: whether a tie counts as a draw. alpaca_eval does not receive it.
TIE_KEY = "allow_tie"
# A key of this package: the default order of a pair. It is `both`, since a judge's position bias is large and differs
# by language; AlpacaEval's own judge keeps its one random order, so that its win rates stay comparable.
ORDER_KEY = "order"
ORDERS = ("random", "both")
# The name of the other answer, by the name that a ranking is read for.
OTHERS = {"model_1": "model_2", "m": "M", "output_1": "output_2", "a": "b", "A": "B"}
DOCUMENTATION = {"pretty_name", "link"}
# Known fields of the request's body; `extra_body` contains all others.
EXTRA = {"extra_body", "max_completion_tokens", "reasoning_effort", "chat_template_kwargs"}
SAMPLING = {"max_tokens", "temperature", "top_p", "logprobs", "top_logprobs", "stop"}


@dataclass(frozen=True, slots=True)
class Annotator:
    """A judge's instructions.

    name: the folder's name. model: the judge that the configuration names. messages: the prompt's turns, with
    placeholders. verdicts: for text verdicts, regular expressions by the preference that a match means. numerator,
    denominators: the tokens of a verdict by logprobs. prompt_path: the file of the prompt. exact: whether these
    tokens are matched to the letter, by AlpacaEval's rule; else as labels (`weigh_labels`). position: the index of
    the verdict's token. binarizes: whether the likelier label is the whole verdict. allows_tie: whether a tie in text
    is a draw. base_url: the server of `model`, where the configuration names one. order: the default order of a pair,
    one of ORDERS.
    """

    name: str
    model: str
    sampling: Sampling
    messages: tuple[Message, ...]
    numerator: str
    denominators: tuple[str, ...]
    verdicts: tuple[tuple[float, str], ...]
    prompt_path: Path
    config: Mapping[str, Any]
    exact: bool = False
    position: int = 0
    binarizes: bool = False
    allows_tie: bool = False
    base_url: str = ""
    order: str = "both"

    @property
    def spec(self) -> str:
        """The judge to ask by default, as a model's name: with the URL that the configuration gives, if any."""
        return f"{self.model}@{self.base_url}" if self.base_url else self.model

    @property
    def digest(self) -> str:
        """The digest of the judge's prompt and of how its tokens are read, 12 digits."""
        parts = [[(one.role, one.content) for one in self.messages], self.numerator, self.denominators, self.position]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]

    @property
    def labels(self) -> tuple[str, str]:
        """The names of the first and the second answer shown, one of which a verdict in text names.

        They are the tokens of its logprob_parser; an annotator with a regex_parser reads text by its patterns. Raises
        BadInput where the tokens are not two.
        """
        others = sorted({token.strip() for token in self.denominators} - {self.numerator.strip()})
        if not self.numerator.strip() or len(others) != 1:
            raise BadInput(
                f"{self.name}: verdicts in text need the names of two answers; its denominator_tokens are "
                f"{', '.join(map(repr, self.denominators)) or 'none'}. Add --method logprobs, or use a regex_parser."
            )
        return self.numerator.strip(), others[0]

    @property
    def names_language(self) -> bool:
        return any("{language}" in message.content for message in self.messages)

    @property
    def guards_delimiters(self) -> bool:
        """Whether the prompt sets untrusted text between tags, which that text must then not be able to close."""
        return any("<answer" in message.content for message in self.messages)


def list_annotators() -> list[str]:
    """The names of the built-in annotators."""
    folder = files("xl_suite.judging") / "annotators"
    return sorted(entry.name for entry in folder.iterdir() if entry.joinpath("configs.yaml").is_file())


def find_shipped(name: str) -> str | None:
    """The built-in annotator of a name in annotations, which may end with a judge's name; None if it is unknown."""
    fitting = [known for known in list_annotators() if name == known or name.startswith(f"{known}-")]
    return max(fitting, key=len, default=None)


def read_annotator(name_or_folder: str) -> Annotator:
    """Loads a built-in annotator or a folder. Raises BadInput, with key and value, where the folder is invalid."""
    folder = find_folder(name_or_folder)
    path = folder / "configs.yaml"
    config = _read_config(path)
    unknown = set(config) - {*INERT, *DOCUMENTATION, TIE_KEY, ORDER_KEY, "prompt_template", "completions_kwargs"}
    unknown -= {"fn_completion_parser", "completion_parser_kwargs"}
    if unknown:
        known = ", ".join(sorted({*INERT, "prompt_template", "completions_kwargs", "fn_completion_parser"}))
        raise BadInput(f"{path}: {', '.join(sorted(unknown))} cannot be used here. Known keys: {known}.")
    for key, allowed in INERT.items():
        if key in config and config[key] not in allowed:
            raise BadInput(f"{path}: {key} is {config[key]!r}; valid: {', '.join(map(repr, allowed))}.")
    kwargs = _mapping(config.get("completions_kwargs"), "completions_kwargs", path)
    extra = set(kwargs) - SAMPLING - EXTRA - {"model_name", "price_per_token", "requires_chatml", "client_kwargs"}
    if extra or not isinstance(kwargs.get("model_name"), str):
        wrong = f"{', '.join(sorted(extra))} unknown" if extra else "model_name is missing"
        known = ", ".join(sorted(SAMPLING | EXTRA))
        raise BadInput(f"{path}, completions_kwargs: {wrong}. Known: model_name, price_per_token, {known}.")
    prompt_path = _find_prompt(config.get("prompt_template"), path)
    client = _mapping(kwargs.get("client_kwargs", {}), "client_kwargs", path)
    if set(client) - {"base_url"}:
        raise BadInput(f"{path}, client_kwargs: only base_url can be used here; found {', '.join(sorted(client))}.")
    if not isinstance(config.get(TIE_KEY, False), bool):
        raise BadInput(f"{path}: {TIE_KEY} is {config[TIE_KEY]!r}; valid: true, false.")
    if config.get(ORDER_KEY, "both") not in ORDERS:
        raise BadInput(f"{path}: {ORDER_KEY} is {config[ORDER_KEY]!r}; valid: {', '.join(ORDERS)}.")
    given = config.get("completion_parser_kwargs") or {}
    parser = _mapping(given, "completion_parser_kwargs", path)
    # Without a name it is alpaca_eval's default.
    numerator, denominators, verdicts = _read_parser(config.get("fn_completion_parser", "regex_parser"), parser, path)
    chosen = {key: value for key, value in kwargs.items() if key in SAMPLING}
    if "stop" in chosen:
        chosen["stop"] = tuple(chosen["stop"])
    further = {key: kwargs[key] for key in EXTRA - {"extra_body"} if key in kwargs}
    further |= _mapping(kwargs.get("extra_body", {}), "extra_body", path)
    chosen["extra"] = tuple(sorted(further.items()))
    return Annotator(
        name=folder.name,
        model=kwargs["model_name"],
        sampling=Sampling(**{"temperature": None, **chosen}),
        messages=parse_prompt(prompt_path.read_text(encoding="utf-8"), prompt_path),
        numerator=numerator,
        denominators=denominators,
        verdicts=verdicts,
        prompt_path=prompt_path,
        config=config,
        position=int(parser.get("log_prob_index", 0)),
        binarizes=config.get("fn_completion_parser") == "logprob_parser" and parser.get("is_binarize", True),
        allows_tie=config.get(TIE_KEY, False),
        base_url=str(client.get("base_url", "")),
        order=config.get(ORDER_KEY, "both"),
        exact=str(config.get("prompt_template")).startswith(ALPACA_EVAL) or len({*denominators, numerator}) != 2,
    )


def write_for_alpaca_eval(name: str, language: str | None = None, cache: Path | None = None) -> Path:
    """A folder that `alpaca_eval --annotators_config` takes: the configuration with its prompt's absolute path.

    alpaca_eval resolves a relative prompt against the *parent* of the folder, and uses a path that does not exist
    as the prompt itself, so the path is absolute. language: fills {language}, which alpaca_eval does not know.
    The folder lies under `cache` (default $XDG_CACHE_HOME/xl-suite) and is named by a digest of its content. It is
    never overwritten, because alpaca_eval keeps its judgements, which were paid for, in it.
    """
    import yaml

    annotator = read_annotator(name)
    cache = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xl-suite" / "annotators"
    if annotator.names_language and language is None:
        raise BadInput(
            f"{annotator.name} names the language in its prompt. Add --language, for example --language deu."
        )
    config = {key: value for key, value in annotator.config.items() if key not in (TIE_KEY, ORDER_KEY)}
    config["prompt_template"] = str(annotator.prompt_path)
    prompt = ""
    if language is not None:
        text = annotator.prompt_path.read_text(encoding="utf-8")
        prompt = fill(text, {"language": find_language(language).name})
    own = f"{annotator.name}_{find_language(language).code}" if language else annotator.name
    digest = hashlib.sha256(json.dumps([own, config, prompt], sort_keys=True, default=str).encode()).hexdigest()
    folder = (cache / digest[:12] / own).absolute()
    if prompt:
        config["prompt_template"] = str(folder / "prompt.txt")
        if not (folder / "prompt.txt").exists():
            write_text(folder / "prompt.txt", prompt)
    if not (folder / "configs.yaml").exists():
        write_text(folder / "configs.yaml", yaml.safe_dump({own: config}, sort_keys=False))
    return folder


def find_folder(name_or_folder: str) -> Path:
    if re.fullmatch(r"\w+", name_or_folder) and name_or_folder in list_annotators():
        with as_file(files("xl_suite.judging") / "annotators" / name_or_folder) as folder:
            return folder
    folder = Path(name_or_folder)
    if (folder / "configs.yaml").is_file():
        return folder.absolute()
    raise BadInput(
        f"{name_or_folder!r} is not an annotator. Built-in annotators: {', '.join(list_annotators())}; "
        "or name a folder that holds a configs.yaml in AlpacaEval's form."
    )


def parse_prompt(text: str, path: Path | str) -> tuple[Message, ...]:
    """The turns of a prompt in AlpacaEval's form: `<|im_start|>role`, the content, `<|im_end|>`.

    A text without those marks is one user turn. The marks are read before any answer is filled in, so that an
    answer that holds them stays an answer.
    """
    unknown = set(re.findall(r"{([^ \s]+?)}", text)) - PLACEHOLDERS
    if unknown:
        names = ", ".join(sorted(f"{{{name}}}" for name in unknown))
        raise BadInput(f"{path}: unknown placeholder {names}. Valid: {', '.join(sorted(PLACEHOLDERS))}.")
    missing = {"instruction", "output_1", "output_2"} - find_names(text)
    if missing:
        raise BadInput(f"{path}: the prompt lacks {{{'}, {'.join(sorted(missing))}}}.")
    turns = re.findall(r"<\|im_start\|>([^\n]*)\n(.*?)<\|im_end\|>", text, re.DOTALL)
    if not turns:
        return (Message("user", text.strip()),)
    wrong = [role for role, _ in turns if role.strip() not in ("system", "user", "assistant")]
    if wrong:
        raise BadInput(f"{path}: {wrong[0]!r} is not a role; valid: system, user, assistant.")
    return tuple(Message(role.strip(), content.strip()) for role, content in turns)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        value = parse_yaml(read_bytes(path, MOST_YAML_CHARACTERS).decode("utf-8"), path)
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not YAML: {error}") from error
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(next(iter(value.values())), dict):
        raise BadInput(f"{path}: expected one annotator, as `name:` with its keys indented below.")
    return dict(next(iter(value.values())))


def _mapping(value: Any, key: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{path}: {key} must be a mapping, found {value!r}.")
    return value


def _find_prompt(template: Any, path: Path) -> Path:
    if not isinstance(template, str) or not template:
        raise BadInput(f"{path}: prompt_template is missing. Name the prompt's file beside configs.yaml.")
    if template.startswith(ALPACA_EVAL):
        name = template.removeprefix(ALPACA_EVAL)
        spec = find_spec("alpaca_eval")  # finds the package without importing it, which takes seconds
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtra("alpaca_eval", "alpaca-eval", "This annotator uses AlpacaEval's own prompt.")
        places = [Path(spec.submodule_search_locations[0]) / "evaluators_configs" / name]
    else:  # beside configs.yaml, or, as alpaca_eval looks it up, beside the folder that holds it
        places = [path.parent / template, path.parent.parent / template]
    for prompt in places:
        if prompt.is_file():
            return prompt.resolve()
    raise BadInput(f"{path}: prompt_template {template!r}: there is no file {' or '.join(map(str, places))}.")


def _read_parser(
    name: Any, kwargs: dict[str, Any], path: Path
) -> tuple[str, tuple[str, ...], tuple[tuple[float, str], ...]]:
    if name == "logprob_parser":
        wrong = set(kwargs) - {"numerator_token", "denominator_tokens", "is_binarize", "log_prob_index"}
        index = kwargs.get("log_prob_index", 0)
        if wrong or not {"numerator_token", "denominator_tokens"} <= set(kwargs) or not isinstance(index, int):
            raise BadInput(
                f"{path}, completion_parser_kwargs: logprob_parser takes numerator_token, denominator_tokens, "
                f"is_binarize and log_prob_index, a number; found {kwargs!r}."
            )
        return kwargs["numerator_token"], tuple(kwargs["denominator_tokens"]), ()
    if name == "ranking_parser":
        label = kwargs.get("model_1_name", "model_1")
        if set(kwargs) - {"model_1_name"} or label not in OTHERS:
            known = ", ".join(OTHERS)
            raise BadInput(f"{path}: ranking_parser takes model_1_name, one of {known}; found {kwargs!r}.")
        return label, (label, OTHERS[label]), ()
    if name == "regex_parser":
        patterns = kwargs.get("outputs_to_match")
        if not isinstance(patterns, dict) or set(kwargs) != {"outputs_to_match"}:
            raise BadInput(
                f"{path}, completion_parser_kwargs: regex_parser takes outputs_to_match; found {kwargs!r}."
            )
        for preference, pattern in patterns.items():
            if preference not in (0, 1, 1.5, 2):
                raise BadInput(
                    f"{path}, outputs_to_match: {preference!r} is not a preference; valid: 1, 2, 1.5 or 0 (draw)."
                )
            try:
                re.compile(pattern)
            except (re.error, TypeError) as error:
                raise BadInput(
                    f"{path}, outputs_to_match: {pattern!r} is not a regular expression: {error}."
                ) from error
        return "", (), tuple((float(preference) or 1.5, pattern) for preference, pattern in patterns.items())
    raise BadInput(f"{path}: fn_completion_parser is {name!r}; valid: {', '.join(sorted(PARSERS))}.")
