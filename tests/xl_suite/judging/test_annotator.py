from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from xl_suite.errors import BadInput, MissingExtra
from xl_suite.judging import annotator as module
from xl_suite.judging.annotator import list_annotators, parse_prompt, read_annotator, write_for_alpaca_eval

GOOD = {
    "prompt_template": "prompt.txt",
    "fn_completions": "openai_completions",
    "completions_kwargs": {"model_name": "judge", "max_tokens": 5},
    "fn_completion_parser": "regex_parser",
    "completion_parser_kwargs": {"outputs_to_match": {1: "first", 2: "second"}},
}
PROMPT = "Compare for {instruction}: {output_1} and {output_2}"


def write_annotator(folder: Path, prompt: str = PROMPT, **changes: object) -> Path:
    folder.mkdir()
    (folder / "prompt.txt").write_text(prompt)
    (folder / "configs.yaml").write_text(yaml.safe_dump({"mine": GOOD | changes}))
    return folder


@pytest.mark.parametrize("name", list_annotators())
def test_every_annotator_that_ships(name: str, tmp_path: Path) -> None:
    pytest.importorskip("alpaca_eval")
    annotator = read_annotator(name)
    assert (
        annotator.name == name == next(iter(yaml.safe_load((module.find_folder(name) / "configs.yaml").read_text())))
    )
    assert annotator.config["completions_kwargs"]["price_per_token"] is not None
    assert annotator.messages[-1].role == "user"
    written = write_for_alpaca_eval(name, "deu" if annotator.names_language else None, cache=tmp_path)
    config = next(iter(yaml.safe_load((written / "configs.yaml").read_text()).values()))
    assert Path(config["prompt_template"]).is_absolute()
    text = Path(config["prompt_template"]).read_text()
    assert "{language}" not in text
    assert "German" in text or not annotator.names_language


def test_what_alpaca_eval_keeps_in_the_folder_stays(tmp_path: Path) -> None:
    pytest.importorskip("alpaca_eval")
    folder = write_for_alpaca_eval("xl_gpt4o", cache=tmp_path)
    (folder / "annotations_seed0_configs.json").write_text("[1]")
    before = (folder / "configs.yaml").stat().st_mtime_ns
    assert write_for_alpaca_eval("xl_gpt4o", cache=tmp_path) == folder
    assert (folder / "annotations_seed0_configs.json").read_text() == "[1]"
    assert (folder / "configs.yaml").stat().st_mtime_ns == before
    assert folder.name == "xl_gpt4o"
    german, hindi = (write_for_alpaca_eval("xl_gpt4o_crosslingual", code, cache=tmp_path) for code in ("deu", "hin"))
    assert german.parent != hindi.parent


@pytest.mark.parametrize("template", ["prompt.txt", "judge/prompt.txt"])
def test_a_prompt_is_found_as_alpaca_eval_finds_it(template: str, tmp_path: Path) -> None:
    write_annotator(tmp_path / "judge", prompt_template=template)
    assert read_annotator(str(tmp_path / "judge")).prompt_path == tmp_path / "judge" / "prompt.txt"


def test_the_faithful_annotator_is_alpacaevals_but_for_the_judge() -> None:
    package = importlib.util.find_spec("alpaca_eval")
    if package is None or not package.submodule_search_locations:
        pytest.skip("alpaca_eval is not installed")
    theirs = Path(package.submodule_search_locations[0]) / "evaluators_configs"
    theirs = theirs / "weighted_alpaca_eval_gpt4_turbo" / "configs.yaml"
    wanted = next(iter(yaml.safe_load(theirs.read_text()).values()))
    ours = dict(read_annotator("xl_gpt4o").config)
    assert ours["prompt_template"] == f"alpaca_eval:{wanted['prompt_template']}"
    kwargs = dict(ours["completions_kwargs"])
    assert kwargs.pop("price_per_token") == 2.5e-6
    assert kwargs | {"model_name": ""} == wanted["completions_kwargs"] | {"model_name": ""}
    for key in set(wanted) - {"prompt_template", "completions_kwargs"}:
        assert ours[key] == wanted[key]


def test_the_template_is_found_without_importing_alpaca_eval() -> None:
    code = "import sys; from xl_suite.judging.annotator import read_annotator as r; r('xl_gpt4o'); "
    code += "print([m for m in ('alpaca_eval', 'pandas', 'openai') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_alpaca_eval_the_error_has_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "xl-suite\[alpaca-eval\]"'):
        read_annotator("xl_gpt4o")


def test_a_prompt_that_names_the_language_needs_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--language"):
        write_for_alpaca_eval("xl_gpt4o_crosslingual", cache=tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 1}, "temperature cannot be used here"),
        ({"batch_size": 5}, "batch_size is 5; valid: 1"),
        ({"fn_completions": "anthropic_completions"}, "valid: 'openai_completions'"),
        ({"completions_kwargs": {"max_tokens": 5}}, "model_name is missing"),
        ({"completions_kwargs": {"model_name": "m", "top_k": 5}}, "top_k unknown"),
        ({"completions_kwargs": None}, "must be a mapping"),
        ({"fn_completion_parser": "eval_parser"}, "valid: logprob_parser, ranking_parser, regex_parser"),
        ({"completion_parser_kwargs": {"outputs_to_match": {3: "x"}}}, "3 is not a preference"),
        ({"completion_parser_kwargs": {"outputs_to_match": {1: "("}}}, "not a regular expression"),
        ({"prompt_template": "gone.txt"}, "there is no file"),
        ({"prompt_template": None}, "prompt_template is missing"),
    ],
)
def test_bad_configurations_are_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    folder = write_annotator(tmp_path / "mine", **changes)
    with pytest.raises(BadInput, match=message) as caught:
        read_annotator(str(folder))
    assert "configs.yaml" in str(caught.value)


def test_a_folder_of_the_users_is_read(tmp_path: Path) -> None:
    annotator = read_annotator(str(write_annotator(tmp_path / "mine")))
    assert (annotator.name, annotator.model, annotator.sampling.max_tokens) == ("mine", "judge", 5)
    assert annotator.verdicts == ((1.0, "first"), (2.0, "second"))


@pytest.mark.parametrize("text", ["no placeholder", "{instruction} {output_1}", PROMPT + " {secret}"])
def test_prompts_with_wrong_placeholders_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_prompt(text, "prompt.txt")


def test_unknown_annotators_are_refused() -> None:
    for name in ("nope", "../xl_gpt4o", ""):
        with pytest.raises(BadInput, match="xl_gpt4o"):
            read_annotator(name)
