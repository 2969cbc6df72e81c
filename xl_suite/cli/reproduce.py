"""`xl-suite reproduce`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xl_suite.cli.options import add_json, non_negative, print_json

SUMMARY = "The paper's tables as a plan: every command with its cost, and our scores beside the paper's."
EXAMPLES = """\
examples:
  xl-suite reproduce --table 1 --out reproduction                  the plan: commands, calls, dollars, GPU hours
  xl-suite reproduce --table 1 --out reproduction --run --budget 200
  xl-suite reproduce --table 6 --out reproduction --run --only 'train/*'
  xl-suite reproduce --out reproduction                            all tables, and what exists beside the paper's
  xl-suite reproduce --claims                                      which of its differences can be told from chance
  xl-suite reproduce --figures figures                             its Figures 2 and 3 from the published numbers
  xl-suite reproduce --table 1 --smoke --out smoke                 everything in small: tiny models, made-up judge

A cell whose result exists is skipped, so --run goes on where it stopped; delete a result to make it again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--table", type=int, action="append", metavar="N", help="1, 2, 3, 6, 7, 8, 9 or 10; several times for several"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("reproduction"), metavar="DIR", help="of everything (default: reproduction)"
    )
    parser.add_argument("--run", dest="start", action="store_true", help="run the cells that are not done")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="cells by ID: 'respond/*'")
    parser.add_argument(
        "--budget", type=non_negative, metavar="USD", help="for all paid commands of this run together"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="run it in small, on tiny random models (tables 1, 6, 10)"
    )
    parser.add_argument("--claims", action="store_true", help="could the paper's differences be told from chance?")
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


def run(args: argparse.Namespace) -> int:
    if args.claims:
        return _show_claims(args)
    if args.figures is not None:
        return _draw(args)
    if args.models_configs is not None:
        return _write_models(args)
    from xl_suite.paper.published import TABLES
    from xl_suite.reproduction.comparison import compare_with_paper, show_beside
    from xl_suite.reproduction.plan import list_done
    from xl_suite.reproduction.planning import plan_tables
    from xl_suite.reproduction.running import run_cells

    tables = tuple(dict.fromkeys(args.table or TABLES))
    results: list[Any] = []
    if args.smoke:
        from xl_suite.reproduction.smoke import run_smoke

        plan, results = run_smoke(args.table or (1,), args.out, _execute, say=_say)
    else:
        plan = plan_tables(tables, _setting(args))
        if args.start:
            results = run_cells(plan, args.out, _execute, only=args.only, budget=args.budget, say=_say)
    done = list_done(plan, args.out)
    beside = compare_with_paper(plan, args.out)
    answer: dict[str, Any] = {**plan.to_dict(), "done": dict(done), "results": [asdict(one) for one in results]}
    answer["beside"] = [asdict(row) for row in beside]
    if args.json:
        print_json(answer)
    else:
        if not args.smoke:
            print(_show_plan(plan, done) + "\n")
        print(show_beside(beside))
        if args.smoke:
            print("Tiny random models and a made-up judge: these numbers say that the steps run, and nothing else.")
    return 1 if any(one.status in ("failed", "waiting") for one in results) else 0


def _setting(args: argparse.Namespace) -> Any:
    from importlib.resources import files

    from xl_instruct.training.data import PLAIN_TEMPLATE
    from xl_suite.reproduction.planning import Setting

    three = ""
    paper = files("xl_instruct").joinpath("configs", "paper.yaml")
    if paper.is_file():
        lines = paper.read_text(encoding="utf-8").split("\n")
        three = "\n".join("languages: [hin, fin, tur]" if line.startswith("languages:") else line for line in lines)
    return Setting(
        out=args.out, alpaca=args.source, x_instruction=args.x_instruction, plain_template=PLAIN_TEMPLATE, three=three
    )


def _execute(command: Any) -> int:
    from xl_suite.cli.main import main

    return main(list(command))


def _say(line: str) -> None:
    print(line, file=sys.stderr)


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


def _show_claims(args: argparse.Namespace) -> int:
    from xl_suite.reproduction.claims import list_claims, show_claims

    claims = list_claims(args.table)
    if args.json:
        print_json({"claims": [asdict(claim) for claim in claims]})
    else:
        print(show_claims(claims, all_languages=args.all_languages))
    return 0


def _draw(args: argparse.Namespace) -> int:
    from xl_suite.records import write_text
    from xl_suite.reproduction.figures import draw_figures

    figures = draw_figures()
    for name, text in figures.items():
        write_text(args.figures / name, text)
    if args.json:
        print_json({"out": str(args.figures), "figures": list(figures)})
    else:
        print(f"{args.figures}: {', '.join(figures)}")
    return 0


def _write_models(args: argparse.Namespace) -> int:
    from xl_suite.reproduction.models_configs import write_models_configs

    written = write_models_configs(args.models_configs)
    if args.json:
        print_json({"out": str(args.models_configs), "files": [str(path) for path in written]})
    else:
        print("\n".join(map(str, written)))
    return 0
