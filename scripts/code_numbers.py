"""Numbers of the tree's shape: modules, lines, imports inside functions, functions with many parameters.

    python scripts/code_numbers.py            of this checkout
    python scripts/code_numbers.py FOLDER     of another one
    python scripts/code_numbers.py --list     with the places that are counted

Counted are the packages xl_suite, xl_alpacaeval, m_alpacaeval and xl_instruct; an `__init__` is not small. Own
modules may be imported inside a function in `xl_suite/api/`, in an `__init__` and in a verb's `run` (a module of
`xl_suite/cli`), which keep the start of the program fast; elsewhere only heavy or optional packages. A function's
parameters are all but `self` and `cls`.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("xl_suite", "xl_alpacaeval", "m_alpacaeval", "xl_instruct")
OWN = (*PACKAGES, "harness_tasks", "scripts", "tests")
SMALL = 60  # lines
MANY = 6  # parameters
ALLOWED = ("xl_suite/api/", "xl_suite/api.py", "xl_suite/cli/")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def list_functions(tree: ast.AST) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def list_imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, package) of each import statement inside a function, those of functions within functions once."""
    found = {
        node.lineno: node
        for function in list_functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    for line, node in sorted(found.items()):
        name = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        yield line, name.partition(".")[0]


def count_parameters(function: Function) -> int:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    rest = [one for one in (given.vararg, given.kwarg) if one is not None]
    return sum(one.arg not in ("self", "cls") for one in [*named, *rest])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--list", action="store_true", help="name what is counted, a line each")
    args = parser.parse_args()
    lines, modules = 0, 0
    named: dict[str, list[str]] = {"small": [], "own": [], "own_elsewhere": [], "others": [], "many": []}
    for path in sorted(path for package in PACKAGES for path in (args.folder / package).rglob("*.py")):
        place = path.relative_to(args.folder).as_posix()
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        length = len(text.splitlines())
        modules, lines = modules + 1, lines + length
        if length < SMALL and path.name != "__init__.py":
            named["small"].append(f"{place} {length}")
        allowed = place.startswith(ALLOWED) or path.name == "__init__.py"
        for line, package in list_imports(tree):
            named["own" if package in OWN else "others"].append(f"{place}:{line} {package}")
            if package in OWN and not allowed:
                named["own_elsewhere"].append(f"{place}:{line} {package}")
        for function in list_functions(tree):
            if count_parameters(function) > MANY:
                named["many"].append(f"{place}:{function.lineno} {function.name} {count_parameters(function)}")
    inside = len(named["own"]) + len(named["others"])
    told = {
        "modules": modules,
        "lines": lines,
        f"modules_under_{SMALL}_lines": len(named["small"]),
        "imports_inside_functions": inside,
        "of_them_own_modules": len(named["own"]),
        "of_them_outside_api_init_and_verbs": len(named["own_elsewhere"]),
        "imports_inside_functions_per_1000_lines": round(1000 * inside / max(lines, 1), 1),
        f"functions_with_more_than_{MANY}_parameters": len(named["many"]),
    }
    if args.list:
        for kind, places in named.items():
            print(f"{kind}:", *places, sep="\n  ")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
