"""What the routes are asked with: the context of one request, who asks, and the bodies they take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from pydantic import AfterValidator, BaseModel, Field

from ..ratchet.actor import Actor
from ..ratchet.context import Context, open_context

_MAX_ID = 2**63 - 1
_MAX_CONTENT = 1_000_000
FACE = "dashboard"


def _context() -> Iterator[Context]:
    """Opened for one request: this process lives long, and the file may be replaced meanwhile."""
    context = open_context()
    try:
        yield context
    finally:
        context.store.close()


def _principal(request: Request) -> str:
    """``dashboard``, with the identity the host authenticated when it has logins."""
    session = getattr(request.state, "session", None)
    machine = getattr(request.state, "token_principal", None)
    identity = getattr(session, "email", "") or getattr(session, "user_id", "") or getattr(machine, "principal", "")
    return f"{FACE}:{identity}" if identity else FACE


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("may hold printable characters only")
    return text


Opened = Annotated[Context, Depends(_context)]
Principal = Annotated[str, Depends(_principal)]
Identifier = Annotated[int, Path(ge=1, le=_MAX_ID)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Sentence = Annotated[str, Field(max_length=2_000)]


class Labelled(BaseModel):
    """A decision's body; whoever it names is a label beside the authenticated principal."""

    actor: Name | None = Field(None, description="A label for the audit trail; it authenticates nobody.")

    def by(self, principal: str) -> Actor:
        return Actor(self.actor or principal, principal)


class ApproveBody(Labelled):
    """Signature fields are for signed approvals, which come later; until then they are not looked at."""

    override_reason: Sentence | None = Field(None, description="Why to approve without a finished evaluation.")


class ReasonBody(Labelled):
    reason: Sentence = ""


class RevertBody(ReasonBody):
    force: bool = Field(False, description="Over a person's edit; a reviewer must sign it.")


class NewExperiment(Labelled):
    """One small change to one file: its whole new ``content``, or a ``diff`` of one hunk against today's file."""

    profile: Name
    file: str = Field("SOUL.md", max_length=1_000, description="Below the profile.")
    content: str | None = Field(None, max_length=_MAX_CONTENT)
    diff: str | None = Field(None, max_length=_MAX_CONTENT)
    rationale: str = Field("", max_length=10_000)


class NewScenario(Labelled):
    profile: Name
    name: str
    input: str = ""
    checks: list[Any] | str = Field("", description="A list of checks, or the same as a JSON string.")
    holdout: bool = False
    critical: bool = False


class ProposeBody(BaseModel):
    profile: Name
    target_relpath: str | None = Field(None, max_length=1_000)
