"""All settings and their defaults in one frozen model, read from ``plugins.entries.karpathy-self-improve``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .errors import SettingsInvalid

PLUGIN = "karpathy-self-improve"
_HOST_KEYS = frozenset({"allow_tool_override", "llm"})


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChangeLimits(_Section):
    """What one proposal may touch."""

    allowed_files: tuple[str, ...] = Field(
        ("SOUL.md", "skills/**/*.md"), description="Patterns of files a change may target, relative to the profile."
    )
    allow_memory: bool = Field(
        False, description="Also allow memories/*.md; needs the host's own memory.write_approval: true."
    )
    max_file_bytes: int = Field(262_144, ge=1, description="Largest file a change may target, in bytes.")
    max_change_bytes: int = Field(4_000, ge=1, description="Most bytes one change may add and remove together.")
    max_change_lines: int = Field(40, ge=1, description="Most lines one change may add and remove together.")


class Cap(_Section):
    """The most that may be spent in one scope; None: no such cap."""

    usd: float | None = Field(None, gt=0, description="Most US dollars; an unknown price ends the evaluation too.")
    tokens: int | None = Field(None, ge=1, description="Most tokens, agents and judge together.")
    calls: int | None = Field(None, ge=1, description="Most model calls, agents and judge together.")


class BudgetSettings(_Section):
    """What evaluations may cost: one of them, all in a day (UTC), and all of one profile in a day."""

    run: Cap = Cap()
    day: Cap = Cap()
    profile: Cap = Cap()


class EvaluationSettings(_Section):
    """How a proposal is measured before anybody approves it."""

    repeats: int = Field(
        3, ge=1, le=20, description="Runs of each scenario and arm. With one, nothing passes: steadiness is unknown."
    )
    confirmations: int = Field(
        3,
        ge=1,
        le=1_000,
        description="Changes that one held-out set may confirm before it is rotated; the more, the stricter with each.",
    )
    max_flip_rate: float = Field(
        0.30,
        ge=0,
        le=1,
        description="Share of pairs of runs of one version on one scenario that may disagree before the gate refuses.",
    )
    timeout_s: float = Field(120.0, gt=0, le=86_400, description="Wall-clock limit of one agent run, in seconds.")
    workers: int = Field(2, ge=1, le=64, description="Agent runs at the same time.")
    max_turns: int = Field(12, ge=1, le=1_000, description="Most model calls in one agent run.")
    retries: int = Field(
        2, ge=0, le=10, description="Times an agent run is tried again, later each time, after a failure around it."
    )
    toolsets: tuple[str, ...] = Field(
        ("skills",),
        description="The host's toolsets an evaluated agent has; 'file' and 'terminal' only where bubblewrap works.",
    )
    budget: BudgetSettings = BudgetSettings()


class WindowSettings(_Section):
    """The live window: how many real sessions decide, and how sure they must make us."""

    n0: int = Field(60, ge=1, description="Baseline sessions, the newest eligible ones on the base version.")
    n_min: int = Field(5, ge=1, description="First live session at which a change may be taken back.")
    n: int = Field(30, ge=1, description="Live sessions after which a change may be verified.")
    n_max: int = Field(60, ge=1, description="Live sessions after which the window ends (extension, fixed ahead).")
    alpha: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="Chance of taking back a change that did nothing: half of it for success, a quarter each for "
        "errors and for cost.",
    )
    measures: tuple[Literal["success", "errors", "cost"], ...] = Field(
        ("success", "errors", "cost"),
        min_length=1,
        description="What is tested; success only where there is a sign of it, tokens where the cost is not known.",
    )
    margin: float = Field(
        0.15,
        gt=0,
        lt=1,
        description="Loss of success rate, or rise of the share of costly sessions, that all changes verified against "
        "one anchor may add up to.",
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="How sure verification must be of that.")
    max_days: float = Field(14.0, gt=0, le=365, description="Days after which an undecided window is inconclusive.")
    idle_minutes: float = Field(
        30.0, ge=0, le=10_080, description="Minutes of silence after which a session counts as over."
    )
    max_left_out: float = Field(
        0.2, ge=0, le=1, description="Share of left-out sessions above which nothing is verified."
    )
    when_advisory: Literal["ask", "revert"] = Field(
        "ask",
        description="On a profile where the plan raised too many alarms over its own past without a change: 'ask' a "
        "person before a change is taken back, or 'revert' all the same.",
    )


class DaemonSettings(_Section):
    """The clock that runs jobs, applies, observes and decides."""

    tick_s: float = Field(5.0, gt=0, le=60, description="Seconds between two rounds.")
    lease_s: float = Field(
        30.0, gt=0, le=600, description="Seconds without a heartbeat after which another daemon takes over."
    )
    heard_within_s: float = Field(
        300.0, gt=0, le=3_600, description="Apply refuses when no daemon was heard of for this many seconds."
    )
    backoff_s: float = Field(
        30.0, gt=0, le=3_600, description="First pause after a failure of one profile; doubles up to an hour."
    )


class HermesTarget(_Section):
    """Somebody the host can write to."""

    kind: Literal["hermes"]
    target: str = Field(pattern=r"^[a-z][a-z0-9_]*(:[!-~]+)?$", max_length=300)


class CommandTarget(_Section):
    """A program of the operator's, started without a shell; the message is on its standard input."""

    kind: Literal["command"]
    argv: tuple[str, ...] = Field(min_length=1, max_length=50)


