"""`xl-suite reproduce`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.cli.options import Outcome, add_json, add_out
from xl_suite.cli.values import non_negative

if TYPE_CHECKING:
    from xl_suite.reproduction.smoke import Material

SUMMARY = "The paper's tables as a plan: every command with its cost, and our scores beside the paper's."
EXAMPLES = """\
examples:
  xl-suite reproduce --table 1 --out reproduction                  the plan: commands, calls, dollars, GPU hours
  xl-suite reproduce --table 1 --out reproduction --run --budget 200
  xl-suite reproduce --table 6 --out reproduction --run --only 'train/*'
  xl-suite reproduce --out reproduction                            all tables, and our results beside the paper's
  xl-suite reproduce --claims                                      which of its differences are significant
  xl-suite reproduce --figures figures                             its Figures 2 and 3 from the published numbers
  xl-suite reproduce --table 1 --smoke --out smoke                 everything in small: tiny models, made-up judge

A cell whose result exists is skipped, so --run goes on where it stopped; delete a result to make it again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--table", type=int, action="append", metavar="N", help="1, 2, 3, 6, 7, 8, 9 or 10; several times for several"
    )
    add_out(parser, required=False, default=Path("reproduction"))
    parser.add_argument("--run", dest="start", action="store_true", help="run the cells that are not done")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PATTERN", help="only cells with these IDs: 'respond/*'"
    )
    parser.add_argument(
        "--budget", type=non_negative, metavar="USD", help="the limit for all paid commands of this run together"
    )
    parser.add_argument(
        "--wait", action="store_true", help="wait for other runs that write to the same journals, instead of failing"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="run it in small, on tiny random models (tables 1, 6, 10)"
    )
    parser.add_argument("--claims", action="store_true", help="show whether the paper's differences are significant")
    parser.add_argument("--all-languages", action="store_true", help="with --claims: not only the averages")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="write the paper's Figures 2 and 3 as SVG")
    parser.add_argument(
        "--models-configs", type=Path, metavar="DIR", help="write the paper's models as alpaca_eval's models_configs"
    )
    parser.add_argument(
        "--source",
        default="tatsu-lab/alpaca_eval",
        metavar="FILE_OR_HUB_ID",
        help="AlpacaEval's prompts, for `build`",
    )
    parser.add_argument(
        "--x-instruction", default="X-Instruction", metavar="DIR", help="X-Instruction's files, for Table 9"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    if args.claims:
        return _show_claims(args)
    if args.figures is not None:
        return _draw(args)
    if args.models_configs is not None:
        return _write_models(args)
    from xl_suite.paper.published import TABLES
    from xl_suite.reproduction.comparison import compare_with_paper, show_compared
    from xl_suite.reproduction.plan import list_done
    from xl_suite.reproduction.planning import plan_tables
    from xl_suite.reproduction.running import run_cells
    from xl_suite.reproduction.smoke import run_smoke

    progress = logging.getLogger("xl_suite.reproduction").info
    tables = tuple(dict.fromkeys(args.table or TABLES))
    results: list[Any] = []
    if args.smoke:
        plan, results = run_smoke(args.table or (1,), args.out, _read_material(), _execute, progress=progress)
    else:
        plan = plan_tables(tables, _setting(args))
        if args.start:
            results = run_cells(
                plan, args.out, _execute, only=args.only, budget=args.budget, wait=args.wait, progress=progress
            )
    done = list_done(plan, args.out)
    beside = compare_with_paper(plan, args.out)
    answer: dict[str, Any] = {**plan.to_dict(), "done": dict(done), "results": [asdict(one) for one in results]}
    answer["beside"] = [asdict(row) for row in beside]
    parts = [] if args.smoke else [_show_plan(plan, done) + "\n"]
    parts.append(show_compared(beside))
    if args.smoke:
        parts.append("Tiny random models and a made-up judge: these numbers only say that the steps run.")
    broken = any(one.status in ("failed", "waiting") for one in results)
    return Outcome(answer, "\n".join(parts), status=1 if broken else 0)


def _read_material() -> Material:
    from xl_suite.demo.answers import read_answers
    from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark
    from xl_suite.reproduction.smoke import Material

    return Material(build_demo_rows(), read_answers("demo-good"), write_demo_benchmark)


def _setting(args: argparse.Namespace) -> Any:
    from importlib.resources import files

    from xl_instruct.training.framing import PLAIN_TEMPLATE
    from xl_suite.reproduction.planning import Setting

    three = ""
    paper = files("xl_instruct").joinpath("configs", "paper.yaml")
    if paper.is_file():
        lines = paper.read_text(encoding="utf-8").split("\n")
        three = "\n".join("languages: [hin, fin, tur]" if line.startswith("languages:") else line for line in lines)
    return Setting(
        out=args.out, alpaca=args.source, x_instruction=args.x_instruction, plain_template=PLAIN_TEMPLATE, three=three
    )


def _execute(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, Any, float]:
    """Runs a verb in this process; returns its exit status, the object of its --json, and its greatest possible cost
    in dollars."""
    from xl_suite.chat.ledger import Ledger
    from xl_suite.cli.main import run_verb

    outcome = run_verb(list(command), environment)
    ledger = outcome.ledger or Ledger()
    return outcome.status, outcome.answer, (ledger.dollars or 0.0) + ledger.uncertain


def _show_plan(plan: Any, done: Any) -> str:
    from xl_suite.reproduction.plan import sum_costs

    lines = []
    for cell in plan.cells:
        mark = "x" if done[cell.id] else " "
        cost = [f"{cell.cost.calls:,} calls"] if cell.cost.calls else []
        cost += (
            ["price unknown"]
            if cell.cost.dollars is None
            else [f"${cell.cost.dollars:.2f}"] * bool(cell.cost.dollars)
        )
        hours = cell.cost.gpu_hours
        cost += ["GPU hours unknown"] if hours is None else [f"{hours:.1f} GPU hours"] * bool(hours)
        lines.append(f"[{mark}] {cell.id}" + (f"  ({', '.join(cost)})" if cost else ""))
        lines.append(f"    {cell.shell()}")
    total = sum_costs(cell for cell in plan.cells if not done[cell.id])
    dollars = "an unknown sum" if total.dollars is None else f"about ${total.dollars:,.2f}"
    hours = "unknown" if total.gpu_hours is None else f"{total.gpu_hours:,.1f}"
    lines += [
        "",
        f"To do: {sum(not one for one in done.values())} of {len(done)} commands, {total.calls:,} calls, {dollars}",
    ]
    lines[-1] += f", GPU hours {hours}. Token means are assumed; --estimate of a verb counts."
    assumed = [f"- {text}" for text in plan.assumptions]
    return "\n".join([*lines, *(["Assumed:", *assumed] if assumed else [])])


def _show_claims(args: argparse.Namespace) -> Outcome:
    from xl_suite.reproduction.claims import list_claims, show_claims

    claims = list_claims(args.table)
    answer = {"claims": [asdict(claim) for claim in claims]}
    return Outcome(answer, show_claims(claims, all_languages=args.all_languages))


def _draw(args: argparse.Namespace) -> Outcome:
    from xl_suite.records import write_text
    from xl_suite.reproduction.figures import draw_figures

    figures = draw_figures()
    for name, text in figures.items():
        write_text(args.figures / name, text)
    return Outcome({"out": str(args.figures), "figures": list(figures)}, f"{args.figures}: {', '.join(figures)}")


def _write_models(args: argparse.Namespace) -> Outcome:
    from xl_suite.reproduction.models_configs import write_models_configs

    written = write_models_configs(args.models_configs)
    answer = {"out": str(args.models_configs), "files": [str(path) for path in written]}
    return Outcome(answer, "\n".join(map(str, written)))
