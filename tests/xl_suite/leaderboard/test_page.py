"""The pages as files: the policy, the data in them, and that nothing hostile can leave its place."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.leaderboard_results import HOSTILE, write_annotations
from xl_suite.cli.main import main
from xl_suite.leaderboard.page import read_part, render_page
from xl_suite.pages import embed, render

PARTS = Path(__file__).resolve().parents[3] / "xl_suite" / "leaderboard"


class Reader(HTMLParser):
    """Collects tags, and the texts of scripts and styles, as a browser's parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = "data" if dict(attrs).get("type") == "application/json" else tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        self.texts[self.inside] = self.texts.get(self.inside, "") + data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for number, name in enumerate(("<script>alert(1)</script>", "\u202eevil", '" onload="x')):
        write_annotations(
            folder / "r",
            name,
            [number / 10 + 0.05 * place for place in range(len(HOSTILE))],
            languages=["deu"],
            outputs=HOSTILE,
            references=HOSTILE[::-1],
            place=str(number),
        )
    out = folder / "site"
    assert (
        main(["leaderboard", str(folder / "r"), "--out", str(out), "--resamples", "100", "--title", "<b>{{data}}"])
        == 0
    )
    return out


def pages(site: Path) -> list[Path]:
    return [site / "index.html", site / "compare.html", *sorted((site / "models").iterdir())]


def test_the_tags_are_those_of_the_template_alone(site: Path) -> None:
    for path in pages(site):
        template = {"index.html": "page.html", "compare.html": "compare.html"}.get(path.name, "model.html")
        bare = dict.fromkeys(("policy", "title", "style", "script", "data"), "")
        expected = [tag for tag, _ in Reader(render("xl_suite.leaderboard", template, **bare)).tags]
        read = Reader(path.read_text(encoding="utf-8"))
        assert [tag for tag, _ in read.tags] == expected
        assert not [
            name for _, attributes in read.tags for name in attributes if name.startswith("on") or name == "style"
        ]


def test_the_policy_names_the_only_style_and_script(site: Path) -> None:
    for path in pages(site):
        read = Reader(path.read_text(encoding="utf-8"))
        (policy,) = [
            attributes["content"] or ""
            for tag, attributes in read.tags
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert "unsafe" not in policy
        for name in ("script", "style"):
            digest = base64.b64encode(hashlib.sha256(read.texts[name].encode()).digest()).decode()
            own = " 'self' file:" if name == "script" else ""  # the data files beside the pages
            assert rules[f"{name}-src"] == f"'sha256-{digest}'{own}"
        names = [tag for tag, _ in read.tags]
        assert names.index("meta") < names.index("style") < names.index("script")


def read_delivered(path: Path) -> Any:
    """What a data file hands to the page: it is one statement, whose argument is JSON."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("deliver({")
    assert text.endswith("});\n")
    return json.loads(text[len("deliver(") : -len(");\n")])


def test_the_data_comes_back_as_it_was(site: Path) -> None:
    for path in pages(site)[2:]:
        data = json.loads(Reader(path.read_text(encoding="utf-8")).texts["data"])
        (run,) = data["runs"]
        folder = (path.parent / unquote(run["board"]["answers"])).resolve()
        side = read_delivered(folder / "deu.js")
        assert side["keys"] == list(range(1, len(HOSTILE) + 1))
        assert side["output"] == list(HOSTILE)
        prompts = read_delivered(site / "prompts" / f"{side['prompts']}.js")
        assert prompts["reference"] == list(HOSTILE[::-1])
        values = read_delivered(folder / "values.js")
        assert values["languages"]["deu"]["raw"] == side["preference"]
        assert values["languages"]["deu"]["gated"] == side["gated"]
        rows = json.loads((folder / "deu.json").read_bytes())
        assert [row["output"] for row in rows] == list(HOSTILE)
        assert path.stat().st_size < 100_000


def test_models_share_the_prompts_and_references(site: Path) -> None:
    assert len(list((site / "prompts").iterdir())) == 1


def test_nothing_points_out_of_the_folder(site: Path) -> None:
    for path in pages(site):
        for tag, attributes in Reader(path.read_text(encoding="utf-8")).tags:
            for name in ("href", "src", "action"):
                value = attributes.get(name)
                assert value is None or re.match(
                    r"data:,|#|leaderboard\.csv$|(\.\./)?(index|compare)\.html$", value
                ), (tag, value)
        text = re.sub(
            r'<script type="application/json".*?</script>', "", path.read_text(encoding="utf-8"), flags=re.S
        )
        assert not [url for url in re.findall(r"https?://[^\"' ]+", text) if url != "http://www.w3.org/2000/svg"]


def test_the_scripts_never_make_markup_of_data() -> None:
    for name in sorted(path.name for path in PARTS.glob("*.js")):
        script = read_part(name)
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "fetch(",
        ):
            assert forbidden not in script, (name, forbidden)
        assert "</script" not in script
    assert "</style" not in read_part("page.css")
    assert "url(" not in read_part("page.css")


def test_a_title_is_text(site: Path) -> None:
    assert Reader((site / "index.html").read_text(encoding="utf-8")).texts["title"] == "<b>{{data}}"
    titles = [Reader(path.read_text(encoding="utf-8")).texts["title"] for path in pages(site)[2:]]
    assert any(title.startswith("evil") for title in titles)  # without the override
    assert any("<script>alert(1)</script>" in html.unescape(title) for title in titles)


@given(
    st.recursive(
        st.text() | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_embedded_json_is_read_back_and_holds_no_tag(value: object) -> None:
    text = embed(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_a_placeholder_in_the_data_stays_text() -> None:
    page = render_page("page.html", ("shared.js", "page.js"), title="{{script}}", data=embed("{{title}}"))
    assert "<title>{{script}}</title>" in page
    assert "{% include" not in page
    assert '"{{title}}"</script>' in page


def test_the_verb_tells_as_json_what_it_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_annotations(tmp_path / "r", "a", [0.5, 1.0])
    arguments = ["leaderboard", str(tmp_path / "r"), "--out", str(tmp_path / "site"), "--no-paper", "--json"]
    assert main([*arguments, "--resamples", "50"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n_models"] == told["n_scored"] == 1
    assert [board["models"] for board in told["boards"]] == [["a"]]
    assert Path(told["index"]).is_file()
