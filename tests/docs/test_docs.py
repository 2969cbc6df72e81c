"""The documentation site, built strictly, with every verb and public function; the tutorial, walked as written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import xl_suite
from xl_suite.cli.main import find_verbs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs")
    out = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_every_verb_and_function_has_its_entry(site: Path) -> None:
    commands = (site / "reference" / "cli" / "index.html").read_text(encoding="utf-8")
    assert [verb for verb in find_verbs() if f"usage: xl-suite {verb}" not in commands] == []
    python = (site / "reference" / "api" / "index.html").read_text(encoding="utf-8")
    public = [name for name in xl_suite.__all__ if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"\b{name}\b", python)] == []


def test_a_how_to_page_shows_every_verb() -> None:
    pages = [*(ROOT / "docs" / "how-to").glob("*.md"), *(ROOT / "docs").glob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.name != "tutorial.md")
    assert [verb for verb in find_verbs() if not re.search(rf"xl-suite {verb}\b", text)] == []


def test_no_page_needs_a_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?(https?://[^\" >]+)", text)
        assert [url for url in loaded if "canonical" not in url] == [], page.name


def test_links_between_files_lead_somewhere() -> None:
    """Those of the site are checked when it is built; these are of the files beside it."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md"), *(ROOT / "scripts").rglob("*.md")]
    assert len(pages) > 12
    for page in pages:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_links_to_this_repository_lead_somewhere() -> None:
    link = re.compile(r"github(?:usercontent)?\.com/xl-suite/xl-suite/(?:(?:tree|blob)/)?main/([\w./-]+)")
    pages = [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / "setup.cfg", *(ROOT / "docs").rglob("*.md")]
    found = [(page, target) for page in pages for target in link.findall(page.read_text(encoding="utf-8"))]
    assert len(found) > 4
    assert [(page.name, target) for page, target in found if not (ROOT / target.rstrip(".")).exists()] == []


def test_every_source_that_is_named_in_the_statistics_is_listed() -> None:
    """A year after names, "(Holm 1979)" or "Satterthwaite's (1946)", has its entry under Sources."""
    text = (ROOT / "docs" / "explanation" / "statistics.md").read_text(encoding="utf-8")
    body, _, sources = text.partition("## Sources")
    years = re.findall(
        r"([A-Z][\w-]+)(?:'s?)?(?: et al\.| \w+| and Thomas| and McCulloch)? \(?((?:19|20)\d\d)\b", body
    )
    assert len(years) > 12
    missing = [(name, year) for name, year in years if name not in sources or year not in sources]
    assert missing == []


def test_formulas_are_shown_without_a_script(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert "arithmatex" not in page.read_text(encoding="utf-8"), page
    statistics = (site / "explanation" / "statistics" / "index.html").read_text(encoding="utf-8")
    assert statistics.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') > 10
    text = re.sub("<[^>]+>", "", statistics)
    assert not re.findall(r"\\(?:frac|sum|sqrt|text|bar|sigma)\b", text)


@pytest.mark.slow
def test_the_tutorial_is_walked_as_written(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert len(commands) >= 7
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    script = "\n".join(["set -e", *commands])
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "win rate" in done.stdout
    assert "0 new" in done.stderr or "0 paid" in done.stderr or "from journal" in done.stderr
    assert (tmp_path / "board" / "index.html").is_file()
