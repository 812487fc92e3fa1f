"""The route that says whether this plugin works, and who watches."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from .. import _db, host
from ..errors import RatchetError
from ..installation import overview, package
from ..settings import PLUGIN
from . import contexts
from .answers import ERRORS, RatchetRoute

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["health"])


class DaemonHealth(BaseModel):
    alive: bool
    heartbeat_at: str | None


class Health(BaseModel):
    """``ok`` is whether the database can be used; ``error`` says why not."""

    ok: bool
    plugin: str
    version: str
    db_path: str | None
    db_exists: bool
    approval: str | None = Field(description="'signed' or 'unsigned'; null while the settings are wrong.")
    daemon: DaemonHealth
    error: str | None = None


@router.get("/health")
def health() -> Health:
    """Answers whatever is wrong, and creates nothing."""
    answer = Health(
        ok=False,
        plugin=PLUGIN,
        version=package.version(),
        db_path=None,
        db_exists=False,
        approval=None,
        daemon=DaemonHealth(alive=False, heartbeat_at=None),
    )
    try:
        path = _db.default_path()
        answer.db_path, answer.db_exists = str(path), path.exists()
        answer.approval = host.settings().approval
        if answer.db_exists:
            answer.approval, answer.daemon = _looked_up()
        answer.ok = True
    except RatchetError as error:
        answer.error = error.message
    return answer


def _looked_up() -> tuple[str, DaemonHealth]:
    """The approval mode that counts, and whether a daemon is heard of."""
    with contexts.lent() as context:
        found = overview.daemon_state(context)
        mode = overview.trust(context).mode
    return mode, DaemonHealth(alive=found.alive, heartbeat_at=found.heartbeat_at)
