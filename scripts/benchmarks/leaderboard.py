"""How long a leaderboard takes and how large it is: scoring, building, opening the pages in Chromium, sorting.

    python scripts/benchmarks/leaderboard.py --models 100 --prompts 797 --folder /tmp/leaderboard

Makes results of made-up models (texts of the demo, drawn with a fixed seed), about 1.1 GB for the default sizes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import orjson

from xl_suite.demo.answers import read_answers
from xl_suite.languages import table
from xl_suite.leaderboard.site import build_site

JUDGE, REFERENCE, BENCHMARK = "made-up-judge", "made-up-reference", "made-up-benchmark"
FAMILIES = ("Alder", "Birch", "Cedar", "Damson", "Elm", "Fig", "Ginkgo", "Hazel", "Ivy", "Juniper")
SIZES = (1.5, 3, 7, 9, 14, 32, 70)
TRAININGS = ("", "", "XL-Instruct 8K", "XL-Instruct 32K, best-of-3")


def name_models(count: int) -> list[tuple[str, float, str]]:
    """(name, billions, training) of made-up models."""
    draw = random.Random(0)
    models = []
    for number in range(count):
        size = SIZES[(number * 3) % len(SIZES)]
        name = f"{FAMILIES[number % len(FAMILIES)]} {number // len(FAMILIES) + 1} {size:g}B"
        models.append((name, size, draw.choice(TRAININGS)))
    return models


def collect_texts(generator: str, *, wrong: bool = False) -> dict[str, str]:
    """A demo generator's texts by language; or by number those in a wrong language."""
    texts: dict[str, str] = {}
    for number, answer in enumerate(read_answers(generator)):
        key = str(number) if wrong else answer.language
        if not wrong or answer.verdict == "wrong":
            texts[key] = texts.get(key, "") + " " + answer.text
    return texts


def split_words(text: str) -> list[str]:
    """Words, or pieces of four characters where there are no spaces."""
    return re.findall(r"[\u4e00-\u9fff]{2,4}|[^\W\d_\u4e00-\u9fff][^\W_\u4e00-\u9fff]*[\u0900-\u097f]*", text)


