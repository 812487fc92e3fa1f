"""``python -m karpathy_self_improve.demo``, and what ``hermes ratchet demo`` starts."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Sequence

_EPILOG = """examples:
  make run                  watch it; you decide in the real dashboard
  HEADLESS=1 make run       nobody asked; the last line is one JSON object
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration. Returns the exit status: 0 when both changes ended as they should."""
    parser = argparse.ArgumentParser(
        prog="hermes ratchet demo",
        description="One good and one bad change go the whole way, on the real host with a scripted model, in a "
        "throw-away home: proposed, measured, approved, applied, watched, and kept or taken back.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--headless", action="store_true", help="ask nobody; same as HEADLESS=1")
    parser.add_argument("--keep", action="store_true", help="keep the throw-away home and say where it is")
    options = parser.parse_args(argv)
    if problem := _missing():
        print(problem, file=sys.stderr)
        return 1
    return _run(options.headless or os.environ.get("HEADLESS") == "1", options.keep)


def _missing() -> str | None:
    if shutil.which("git") is None:
        return "git is not installed. Install it (Debian: apt-get install git; macOS: xcode-select --install)."
    if importlib.util.find_spec("hermes_cli") is None:
        return f"Hermes is not installed for this Python. Run: {sys.executable} -m pip install hermes-agent==0.19.0"
    return None


def _run(headless: bool, keep: bool) -> int:
    from rich.console import Console

    from .processes import DemoFailed
    from .run import run
    from .show import Show

    try:
        summary = run(Show(Console()), headless=headless, keep=keep)
    except DemoFailed as failure:
        print(f"The demonstration failed: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Ended; the throw-away home is removed.", file=sys.stderr)
        return 130
    if headless:
        print(json.dumps(summary))
    return 0 if summary["as_expected"] and summary["audit_ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
