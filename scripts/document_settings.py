"""Writes docs/settings.md from the settings model; with --check, only says whether it is up to date."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from karpathy_self_improve.settings import PLUGIN, Settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEADER = f"""# Settings

Written by `scripts/document_settings.py` from the settings model. All of them stand in the **root** home's config.yaml;
a daemon reads them anew in every round. Unknown keys and impossible values are refused with the key's name.

```yaml
plugins:
  entries:
    {PLUGIN}:
      approval: unsigned
      success_checks:
        - {{type: must_contain, value: "NEXT:"}}
      window: {{n0: 40, n: 20, n_max: 40}}
```

| setting | default | meaning |
|---|---|---|
"""


def rows(model: type[BaseModel], prefix: str = "") -> list[str]:
    """One table row for every setting, those of a section under its name."""
    lines: list[str] = []
    for name, field in model.model_fields.items():
        default: Any = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            lines += rows(type(default), f"{prefix}{name}.")
        else:
            lines.append(f"| `{prefix}{name}` | `{json.dumps(default)}` | {field.description} |")
    return lines


def text() -> str:
    """The whole page."""
    return HEADER + "\n".join(rows(Settings)) + "\n"


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text() else 1
    PAGE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
