"""How the demonstration looks on a terminal: steps with their time, the diff, the evaluation, a summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.syntax import Syntax
from rich.table import Table

from ..commands import report_views
from ..evaluation import jobs
from ..evaluation.gating import reports
from ..ratchet.context import Context
from ..ratchet.experiments import Experiment
from ..ratchet.window import live_window
from . import processes
from .home import DemoHome

_STATE_STYLE = {"verified": "green", "reverted": "yellow", "rejected": "red", "live": "cyan"}


class Show:
    """Writes to one console; plain lines when that is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def opening(self, home: DemoHome, model_url: str) -> None:
        text = (
            "A throw-away Hermes home with two profiles, the real agent, real git, a real daemon.\n"
            f"The model is [bold]scripted[/]: no language model, fixed rules, at {model_url}\n"
            "Approvals are [bold]unsigned[/] here; windows are small. Your own home is not touched.\n"
            f"[dim]{home.root}[/]"
        )
        self._console.print(Panel(text, title="hermes ratchet: the demonstration", expand=False))

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        if not self._console.is_terminal:  # nothing turns there while it takes its time
            self._console.print(f"[dim]{what} ...[/]")
        with self._console.status(f"{what} ..."):
            yield
        self._console.print(f"[green]✓[/] {what} [dim]({time.monotonic() - started:.0f} s)[/]")

    def command(self, line: str) -> None:
        self._console.print(f"[bold]$[/] {escape(line)}", highlight=False)

    def note(self, text: str) -> None:
        self._console.print(f"  {escape(text)}", highlight=False)

    def diff(self, one: Experiment) -> None:
        self._console.print(Syntax(one.diff.rstrip(), "diff", theme="ansi_dark", background_color="default"))

    @contextmanager
    def evaluation(self, context: Context) -> Iterator[Callable[[], None]]:
        """A bar over the agent runs of all evaluations; the caller ticks it."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            bar = progress.add_task("evaluating with the real agent", total=None)

            def tick() -> None:
                listed = jobs.list_jobs(context)
                totals = [job.total for job in listed]
                total = None if None in totals else sum(t for t in totals if t)
                progress.update(bar, completed=sum(job.done for job in listed), total=total)

            yield tick
        done = sum(job.done for job in jobs.list_jobs(context))
        self._console.print(f"[green]✓[/] evaluated: {done} runs of the real agent, both arms")

    def report(self, context: Context, one: Experiment) -> None:
        report = reports.latest(context, one.id) or {}
        table = Table(
            title=f"Experiment {one.id}, {one.profile}/{one.target_relpath}: {one.verdict}", title_justify="left"
        )
        for heading in ("scenario", "baseline", "candidate", "change"):
            table.add_column(heading)
        for row in report.get("scenarios", []):
            table.add_row(escape(row["name"]), _rate(row["baseline"]), _rate(row["candidate"]), row["change"])
        self._console.print(table)
        for told in report_views.sentences(report):
            self.note(told)

    def review(self, url: str) -> None:
        self._console.print(
            Panel(
                f"Open [bold]{url}[/]\nLook at each change, then approve or reject it. This goes on by itself.\n"
                "Ctrl-C ends the demonstration and removes its home.",
                title="your turn",
                expand=False,
            )
        )

    def live(self, context: Context, number: int) -> None:
        found = live_window.status(context, number)
        style = _STATE_STYLE.get(found.experiment.state, "white")
        self._console.print(f"  experiment {number} is [{style}]{found.experiment.state}[/]: {escape(found.reason)}")

    def closing(self, home: DemoHome, summary: dict[str, Any]) -> None:
        table = Table(title="What happened", title_justify="left")
        for heading in ("id", "target", "gate", "state", "verdict", "applied as", "reverted as"):
            table.add_column(heading)
        for row in summary["experiments"]:
            style = _STATE_STYLE.get(row["state"], "white")
            shas = [_short(row[f"{kind}_commit_sha"]) for kind in ("apply", "revert")]
            state = f"[{style}]{row['state']}[/]"
            table.add_row(str(row["id"]), row["target"], row["gate"] or "-", state, row["verdict"] or "-", *shas)
        self._console.print(table)
        for line in processes.commits(_repositories(home)):
            self._console.print(f"  {escape(line)}", highlight=False)
        ok = "[green]intact[/]" if summary["audit_ok"] else "[red]BROKEN[/]"
        exact = "[green]yes[/]" if summary["as_expected"] else "[red]NO[/]"
        self._console.print(f"Audit chain {ok}; every file byte for byte what its state says: {exact}")


def _repositories(home: DemoHome) -> list[Path]:
    return sorted((home.root / "ratchet" / "git").glob("*.git"))


def _rate(rate: float | None) -> str:
    return "no result" if rate is None else f"{rate:.0%}"


def _short(sha: str | None) -> str:
    return sha[:10] if sha else "-"
