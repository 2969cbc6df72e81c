"""Writes the lm-eval tasks of every language from the language table: a stub per language and a group per benchmark.

python scripts/make_harness_tasks.py           writes harness_tasks/<benchmark>/*.yaml
python scripts/make_harness_tasks.py --check   says what is not current (exit status 1) and writes nothing
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xl_suite.languages import table
from xl_suite.records import write_text

FOLDER = Path(__file__).resolve().parents[1] / "harness_tasks"
BENCHMARKS = {"xl-alpacaeval": "xl_alpacaeval", "m-alpacaeval": "m_alpacaeval"}
# What a group averages over its languages, each counting the same; eng is not part of a macro average.
METRICS = ("fidelity", "win_rate", "gated_win_rate")


def render_tasks() -> dict[Path, str]:
    """The text of each file by its path under harness_tasks."""
    rendered = {}
    for benchmark, folder in BENCHMARKS.items():
        codes = [language.code for language in table() if benchmark in language.benchmarks]
        for code in codes:
            stub = f"include: _template_yaml\ntask: {folder}_{code}\ndataset_kwargs: {{language: {code}}}\n"
            rendered[Path(folder, f"{folder}_{code}.yaml")] = stub
        tasks = "".join(f"  - {folder}_{code}\n" for code in codes if code != "eng")
        metrics = "".join(
            f"  - metric: {metric}\n    aggregation: mean\n    weight_by_size: false\n" for metric in METRICS
        )
        group = f"group: {folder}\ntask:\n{tasks}aggregate_metric_list:\n{metrics}metadata:\n  version: 1.0\n"
        rendered[Path(folder, f"{folder}.yaml")] = group
    return rendered


def find_stale() -> list[Path]:
    """Files that are missing, differ, or belong to a language that the table no longer has."""
    rendered = render_tasks()
    stale = [p for p, text in rendered.items() if not (FOLDER / p).is_file() or (FOLDER / p).read_text() != text]
    found = {path.relative_to(FOLDER) for path in FOLDER.glob("*/*.yaml")}
    return sorted({*stale, *(found - set(rendered))})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        stale = find_stale()
        print("\n".join(f"not current: harness_tasks/{path}" for path in stale) or "all current", file=sys.stderr)
        return bool(stale)
    rendered = render_tasks()
    for path in find_stale():
        if path not in rendered:
            (FOLDER / path).unlink()
    for path, text in rendered.items():
        write_text(FOLDER / path, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