def make_results(folder: Path, models: int, prompts: int, repeats: int = 1) -> None:
    """Writes outputs of a reference, annotations of each model, and models.tsv. repeats: of the demo's texts."""
    pools = {code: split_words(text) for code, text in collect_texts("demo-good").items()}
    slips = split_words(" ".join(text for text in collect_texts("demo-slips", wrong=True).values() if text.isascii()))

    def write(draw: random.Random, pool: list[str]) -> str:
        sentences = (" ".join(draw.choices(pool, k=draw.randint(6, 14))) for _ in range(draw.randint(2, 5) * repeats))
        return ". ".join(sentences) + "."

    codes = [language.code for language in table() if language.code != "eng"]
    rows = ["generator\tbillions\ttraining"]
    for number, (name, size, training) in enumerate(name_models(models)):
        rows.append(f"{name}\t{size}\t{training}")
        strength = random.Random(number).gauss(-0.6, 0.8)
        for place, code in enumerate(codes):
            draw = random.Random(number * 100 + place)
            ease = strength + random.Random(code).gauss(0, 0.5) + draw.gauss(0, 0.25)
            reference = random.Random(code)
            annotations = []
            for prompt in range(1, prompts + 1):
                wrong = draw.random() < 0.02 + 0.1 / (1 + 2.7 ** (2 * ease))
                text = write(draw, slips if wrong else pools[code])
                share = min(max(1 / (1 + 2.7 ** -(ease + draw.gauss(0, 2.5))), 0.0), 1.0)
                annotations.append(
                    {
                        "instruction": f"Question {prompt}: what is worth knowing about it? Please answer in {code}.",
                        "output_1": write(reference, pools[code]),
                        "generator_1": REFERENCE,
                        "output_2": text,
                        "generator_2": name,
                        "annotator": JUDGE,
                        "preference": 1 + share,
                        "price_per_example": 0.0021,
                        "raw_completion": None,
                        "id": prompt,
                        "dataset": "made-up",
                        "language": code,
                        "order": draw.choice(("12", "21")),
                        "method": "logprobs",
                        "sample": 0,
                    }
                )
            path = folder / "annotations" / f"model-{number}" / JUDGE / f"{code}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(orjson.dumps(annotations))
            if number == 0:
                keys = {"instruction": "instruction", "output_1": "output", "id": "id", "language": "language"}
                outputs = [{new: row[old] for old, new in keys.items()} for row in annotations]
                path = folder / "outputs" / REFERENCE / f"{code}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(
                    orjson.dumps([row | {"generator": REFERENCE, "benchmark": BENCHMARK} for row in outputs])
                )
    (folder / "models.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


# To the first frame in which a selector is, with this attribute of <html> where one is given.
SHOWN = """([selector, ready]) => new Promise(done => {
    const look = () => {
        const root = document.documentElement;
        if (document.querySelector(selector) && (!ready || root.dataset.ready === ready))
            requestAnimationFrame(() => setTimeout(() => done(performance.now())));
        else setTimeout(look, 2);
    };
    look();
})"""
CLICKED = """([selector, place, shown, ready]) => new Promise(done => {
    const start = performance.now();
    document.querySelectorAll(selector)[place].click();
    const look = () => {
        const root = document.documentElement;
        if (document.querySelector(shown) && (!ready || root.dataset.ready === ready))
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
        else setTimeout(look, 2);
    };
    look();
})"""
ANSWER = "#detail .answer"


def time_pages(site: Path, chromium: str) -> Iterator[tuple[str, str]]:
    """Opens the built pages in headless Chromium: (what, figure), times as the median of five and the worst."""
    from playwright.sync_api import Page, sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )

        def tell(times: list[float]) -> str:
            return f"{sorted(times)[len(times) // 2]:.0f} ms (worst {max(times):.0f})"

        def visit(address: str, selector: str, ready: str = "") -> tuple[Page, dict[str, float]]:
            """A page in a context without a cache: what it loaded, when it painted first and was complete."""
            page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
            loaded: list[str] = []
            page.on("request", lambda request: loaded.append(request.url))
            page.goto(address)
            whole = float(page.evaluate(SHOWN, [selector, ready]))
            paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            places = {Path(unquote(urlsplit(url).path)) for url in loaded if url.startswith("file:")}
            return page, {"paint": paint, "whole": whole, "kb": sum(place.stat().st_size for place in places) / 1e3}

        def visit_often(address: str, selector: str) -> Iterator[dict[str, float]]:
            for _ in range(5):
                page, told = visit(address, selector)
                page.context.close()
                yield told

        models = sorted((site / "models").iterdir())
        pages = {
            "index.html": ((site / "index.html").resolve().as_uri(), "section.board tbody tr"),
            "a model's page": (models[0].resolve().as_uri(), ANSWER),
            "compare.html": (
                f"{(site / 'compare.html').resolve().as_uri()}#a={quote(models[0].stem)}&b={quote(models[1].stem)}",
                ANSWER,
            ),
        }
        for name, (address, selector) in pages.items():
            found = list(visit_often(address, selector))
            yield f"{name}: loaded first", f"{found[0]['kb']:.0f} kB"
            yield f"{name}: first paint", tell([one["paint"] for one in found])
            yield f"{name}: complete", tell([one["whole"] for one in found])

        def click(page: Page, selector: str, place: int = 0, shown: str = "body", ready: str = "") -> float:
            return float(page.evaluate(CLICKED, [selector, place, shown, ready]))

        page, _ = visit(*pages["a model's page"])
        prompt = '[role="option"]'
        yield "answers of another prompt", tell([click(page, prompt, place, ANSWER) for place in range(2, 7)])
        other = '#languages input[value="{}"]'
        codes = ("hin", "zho", "fra", "tur", "fin")
        yield (
            "answers in another language",
            tell([click(page, other.format(code), 0, ANSWER, f"0 {code}") for code in codes]),
        )
        page, _ = visit(*pages["index.html"])
        heads = [f'thead button[data-key="{code}"]' for code in ("deu", "zho", "hin", "name", "win_rate")]
        yield "sort the table", tell([click(page, head) for head in heads])
        boxes = [other.format(code) for code in ("deu", "por", "hun")]
        yield "leave a language out", tell([click(page, box) for box in boxes])
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--prompts", type=int, default=797)
    parser.add_argument("--repeats", type=int, default=1, help="longer answers: the demo's texts so many times over")
    parser.add_argument("--folder", type=Path, help="keep the results and the site here; used again when they exist")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="leaderboard-"))
    results, site = folder / "results", folder / "site"
    if not results.exists():
        make_results(results, args.models, args.prompts, args.repeats)
    size = sum(path.stat().st_size for path in results.rglob("*.json"))
    told: dict[str, Any] = {"models": args.models, "prompts": args.prompts, "annotations_mb": round(size / 1e6)}
    for what in ("score_and_build_s", "build_again_s"):
        start = time.perf_counter()
        built = build_site([results], site, workers=args.workers, report=lambda line: print(line, file=sys.stderr))
        told[what] = round(time.perf_counter() - start, 2)
        told[f"n_scored_{what.removesuffix('_s')}"] = built.n_scored
    told |= dict(time_pages(site, args.chromium))
    print(json.dumps(told, indent=2))
    if args.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
