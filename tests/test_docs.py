"""The documentation names what is there: every setting, command, route, check and message, every file it links to."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from typing import Any, get_args

import pytest

from karpathy_self_improve.commands import arguments
from karpathy_self_improve.evaluation.checks import Check
from karpathy_self_improve.plugin_api import router
from karpathy_self_improve.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "after-install.md", *DOCS.glob("*.md")])
QUOTED = re.compile(r'^### .*?"(.+)"$', re.MULTILINE)
SHORTEST = 4
"""Fewer letters between two gaps of a quoted message prove nothing."""


@pytest.mark.parametrize("name", ["settings", "commands", "routes"])
def test_a_written_page_is_what_the_code_says(name: str) -> None:
    script = ROOT / "scripts" / f"document_{name}.py"
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert run_path(str(script))["text"]() == page, f"out of date: run .venv/bin/python scripts/{script.name}"


def test_every_setting_has_a_description() -> None:
    undescribed = [
        f"{section}.{name}"
        for section, model in [("", Settings), *_sections()]
        for name, field in model.model_fields.items()
        if not field.description and not hasattr(field.annotation, "model_fields")
    ]
    assert undescribed == []


def _sections() -> list[tuple[str, type]]:
    return [
        (name, field.annotation)
        for name, field in Settings.model_fields.items()
        if field.annotation and hasattr(field.annotation, "model_fields")
    ]


def test_every_command_has_its_words_and_an_example() -> None:
    for name, parser in arguments.commands():
        assert parser.description, name
        assert f"hermes ratchet {name}" in (parser.epilog or ""), name
        for action in parser._actions:
            assert action.help, (name, action.dest)
            assert action.help != argparse.SUPPRESS, (name, action.dest)


def test_every_route_and_all_it_takes_is_described() -> None:
    document = _document()
    undescribed = []
    for path, verbs in document["paths"].items():
        for verb, told in verbs.items():
            asked = {one["name"]: one for one in told.get("parameters", [])} | _body(document, told)
            undescribed += [f"{verb} {path} {name}" for name, field in asked.items() if not _said(field)]
            undescribed += [] if told.get("description") else [f"{verb} {path}"]
    assert undescribed == []


def _document() -> Any:
    from fastapi import FastAPI

    app = FastAPI()
    app.include_router(router)
    return app.openapi()


def _body(document: Any, told: Any) -> dict[str, Any]:
    """The fields of the body a route takes."""
    schema = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    names = [one["$ref"].rpartition("/")[2] for one in (schema, *schema.get("anyOf", [])) if "$ref" in one]
    return dict(document["components"]["schemas"][names[0]]["properties"]) if names else {}


def _said(field: Any) -> bool:
    return any(one.get("description") for one in (field, *field.get("anyOf", [])))


def test_every_check_is_documented() -> None:
    page = (DOCS / "evaluation.md").read_text(encoding="utf-8") + (DOCS / "scenarios.md").read_text(encoding="utf-8")
    types = {get_args(model.model_fields["type"].annotation)[0] for model in get_args(get_args(Check)[0])}
    assert types
    assert {name for name in types if f"`{name}`" not in page} == set()


def test_every_message_that_is_explained_is_one_that_is_said(tree: list[str]) -> None:
    """``...`` stands for names and numbers; what stands between them is looked for in the code's own words."""
    said = "\n".join(_texts(tree))
    quoted = QUOTED.findall((DOCS / "troubleshooting.md").read_text(encoding="utf-8"))
    assert len(quoted) > 40
    for message in quoted:
        parts = [part.strip() for part in message.split("...")]
        assert max(map(len, parts)) >= 2 * SHORTEST, message
        for part in parts:
            assert len(part) < SHORTEST or part in said, f"nothing says {part!r} of {message!r} any more"


def _texts(tree: list[str]) -> Iterator[str]:
    """Every piece of text in our code, those that stand side by side as one."""
    for name in tree:
        if name.endswith(".py") and not name.startswith(("tests/", "benchmarks/", "scripts/", "migrations/versions/")):
            for node in ast.walk(ast.parse((ROOT / name).read_bytes())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_every_page_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if f"(docs/{page.name})" not in readme] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
