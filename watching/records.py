"""The rows that remember what each guarded file last looked like, and how far the first look at a profile has got."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from .. import clock
from .._db import as_record
from ..schema.watching import guarded_files, guarded_profiles
from .listing import Kind

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Version:
    """What stood under a name: a kind, and what tells two versions of it apart (SHA-256 of the bytes for a file)."""

    kind: str
    mark: str | None = None

    @property
    def sha256(self) -> str | None:
        """The digest of the bytes; None where no plain file was read."""
        return self.mark if self.kind == Kind.FILE else None


ABSENT = Version(Kind.ABSENT)


def of_bytes(sha256: str | None) -> Version:
    """The version the journal means by a digest, where None is absence."""
    return ABSENT if sha256 is None else Version(Kind.FILE, sha256)


@dataclass(frozen=True)
class Known:
    """One guarded file as last seen. ``event_id`` is set while a change is unacknowledged; see the table."""

    profile: str
    relpath: str
    kind: str
    sha256: str | None
    stat: str
    operation_id: int
    seen_at: str
    accepted_kind: str
    accepted_sha256: str | None
    event_id: int | None

    @property
    def version(self) -> Version:
        return Version(self.kind, self.sha256)

    @property
    def accepted(self) -> Version:
        return Version(self.accepted_kind, self.accepted_sha256)


@dataclass(frozen=True)
class Standing:
    """How far the watch over one profile has got; see the table."""

    profile: str
    scope: str
    complete: int
    limited: int
    operation_id: int
    kept_bytes: int
    kept_since: str


@dataclass(frozen=True)
class Own:
    """What one finished file operation of ours did. ``forced``: a person signed to write over what stood there."""

    id: int
    expected: Version
    new: Version
    forced: bool = False


def standing(tx: Connection, profile: str) -> Standing | None:
    """None before the first look."""
    row = tx.execute(select(guarded_profiles).where(guarded_profiles.c.profile == profile)).one_or_none()
    return None if row is None else as_record(Standing, row)


def put_standing(tx: Connection, one: Standing) -> None:
    tx.execute(delete(guarded_profiles).where(guarded_profiles.c.profile == one.profile))
    tx.execute(guarded_profiles.insert().values(asdict(one)))


def known_files(tx: Connection, profile: str) -> dict[str, Known]:
    """Every file of a profile that was ever seen, by the name it is shown under."""
    rows = tx.execute(select(guarded_files).where(guarded_files.c.profile == profile))
    return {row.relpath: as_record(Known, row) for row in rows}


def known(tx: Connection, profile: str, relpath: str) -> Known | None:
    """One of them."""
    here = (guarded_files.c.profile == profile) & (guarded_files.c.relpath == relpath)
    row = tx.execute(select(guarded_files).where(here)).one_or_none()
    return None if row is None else as_record(Known, row)


def put(tx: Connection, one: Known) -> None:
    """Remember a file. One that is gone, and whose absence is accepted, is forgotten unless we once changed it."""
    here = (guarded_files.c.profile == one.profile) & (guarded_files.c.relpath == one.relpath)
    tx.execute(delete(guarded_files).where(here))
    if one.version != ABSENT or one.event_id is not None or one.operation_id:
        tx.execute(guarded_files.insert().values(asdict(one)))


def first_seen(profile: str, relpath: str, version: Version, stat: str, operation_id: int) -> Known:
    """A file met for the first time, which is no change."""
    same = (version.kind, version.mark)
    return Known(profile, relpath, *same, stat, operation_id, clock.stamp(), *same, None)


def newest_operations(tx: Connection, profile: str) -> dict[str, int]:
    """The id of the newest file operation, finished or not, on each file of a profile that had any."""
    query = "SELECT relpath, max(id) FROM file_operations WHERE profile = ? GROUP BY relpath"
    return {str(relpath): int(number) for relpath, number in tx.exec_driver_sql(query, (profile,))}


def under_way(tx: Connection, profile: str) -> dict[str, int]:
    """The files that an open operation is changing or may be changing, with its id."""
    query = "SELECT relpath, id FROM file_operations WHERE profile = ? AND finished_at IS NULL"
    return {str(relpath): int(number) for relpath, number in tx.exec_driver_sql(query, (profile,))}


_DONE = """
SELECT o.relpath, o.id, o.expected_sha256, o.new_sha256, o.expected_sha256 IS NOT
  CASE o.kind WHEN 'apply' THEN e.base_sha256 ELSE e.candidate_sha256 END
FROM file_operations o
JOIN experiments e ON e.id = o.experiment_id AND e.profile = o.profile AND e.target_relpath = o.relpath
JOIN guarded_profiles p ON p.profile = o.profile
LEFT JOIN guarded_files g ON g.profile = o.profile AND g.relpath = o.relpath
WHERE o.profile = ? AND o.phase = 'recorded' AND o.id > coalesce(g.operation_id, p.operation_id)
  AND o.commit_sha = CASE o.kind WHEN 'apply' THEN e.apply_commit_sha ELSE e.revert_commit_sha END
  AND EXISTS (SELECT 1 FROM experiment_state_transitions t WHERE t.experiment_id = e.id
    AND t.to_state = CASE o.kind WHEN 'apply' THEN 'live' ELSE 'reverted' END)
  AND NOT EXISTS (SELECT 1 FROM file_operations b WHERE b.experiment_id = e.id AND b.kind = o.kind
    AND b.phase = 'recorded' AND b.id < o.id)
  AND (o.kind = 'apply' AND o.new_sha256 = e.candidate_sha256
    OR o.kind = 'revert' AND (o.new_sha256 IS e.base_sha256
      OR o.new_sha256 IS (SELECT s.prior_sha256 FROM experiment_snapshots s WHERE s.experiment_id = e.id
        ORDER BY s.id LIMIT 1)))
ORDER BY o.id
"""


def own_changes(tx: Connection, profile: str) -> dict[str, list[Own]]:
    """Finished operations that are not accounted for yet, oldest first, by file.

    The journal alone proves nothing, for anybody can add to it: the experiment must have taken that step, by that
    commit and once, and the operation must have written the experiment's own bytes or put back what stood there.
    """
    found: dict[str, list[Own]] = {}
    for relpath, number, expected, new, forced in tx.exec_driver_sql(_DONE, (profile,)):
        found.setdefault(relpath, []).append(Own(number, of_bytes(expected), of_bytes(new), bool(forced)))
    return found


def shown(relpath: str) -> str:
    """A path as text that every store and screen takes: itself, or with odd characters escaped. Never ambiguous."""
    plain = relpath.isprintable() and "\\" not in relpath
    return relpath if plain else relpath.encode("unicode_escape").decode("ascii")


def path_of(name: str) -> str:
    """The inverse of :func:`shown`."""
    return name.encode("ascii").decode("unicode_escape") if "\\" in name else name