class WebhookTarget(_Section):
    """An address that takes a POST with JSON."""

    kind: Literal["webhook"]
    url: str = Field(max_length=2_000)


NotifyTarget = Annotated[HermesTarget | CommandTarget | WebhookTarget, Field(discriminator="kind")]
NotifyKind = Literal[
    "experiment.reverted",
    "window.inconclusive",
    "file.conflict",
    "file.external_change",
    "daemon.failure",
    "daemon.dead",
]


class NotifySettings(_Section):
    """Who is told when something needs a person's eyes: ids, profile names and a link, never contents."""

    targets: tuple[NotifyTarget, ...] = Field(
        (),
        max_length=10,
        description="Who is told: {kind: hermes, target: telegram} (what `hermes send --to` takes), {kind: command, "
        "argv: [...]} (no shell, message on stdin) or {kind: webhook, url: ...} (loopback, or see webhook_hosts).",
    )
    events: tuple[NotifyKind, ...] = Field(get_args(NotifyKind), description="Of what they are told.")
    webhook_hosts: tuple[str, ...] = Field(
        (), description="Host names a webhook may have, and private addresses or networks it may reach."
    )
    dashboard_url: str = Field(
        "http://127.0.0.1:9119/self-improve",
        pattern=r"^https?://[!-~]+$",
        max_length=500,
        description="Where the link in a message leads: the page as its reader reaches it.",
    )
    per_hour: int = Field(20, ge=1, le=1_000, description="Messages per target and hour; more become one summary.")
    timeout_s: float = Field(15.0, gt=0, le=120, description="Seconds after which one delivery counts as failed.")


class DailyCap(Cap):
    """What the proposer's model may cost in a day (UTC), all profiles together."""

    usd: float | None = Field(None, gt=0, description="Most US dollars a day; an unknown price ends that day too.")
    tokens: int | None = Field(None, ge=1, description="Most tokens a day.")
    calls: int | None = Field(30, ge=1, description="Most calls a day (UTC), all profiles together.")


class ProposerSettings(_Section):
    """The model that drafts changes: when it is asked, for what, and how often at most."""

    schedule: str = Field(
        "",
        max_length=200,
        description="When the daemon asks for a proposal, as a cron expression in local time, e.g. '30 3 * * *'; "
        "empty: never.",
    )
    files: tuple[str, ...] = Field(
        ("SOUL.md",), max_length=50, description="The files it asks for then, relative to each profile."
    )
    budget: DailyCap = DailyCap()

    @field_validator("schedule")
    @classmethod
    def _is_a_schedule(cls, expression: str) -> str:
        if expression:
            from croniter import croniter

            if len(expression.split()) != 5 or not croniter.is_valid(expression):
                raise ValueError("is no cron expression of five fields, such as '30 3 * * *'")
        return expression


class ChatSender(_Section):
    """Somebody in a chat: the platform and their id there, as the host's gateway knows them. Names can be chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    platform: str = Field(pattern=r"^[a-z][a-z0-9_.-]*$", max_length=50)
    sender: str = Field(pattern=r"^[!-~]+$", max_length=200)


class ChatSettings(_Section):
    """What is done from chats."""

    deciders: tuple[ChatSender, ...] = Field(
        (),
        max_length=100,
        description="Who may reject and revert in a chat: {platform: telegram, sender: '123456789'}; platform "
        "'terminal' with a user's name for `hermes chat` on this machine. Nobody approves in a chat.",
    )


class Settings(_Section):
    """Everything an operator can set. Defaults are safe: nobody approves until a reviewer or ``unsigned`` is set up."""

    approval: Literal["signed", "unsigned"] = Field(
        "signed", description="'signed': a reviewer key signs. 'unsigned': whoever runs the command approves."
    )
    auto_apply: bool = Field(True, description="The daemon applies what was approved; otherwise apply by hand.")
    success_checks: tuple[dict[str, Any], ...] = Field(
        (), description="Checks on a session's last answer; all passing is the positive signal of success."
    )
    changes: ChangeLimits = ChangeLimits()
    evaluation: EvaluationSettings = EvaluationSettings()
    window: WindowSettings = WindowSettings()
    daemon: DaemonSettings = DaemonSettings()
    notify: NotifySettings = NotifySettings()
    chat: ChatSettings = ChatSettings()
    proposer: ProposerSettings = ProposerSettings()


def server_token_path() -> Path:
    """``server-token`` in this user's configuration folder (``XDG_CONFIG_HOME``, else ``~/.config``)."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return folder / PLUGIN / "server-token"


def parse_settings(raw: Mapping[str, Any] | None) -> Settings:
    """Settings from the parsed YAML mapping of our entry; keys that belong to the host are skipped.

    Raises SettingsInvalid naming each bad key and why.
    """
    if raw is None:
        return Settings()
    if not isinstance(raw, Mapping):
        raise SettingsInvalid(f"plugins.entries.{PLUGIN} in config.yaml must be a mapping of settings.")
    ours = {key: value for key, value in raw.items() if key not in _HOST_KEYS}
    try:
        return Settings.model_validate(ours)
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
        )
        raise SettingsInvalid(
            f"plugins.entries.{PLUGIN} in config.yaml is wrong at {reasons}. Correct it and try again."
        ) from None
