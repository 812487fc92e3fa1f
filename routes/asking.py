"""What the routes are asked with: the context of one request, who asks, and the bodies they take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Protocol

from fastapi import Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SkipValidation

from ..evaluation.checks import Check
from ..privacy import scan
from ..ratchet.actor import Actor
from ..ratchet.context import Context
from . import contexts

_MAX_ID = 2**63 - 1
_MAX_CONTENT = 1_000_000
FACE = "dashboard"
DEFAULT_FILE = "SOUL.md"
ADMITTED = "karpathy-self-improve.admitted"
"""Under this key of a request's scope stands the principal that our own server admitted; the host sets none."""


async def _context() -> AsyncIterator[Context]:
    context = await run_in_threadpool(contexts.take)
    try:
        yield context
    finally:
        contexts.give_back(context)


async def _principal(request: Request) -> str:
    """``dashboard``, with the identity the host authenticated when it has logins; else whom our own server let in."""
    if admitted := request.scope.get(ADMITTED):
        return str(admitted)
    session = getattr(request.state, "session", None)
    machine = getattr(request.state, "token_principal", None)
    identity = getattr(session, "email", "") or getattr(session, "user_id", "") or getattr(machine, "principal", "")
    return f"{FACE}:{identity}" if identity else FACE


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("may hold printable characters only")
    return text


def _no_secret(label: str) -> str:
    """A label stays as it is given, for it is somebody's name, and the audit trail is never rewritten."""
    if scan(label):
        raise ValueError("holds a secret; give a name")
    return label


Opened = Annotated[Context, Depends(_context)]
USABLE = Depends(_context)
"""For a route that opens a context by itself, later: it begins only if one can be opened."""
Principal = Annotated[str, Depends(_principal)]
Identifier = Annotated[int, Path(ge=1, le=_MAX_ID, description="Its number.")]
ProfileName = Annotated[str, Path(description="Its name.")]
OfProfile = Annotated[str | None, Query(description="Only of this profile.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most this many.")]
Before = Annotated[int | None, Query(ge=1, le=_MAX_ID, description="Only those older: a page's next_before.")]
After = Annotated[int | None, Query(ge=1, le=_MAX_ID, description="Only those newer: a page's next_after.")]
Name = Annotated[str, Field(min_length=1, max_length=200, description="A name."), AfterValidator(_printable)]
Sentence = Annotated[str, Field(max_length=2_000, description="Why, for whoever reads the history.")]
ScenarioName = Annotated[str, Field(description="1 to 200 printable characters, unique in the profile.")]
ScenarioInput = Annotated[str, Field(description="What the agent is asked; at most 20,000 characters.")]


def _list_or_text(value: object) -> object:
    if not isinstance(value, list | str):
        raise ValueError("must be a list of checks, or the same as a JSON string")
    return value


Checks = Annotated[
    list[SkipValidation[Check]] | str,  # each is validated by the service, which says which one is wrong
    BeforeValidator(_list_or_text),
    Field(description="A list of checks, or the same as a JSON string; an empty string is no checks."),
]


_CRITICAL = "A change that breaks it must not pass."


class _Numbered(Protocol):
    @property
    def id(self) -> int: ...


def following(found: Sequence[_Numbered], limit: int) -> int | None:
    """What the next page is asked for with; None after the last one."""
    return found[-1].id if len(found) == limit else None


class Labelled(BaseModel):
    """A decision's body; whoever it names is a label beside the authenticated principal."""

    actor: Annotated[Name, AfterValidator(_no_secret)] | None = Field(
        None, description="A label for the audit trail; it authenticates nobody."
    )

    def by(self, principal: str) -> Actor:
        return Actor(self.actor or principal, principal)


class ReasonBody(Labelled):
    reason: Sentence | None = None


class NewExperiment(Labelled):
    """One small change to one file: its whole new ``content``, or a ``diff`` of one hunk against today's file."""

    profile: Name
    file: Annotated[str, Field(max_length=1_000)] | None = Field(None, description="In the profile; else SOUL.md.")
    content: str | None = Field(None, max_length=_MAX_CONTENT, description="Either this, the whole new text,")
    diff: str | None = Field(None, max_length=_MAX_CONTENT, description="or this, a unified diff of one hunk.")
    rationale: str | None = Field(None, max_length=10_000, description="What it should improve.")


class NewScenario(Labelled):
    profile: Name
    name: ScenarioName
    input: ScenarioInput | None = None
    checks: Checks | None = None
    holdout: bool | None = Field(None, description="Held out: never shown, never used for proposals.")
    critical: bool | None = Field(None, description=_CRITICAL)


class ScenarioEdit(Labelled):
    """What stays out, or is null, stays as it is. A scenario is held out, or not, for good."""

    name: ScenarioName | None = None
    input: ScenarioInput | None = None
    checks: Checks | None = None
    critical: bool | None = Field(None, description=_CRITICAL)


class ProposeBody(Labelled):
    """For which file of a profile a change is asked for."""

    profile: Name
    target_relpath: str | None = Field(None, max_length=1_000, description="In the profile; else SOUL.md.")
