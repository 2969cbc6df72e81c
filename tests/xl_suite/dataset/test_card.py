"""Dataset cards: faults that the Hub or `datasets` would find are found before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from xl_suite.dataset.card import check_card, hub_values, read_metadata, render_card
from xl_suite.errors import BadInput


def make_metadata() -> dict[str, Any]:
    return {
        "language": ["de", "mlt", "no"],
        "license": "cc-by-nc-4.0",
        "pretty_name": "A small one",
        "size_categories": ["n<1K"],
        "task_categories": ["text-generation"],
        "configs": [{"config_name": "deu", "data_files": [{"split": "test", "path": "deu/test-*"}]}],
        "dataset_info": [
            {
                "config_name": "deu",
                "features": [{"name": "id", "dtype": "int64"}],
                "splits": [{"name": "test", "num_bytes": 8, "num_examples": 1}],
                "download_size": 10,
                "dataset_size": 8,
            }
        ],
    }


def make_card(metadata: dict[str, Any], body: str = "# A small one\n") -> str:
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n{body}"


def test_a_good_card_has_no_problems() -> None:
    assert check_card(make_card(make_metadata()), with_clients=True) == []


FAULTS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda m: m.pop("license"), "license is missing"),
    (lambda m: m.update(license="cc-by-nc"), "'cc-by-nc' is not known to the Hub"),
    (lambda m: m.update(task_categories=["chat"]), "task_categories: 'chat'"),
    (lambda m: m.update(size_categories="1000"), "size_categories: '1000'"),
    (lambda m: m.update(language=["de", "ger"]), "language: 'ger'"),
    (lambda m: m.update(language=["zz"]), "language: 'zz'"),
    (lambda m: m.update(language=[False]), "language: False"),
    (lambda m: m.update(language=[]), "language is missing"),
    (lambda m: m["configs"].append(m["configs"][0]), "is there twice"),
    (lambda m: m["configs"][0].update(config_name="fra"), "fra has the splits []"),
    (lambda m: m["configs"][0]["data_files"][0].update(split="a-b"), "not 'a-b'"),
    (lambda m: m["configs"][0]["data_files"][0].update(path="../other/*"), "leads out of the dataset"),
    (lambda m: m["configs"][0]["data_files"][0].update(path="/etc/passwd"), "leads out of the dataset"),
    (lambda m: m["configs"][0].pop("data_files"), "does not have the form"),
    (lambda m: m["dataset_info"][0].update(features=[]), "deu has no features"),
    (lambda m: m["dataset_info"][0]["splits"][0].pop("num_examples"), "does not have the form"),
]


@pytest.mark.parametrize(("spoil", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_a_fault_is_named(spoil: Callable[[dict[str, Any]], Any], message: str) -> None:
    metadata = make_metadata()
    spoil(metadata)
    problems = check_card(make_card(metadata))
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# No YAML\n", "no YAML"),
        ("---\n- a\n- list\n---\n# T\n", "no YAML"),
        ("---\na: [\n---\n# T\n", "no YAML"),
        (make_card(make_metadata(), "no title\n"), "no title"),
        (make_card(make_metadata(), "# T\n{{seed}}\n"), "{{seed}} is not filled"),
    ],
)
def test_a_text_that_is_no_card(text: str, message: str) -> None:
    assert any(message in problem for problem in check_card(text))


def test_what_only_the_clients_notice() -> None:
    metadata = make_metadata()
    metadata["dataset_info"][0]["features"] = [{"name": "id", "dtype": "no_such_type"}]
    assert check_card(make_card(metadata)) == []
    assert any("cannot read it" in problem for problem in check_card(make_card(metadata), with_clients=True))


TEMPLATE = "---\nlicense: mit\ntags: [own]\n---\n# {{title}}\n"


def test_a_template_is_filled_and_lists_are_joined() -> None:
    metadata = make_metadata()
    del metadata["license"]
    text = render_card(TEMPLATE, metadata | {"tags": ["more"]}, {"title": "Own"})
    found = read_metadata(text)
    assert found is not None
    assert (found["license"], found["tags"], found["language"]) == ("mit", ["own", "more"], ["de", "mlt", "no"])
    assert text.endswith("# Own\n")


@pytest.mark.parametrize("values", [{}, {"title": "a", "other": "b"}])
def test_placeholders_and_values_must_match(values: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"do not match: (title|other)"):
        render_card(TEMPLATE, make_metadata(), values)


def test_an_invalid_card_is_not_rendered() -> None:
    with pytest.raises(BadInput, match=r"nothing is written:\n- language is missing"):
        render_card(TEMPLATE, {**make_metadata(), "language": []}, {"title": "a"})


@pytest.mark.parametrize("field", ["license", "size_categories", "task_categories"])
def test_the_tables_of_the_hub_hold_what_this_project_uses(field: str) -> None:
    values = hub_values(field)
    assert len(values) == len(set(values)) > 10
    assert {"license": "cc-by-sa-4.0", "size_categories": "10K<n<100K"}.get(field, "text-generation") in values
