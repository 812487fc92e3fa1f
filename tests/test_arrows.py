"""Who may import whom: faces call services, services stand on the floor, and only one module knows the host."""

from __future__ import annotations

import ast
import importlib.metadata
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOOR = {
    "stats",
    "privacy",
    "schema",
    "reviewing",
    "migrations",
    "_db",
    "_state_db",
    "_turnstile",
    "host",
    "settings",
    "errors",
    "clock",
}
SERVICES = {"ratchet", "evaluation", "proposal", "ingestion", "promotion", "evolution", "episodes"}
SERVICES |= {"_metrics", "installation", "notifying", "observation", "watching"}
FACES = {"plugin_api", "routes", "serving", "commands", "daemon", "demo", "dashboard", "__init__"}
LEVELS = {**dict.fromkeys(FLOOR, 1), **dict.fromkeys(SERVICES, 2), **dict.fromkeys(FACES, 3)}
NOT_OURS = ("tests/", "benchmarks/", "scripts/", "docs/")
KNOW_THE_HOST = {"host.py", "evaluation/running/worker.py"}


@dataclass(frozen=True)
class Import:
    """One import: the file it stands in, and what it names, ours as ``.ratchet.states``, others as written."""

    file: str
    target: str

    @property
    def top(self) -> str:
        return self.target.lstrip(".").split(".")[0]

    @property
    def ours(self) -> bool:
        return self.target.startswith(".")


def part_of(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def relative_targets(file: str, node: ast.ImportFrom) -> Iterator[str]:
    folder = Path(file).parent.parts
    base = folder[: len(folder) - node.level + 1]
    for alias in node.names:
        inside = [*base, *(node.module or "").split("."), *([] if node.module else [alias.name])]
        yield "." + ".".join(filter(None, inside))


def imports_in(file: str) -> Iterator[Import]:
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(file, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield from (Import(file, target) for target in relative_targets(file, node))
        elif isinstance(node, ast.ImportFrom):
            yield Import(file, node.module or "")


@pytest.fixture(scope="session")
def modules(tree: list[str]) -> list[str]:
    return [name for name in tree if name.endswith(".py") and not name.startswith(NOT_OURS)]


@pytest.fixture(scope="session")
def imports(modules: list[str]) -> list[Import]:
    return [found for file in modules for found in imports_in(file)]


def test_every_part_has_its_level(modules: list[str]) -> None:
    assert {part_of(file) for file in modules} <= LEVELS.keys()


def test_arrows_point_down(imports: list[Import]) -> None:
    assert [i for i in imports if i.ours and LEVELS.get(i.top, 0) > LEVELS[part_of(i.file)]] == []


def test_own_modules_are_imported_relatively(imports: list[Import]) -> None:
    assert [i for i in imports if i.top in {"karpathy_self_improve", "hermes_plugins"}] == []


def test_only_one_module_imports_the_host(imports: list[Import]) -> None:
    hosts = set((importlib.metadata.distribution("hermes-agent").read_text("top_level.txt") or "").split())
    assert {i.file for i in imports if not i.ours and i.top in hosts} <= KNOW_THE_HOST


def test_the_worker_script_imports_nothing_of_ours(imports: list[Import]) -> None:
    assert [i for i in imports if i.file == "evaluation/running/worker.py" and i.ours] == []


def test_statistics_stand_on_the_standard_library_alone(imports: list[Import]) -> None:
    foreign = [i for i in imports if part_of(i.file) == "stats" and not i.target.startswith(".stats")]
    assert [i for i in foreign if i.ours or i.top not in sys.stdlib_module_names] == []


def test_faces_touch_no_table(imports: list[Import]) -> None:
    faces = [i for i in imports if part_of(i.file) in FACES]
    assert [i for i in faces if i.target.startswith(".schema") or i.top in {"sqlalchemy", "alembic"}] == []


def at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement that runs when the module is imported: not what stands inside functions."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield statement
        yield from at_import([child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt)])


def test_the_root_module_imports_nothing_of_ours_by_itself() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    early = [s for s in at_import(tree.body) if isinstance(s, ast.ImportFrom) and s.level]
    assert [ast.unparse(s) for s in early] == []


def test_every_module_begins_with_a_sentence(modules: list[str]) -> None:
    docstrings = {file: ast.get_docstring(ast.parse((ROOT / file).read_text(encoding="utf-8"))) for file in modules}
    assert [file for file, text in docstrings.items() if not text or len(text.split()) < 3] == []
