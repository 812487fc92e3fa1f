"""The documentation names what is there: every setting, every check, every file it links to."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from karpathy_self_improve.evaluation.checks import Check
from karpathy_self_improve.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "after-install.md", *(ROOT / "docs").glob("*.md")])


def test_settings_page_is_what_the_settings_model_says() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "document_settings.py"), "--check"],
        env={"PYTHONPATH": "", "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, "docs/settings.md is out of date: run .venv/bin/python scripts/document_settings.py"


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


def test_every_check_is_documented() -> None:
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    types = {get_args(model.model_fields["type"].annotation)[0] for model in get_args(get_args(Check)[0])}
    assert types
    assert {name for name in types if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
