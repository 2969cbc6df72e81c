"""The arrow of imports: scripts and harness_tasks -> the three datasets -> xl_suite; and what stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATASETS = {"xl_alpacaeval", "m_alpacaeval", "xl_instruct"}
TOP = {*DATASETS, "xl_suite", "harness_tasks", "scripts", "tests"}
# The parts of xl_suite that put everything together. Only these, and the lazy names of xl_suite, import api.
ASSEMBLY = ("xl_suite.api", "xl_suite.cli", "xl_suite.demo", "xl_suite.reproduction", "xl_suite.selftest")
FOR_CLI_ALONE = ("xl_suite.demo", "xl_suite.reproduction", "xl_suite.selftest")
HEAVY = ["aiohttp", "alpaca_eval", "datasets", "langcodes", "lm_eval", "numpy", "pandas", "py3langid", "pyarrow"]
HEAVY += ["pydantic", "torch", "transformers", "trl", "yaml"]


def find_modules() -> Iterator[tuple[str, Path]]:
    for package in sorted(DATASETS | {"xl_suite"}):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def find_imports(path: Path) -> set[str]:
    """Modules of this project that a file imports anywhere, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.partition(".")[0] in TOP}


def is_in(module: str, packages: str | tuple[str, ...]) -> bool:
    names = (packages,) if isinstance(packages, str) else packages
    return any(module == name or module.startswith(name + ".") for name in names)


@pytest.mark.parametrize(("module", "path"), [pytest.param(*found, id=found[0]) for found in find_modules()])
def test_arrow_of_imports(module: str, path: Path) -> None:
    package = module.partition(".")[0]
    assembles = is_in(module, ASSEMBLY)
    for imported in find_imports(path):
        if not (assembles and imported.partition(".")[0] in DATASETS):
            assert imported.partition(".")[0] in {package, "xl_suite"}, f"{module} imports {imported}"
        if is_in(imported, "xl_suite.api"):
            assert assembles or module == "xl_suite", f"{module} imports {imported}"
        if is_in(imported, "xl_suite.cli"):  # the self-test runs verbs as a user does
            assert is_in(module, ("xl_suite.cli", "xl_suite.selftest")), f"{module} imports {imported}"
        for part in FOR_CLI_ALONE:
            if is_in(imported, part):
                on_the_demo = part == "xl_suite.demo" and is_in(module, "xl_suite.selftest")
                assert on_the_demo or is_in(module, ("xl_suite.cli", part)), f"{module} imports {imported}"


def test_no_circular_import() -> None:
    """Also none that hides in a function or in `if TYPE_CHECKING`; `xl_suite` itself only names what is lazy."""
    modules = dict(find_modules())
    graph = {
        module: {
            name if name in modules else name.rpartition(".")[0]
            for name in find_imports(path)
            if name in modules or name.rpartition(".")[0] in modules
        }
        - {module, "xl_suite"}
        for module, path in modules.items()
        if module != "xl_suite"
    }
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("statement", ["import xl_suite", "import xl_suite.cli.main as m; m.build_parser()"])
def test_start_imports_nothing_heavy(statement: str) -> None:
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_circle_of_imports_in_chat() -> None:
    """Imports inside functions and those for type checking count."""
    paths = {module: path for module, path in find_modules() if module.startswith("xl_suite.chat.")}
    graph = {module: {name for name in paths if name in expand(find_imports(path))} for module, path in paths.items()}
    while leaves := [module for module, imported in graph.items() if not imported & set(graph) - {module}]:
        for module in leaves:
            del graph[module]
    assert not graph, f"each of these imports another of them: {sorted(graph)}"


def expand(names: set[str]) -> set[str]:
    """`package.module.name` may be a name in the module, or a module itself."""
    return names | {name.rpartition(".")[0] for name in names}
