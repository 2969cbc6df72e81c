"""The command `xl-suite`: finds the verb, runs it, and converts explained errors to a message and a status."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from traceback import format_exception
from types import ModuleType, TracebackType
from typing import NoReturn

import xl_suite.cli
from xl_suite.chat.ledger import collect_ledgers, sum_ledgers
from xl_suite.cli.options import Outcome
from xl_suite.errors import XLSuiteError
from xl_suite.surrogates import prepare_terminal
from xl_suite.terminal import Formatter, make_visible, show_message

EPILOG = """\
start here:
  xl-suite demo --out demo-out
  xl-suite build xl-alpacaeval --source tatsu-lab/alpaca_eval --out xl-alpacaeval
  xl-suite respond xl-alpacaeval --model MODEL@http://localhost:8000/v1 --languages deu,zho --out outputs
  xl-suite fidelity outputs/MODEL --benchmark xl-alpacaeval
  xl-suite judge outputs/MODEL --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations --estimate

exit status: 0 done, 1 finished with failed rows or stopped by the budget (run again to go on), 2 bad usage or input
`xl-suite VERB --help` shows the options of a verb, with examples."""


def find_verbs() -> dict[str, ModuleType]:
    """The verbs by name: each module beside this one that has a SUMMARY. They import nothing heavy."""
    modules = [import_module(f"xl_suite.cli.{module.name}") for module in iter_modules(xl_suite.cli.__path__)]
    return {module.__name__.rpartition(".")[2]: module for module in modules if hasattr(module, "SUMMARY")}


class Parser(argparse.ArgumentParser):
    """A parser that suggests the nearest known option for an unknown one."""

    given: Sequence[str] = ()

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        self.given = sys.argv[1:] if args is None else list(args)
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:  # here, because the parser of all verbs would print its own usage
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        known = [] if self._subparsers else list(self._option_string_actions)
        for option in (text.partition("=")[0] for text in self.given if text.startswith("--")):
            meant = [] if any(one.startswith(option) for one in known) else get_close_matches(option, known, 1)
            message += f"\n{option} is not an option of `{self.prog}`. Did you mean {meant[0]}?" if meant else ""
        super().error(show_message(message))


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="xl-suite",
        description="Data, training and evaluation for cross-lingual open-ended generation.",
        epilog=EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=18, width=110),
    )
    parser.add_argument("--version", action="version", version=f"xl-suite {xl_suite.__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, module in find_verbs().items():
        verb = verbs.add_parser(
            name,
            help=module.SUMMARY[0].lower() + module.SUMMARY[1:].rstrip("."),
            description=module.SUMMARY,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments of a verb, with the given words in `given`, from which the commands of ranks are made."""
    args = build_parser().parse_args(arguments)
    args.given = tuple(sys.argv[1:] if arguments is None else arguments)
    return args


def run_verb(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Outcome:
    """Runs a verb in this process and returns what it did; an explained error becomes a note and a status.

    environment: environment variables for the run. Prints nothing.
    """
    args = parse(arguments)
    before = dict(os.environ)
    os.environ.update(environment or {})
    try:
        with collect_ledgers() as ledgers:
            outcome = _run_explained(args)
    finally:
        for name in environment or {}:
            os.environ.pop(name)
            os.environ.update({name: before[name]} if name in before else {})
    return replace(outcome, ledger=sum_ledgers(ledgers))


def _run_explained(args: argparse.Namespace) -> Outcome:
    try:
        outcome: Outcome = args.run(args)
        return outcome
    except XLSuiteError as error:
        answer = getattr(error, "answer", None)
        return Outcome(answer, notes=(_explain(args.verb, error),), status=error.exit_status)


def main(arguments: Sequence[str] | None = None) -> int:
    count_replaced = prepare_terminal()
    sys.excepthook = _show_traceback
    args = parse(arguments)
    set_up_logging(args)
    status = _run(args)
    if replaced := count_replaced():
        print(f"note: {replaced} lone surrogates, which UTF-8 cannot hold, are shown as U+FFFD.", file=sys.stderr)
    return status


def _run(args: argparse.Namespace) -> int:
    try:
        with collect_ledgers() as ledgers:
            outcome: Outcome = args.run(args)
        return show(outcome, json=args.json)
    except XLSuiteError as error:
        explained = _explain(args.verb, error)
        stopped = ledgers and error.exit_status == 1  # calls were made: report their cost
        answer = {"error": str(error), "ledger": sum_ledgers(ledgers).to_dict()} if stopped else None
        return show(Outcome(answer, notes=(explained,), status=error.exit_status), json=args.json)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. What was paid for is in the journal: the same command goes on from here.",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:  # the reader of the output closed it: `xl-suite languages | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(show_message(f"xl-suite {args.verb}: {_explain_system(error)}"), file=sys.stderr)
        return 2


def show(outcome: Outcome, *, json: bool) -> int:
    """Prints what a verb did: notes to stderr, then text or one JSON object to stdout. Returns the exit status."""
    for note in outcome.notes:
        print(show_message(note), file=sys.stderr)
    if json and outcome.answer is not None:
        from xl_suite.records import dump_json

        print(make_visible(dump_json(outcome.answer)), end="")
    elif outcome.text and not json:
        print(make_visible(outcome.text))
    return outcome.status


def set_up_logging(args: argparse.Namespace) -> None:
    """Sends the library's log to stderr, as plain lines: all with --verbose, only warnings with --quiet."""
    logger = logging.getLogger("xl_suite")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter("%(message)s"))
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if args.verbose else logging.WARNING if args.quiet else logging.INFO)


def _show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's traceback of an unexpected error, with control characters made visible."""
    print(show_message("".join(format_exception(kind, error, trace))), end="", file=sys.stderr)


def _explain_system(error: OSError) -> str:
    """The system's message, and the way out for limits that runs with many calls reach."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{error}. Each call in flight needs a file: raise the limit (`ulimit -n 4096`), or lower --slots."
    if error.errno == errno.ENOSPC:
        return f"{error}. What was paid for is in the journal: make room, and the same command goes on from there."
    return str(error)


def _explain(verb: str, error: XLSuiteError) -> str:
    return f"xl-suite {verb}: {type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
