"""The paper's tables as commands: what to build, generate, choose, train, ask, judge and score for each of them.

A plan follows from published.csv alone: a line of a table needs its model's outputs, a trained model its subset,
and so on. Lines and cells that several tables share are there once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xl_suite.errors import BadInput
from xl_suite.paper.published import AVERAGE, TABLES, PublishedScore, find_model, published_scores
from xl_suite.reproduction.costs import PROMPTS, Cost, cost_of
from xl_suite.reproduction.plan import Cell, Line, TablePlan
from xl_suite.responding.outputs import name_folder

PAPER_LANGUAGES = ("por", "deu", "hun", "lit", "gle", "mlt", "zho", "hin")
REFERENCE, JUDGE = "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"


@dataclass(frozen=True, slots=True)
class Setting:
    """What is behind the names of a plan. The defaults are the paper's; the smoke test gives its own.

    out: the folder of everything. resolve: the model name of a model of the paper for `respond`. trained: the
    model name of a trained model's folder. base: the model that is trained. sizes: other sizes than the paper's.
    asking, judging: further arguments. plain_template: the frame of an untrained base model, for vLLM. three: the
    text of a `generate` configuration in Table 9's languages.
    """

    out: Path
    alpaca: str = "tatsu-lab/alpaca_eval"
    x_instruction: str = "X-Instruction"
    languages: tuple[str, ...] = ()
    resolve: Callable[[str], str] = lambda name: f"vllm:{find_model(name).hub_id}"
    trained: Callable[[str, str], str] = lambda name, folder: f"vllm:{folder}"
    base: Callable[[str], str] = lambda name: find_model(name).hub_id
    size: Callable[[int], int] = lambda size: size
    reference: str = REFERENCE
    judge: str = JUDGE
    annotator: str = "xl_gpt4o"
    annotator_folder: str = "xl_gpt4o"
    train_config: str = "train_paper"
    generate_config: str = "paper"
    asking: tuple[str, ...] = ()
    judging: tuple[str, ...] = ()
    scoring: tuple[str, ...] = ()
    plain_template: str = ""
    three: str = ""


def plan_tables(tables: Sequence[int], setting: Setting) -> TablePlan:
    """The plan of some tables. Raises BadInput for a number that is not a table of results."""
    for table in tables:
        if table not in TABLES:
            raise BadInput(f"Table {table} holds no results; those with numbers: {', '.join(map(str, TABLES))}.")
    if 2 in tables and 1 not in tables:
        tables = (1, *tables)  # Table 2 gives differences to it
    builder = _Builder(setting)
    for table in tables:
        rows = [row for row in published_scores() if row.table == table]
        for key, own in _group(rows).items():
            builder.add_line(table, own[0].benchmark, *key, _languages(own))
    return builder.finish(tables)


def _group(rows: Sequence[PublishedScore]) -> dict[tuple[str, str, int, str], list[PublishedScore]]:
    lines: dict[tuple[str, str, int, str], list[PublishedScore]] = {}
    for row in rows:
        lines.setdefault((row.model, row.training, row.size, row.strategy), []).append(row)
    return lines


def _languages(rows: Sequence[PublishedScore]) -> tuple[str, ...]:
    """The languages of a line; Table 8 names none and covers the eight of Table 1."""
    found = tuple(dict.fromkeys(row.language for row in rows if row.language != AVERAGE))
    return found or PAPER_LANGUAGES


class _Builder:
    """Collects cells; a cell that is there already is only widened by languages that it lacks."""

    def __init__(self, setting: Setting):
        self.setting = setting
        self.cells: dict[str, Cell] = {}
        self.lines: list[Line] = []
        self.asked: dict[str, list[str]] = {}
        self.files: dict[str, str] = {}

    def path(self, *parts: str) -> str:
        return str(self.setting.out.joinpath(*parts))

    def add_line(
        self, table: int, benchmark: str, model: str, training: str, size: int, strategy: str, codes: tuple[str, ...]
    ) -> None:
        own = self.setting.languages
        languages = tuple(code for code in codes if not own or code in own) or own
        name = name_run(model, training, size)
        generator = name if strategy == "direct" else f"{name}-{strategy}"
        if benchmark != "xl-alpacaeval":
            generator = f"{generator}.{benchmark}"
        scored = table == 8
        score = f"scores/table-{table}/{name_folder(generator)}.json"
        needs: tuple[str, ...] = ()
        if training == "none":
            model_name = self.setting.resolve(model)
        else:
            needs = (self.add_training(model, training, size, name),)
            model_name = self.setting.trained(model, self.path("models", name, "merged"))
        base = find_model(model).kind == "base" and training == "none"
        asked = self.add_respond(benchmark, generator, name, model_name, needs, strategy, languages, model, base)
        if scored:
            self.add_rating(generator, asked, languages, score)
        else:
            self.add_judging(table, benchmark, generator, asked, languages, score)
        self.lines.append(Line(table, benchmark, model, training, size, strategy, generator, score, languages))

    def add_training(self, model: str, training: str, size: int, name: str) -> str:
        subset = self.add_subset(training, size)
        command: tuple[str, ...] = ("train", self.setting.train_config, "--model", self.setting.base(model), "--data")
        command += (self.path("subsets", subset.partition("/")[2]), "--out", self.path("models", name), "--merge")
        cost = cost_of("train", self.setting.size(size), billions=find_model(model).billions)
        return self._add("train", name, command, f"models/{name}/merged", (subset,), cost=cost)

    def add_subset(self, training: str, size: int) -> str:
        wanted = self.setting.size(size)
        kind, _, selection = training.partition(":")
        command: tuple[str, ...]
        if kind == "x-instruction":
            amount = "all" if size >= 1_000_000 else str(wanted)
            name = f"x-instruction-{amount}"
            command = ("subset", self.setting.x_instruction, "--format", "x-instruction", "--sampling", "random")
            command += ("--languages", "hin,fin,tur")
            command += () if amount == "all" else ("--size", amount)
            return self._add("subset", name, (*command, "--out", self.path("subsets", name)), f"subsets/{name}")
        selection = selection or "best-of-3"
        three = size == 40_000
        data = self.add_generation("xl-instruct-3" if three else "xl-instruct")
        name = f"{'three-' if three else ''}{selection}-{wanted}"
        command = ("subset", self.path(data.partition("/")[2]), "--size", str(wanted))
        command += ("--translations", "naive" if selection in ("naive", "random") else "best-of-k")
        command += ("--sampling", "random") if selection == "random" else ()
        return self._add("subset", name, (*command, "--out", self.path("subsets", name)), f"subsets/{name}", (data,))

    def add_generation(self, name: str) -> str:
        config = self.setting.generate_config
        if name != "xl-instruct" and self.setting.three:
            config = self.path("xl-instruct-3.yaml")
            self.files["xl-instruct-3.yaml"] = self.setting.three
        command: tuple[str, ...] = ("generate", config, "--out", self.path(name))
        if name != "xl-instruct":  # the paper goes on from stage 3: the answers of stages 1 and 2 are in that journal
            command += ("--journal", self.path("xl-instruct", ".journal.sqlite"))
        languages = 3 if name != "xl-instruct" else len(PAPER_LANGUAGES)
        return self._add("generate", name, command, f"{name}/README.md", cost=cost_of("generate", languages))

    def add_benchmark(self, benchmark: str) -> str:
        if benchmark == "xl-alpacaeval":
            command: tuple[str, ...] = (
                "build",
                benchmark,
                "--source",
                self.setting.alpaca,
                "--out",
                self.path(benchmark),
            )
            return self._add("build", benchmark, command, f"{benchmark}/README.md")
        source = self.add_benchmark("xl-alpacaeval")
        command = ("build", benchmark, "--benchmark", self.path("xl-alpacaeval"), "--model", self.setting.judge)
        command += ("--languages", ",".join(PAPER_LANGUAGES), "--out", self.path(benchmark))
        cost = cost_of("translate", len(PAPER_LANGUAGES) * PROMPTS, model=self.setting.judge)
        return self._add("build", benchmark, command, f"{benchmark}/README.md", (source,), cost=cost)

    def add_respond(
        self,
        benchmark: str,
        generator: str,
        name: str,
        model: str,
        needs: tuple[str, ...],
        strategy: str,
        languages: Sequence[str],
        paper_model: str,
        base: bool = False,
    ) -> str:
        known = self.asked.setdefault(f"{benchmark}/{generator}", [])
        known += [code for code in languages if code not in known]
        built = self.add_benchmark(benchmark)
        folder = name_folder(generator)
        command: tuple[str, ...] = (
            "respond",
            self.path(benchmark),
            "--model",
            model,
            "--name",
            _strip(generator, strategy),
        )
        command += () if strategy == "direct" else ("--strategy", strategy)
        command += ("--languages", ",".join(known), *self.setting.asking)
        command += ("--out", self.path("outputs", benchmark), "--json")
        environment: tuple[tuple[str, str], ...] = ()
        if base and self.setting.plain_template and model.startswith("vllm:"):
            self.files["plain.jinja"] = self.setting.plain_template
            environment = (("XL_SUITE_SERVER_ARGS", f"--chat-template {self.path('plain.jinja')}"),)
        billions = find_model(paper_model).billions if paper_model else None
        cost = cost_of("respond", len(known) * PROMPTS, model=model, billions=billions)
        return self._add(
            "respond", folder, command, f"outputs/{benchmark}/{folder}/{known[-1]}.json", (*needs, built),
            environment=environment, cost=cost,
        )  # fmt: skip

    def add_judging(
        self, table: int, benchmark: str, generator: str, asked: str, languages: Sequence[str], score: str
    ) -> None:
        setting = self.setting
        reference_name = "reference" if benchmark == "xl-alpacaeval" else f"reference.{benchmark}"
        reference = self.add_respond(
            benchmark, reference_name, reference_name, setting.reference, (), "direct", languages, ""
        )
        folder = name_folder(generator)
        known = self.asked[f"{benchmark}/{generator}"]
        command: tuple[str, ...] = ("judge", self.path("outputs", benchmark, folder), "--reference")
        command += (self.path("outputs", benchmark, name_folder(reference_name)), "--annotator", setting.annotator)
        command += ("--languages", ",".join(known), *setting.judging, "--out", self.path("annotations", benchmark))
        made = f"annotations/{benchmark}/{folder}/{setting.annotator_folder}"
        cost = cost_of("judge", len(known) * PROMPTS, model=setting.judge)
        judged = self._add(
            "judge", folder, (*command, "--json"), f"{made}/{known[-1]}.json", (asked, reference), cost=cost
        )
        command = ("score", self.path(made), "--benchmark", self.path(benchmark))
        command += ("--languages", ",".join(languages), *setting.scoring, "--json")
        self._add("score", f"{table}-{folder}", command, score, (judged,), stdout=self.path(score))

    def add_rating(self, generator: str, asked: str, languages: Sequence[str], score: str) -> None:
        folder, judge = name_folder(generator), name_folder(self.setting.judge.partition("@")[0])
        made = f"ratings/{folder}/{judge}"
        command: tuple[str, ...] = (
            "rate",
            self.path("outputs", "xl-alpacaeval", folder),
            "--model",
            self.setting.judge,
        )
        command += ("--languages", ",".join(languages), "--out", self.path("ratings"), "--json")
        cost = cost_of("rate", len(languages) * PROMPTS * 4, model=self.setting.judge)
        rated = self._add("rate", folder, command, f"{made}/ratings-{languages[-1]}.json", (asked,), cost=cost)
        command = ("score", self.path(made), "--json")
        self._add("score", f"8-{folder}", command, score, (rated,), stdout=self.path(score))

    def finish(self, tables: Sequence[int]) -> TablePlan:
        order: dict[str, Cell] = {}

        def visit(name: str) -> None:
            if name not in order:
                for need in self.cells[name].needs:
                    visit(need)
                order[name] = self.cells[name]

        for name in self.cells:
            visit(name)
        return TablePlan(tuple(tables), tuple(order.values()), tuple(self.lines), tuple(self.files.items()))

    def _add(
        self,
        step: str,
        name: str,
        command: tuple[str, ...],
        makes: str,
        needs: tuple[str, ...] = (),
        *,
        stdout: str = "",
        environment: tuple[tuple[str, str], ...] = (),
        cost: Cost | None = None,
    ) -> str:
        cell = Cell(f"{step}/{name}", step, command, makes, needs, stdout, environment, cost or Cost(0, 0.0, 0.0))
        self.cells[cell.id] = cell
        return cell.id


def name_run(model: str, training: str, size: int) -> str:
    """The name of a line's model in files: `EuroLLM-9B-best-of-3-8000`."""
    name = re.sub(r"[^\w.]+", "-", model)
    if training == "none":
        return name
    kind, _, selection = training.partition(":")
    return f"{name}-{'x-instruction' if kind == 'x-instruction' else selection or 'best-of-3'}-{size}"


def _strip(generator: str, strategy: str) -> str:
    """The name to give, to which `respond` adds the strategy by itself."""
    return generator.removesuffix(f"-{strategy}")
