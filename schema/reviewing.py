"""Reviewers and signatures: who may sign, what was asked to be signed, what was signed, and every failed try."""

from __future__ import annotations

from sqlalchemy import Index, Table, UniqueConstraint

from .base import identity, metadata, one_of, reference, text

CHANGE_KINDS = ("setup", "add", "rotate", "remove", "reset")
ATTEMPT_OUTCOMES = ("accepted", "refused", "withdrawn")
APPEND_ONLY = ("reviewer_changes", "challenges", "signatures")
KEPT = ("signature_attempts",)

reviewer_changes = Table(
    "reviewer_changes",
    metadata,
    identity(),
    text("kind"),
    text("payload"),
    text("signature"),
    text("nonce"),
    text("fingerprint"),
    text("principal"),
    text("created_at"),
    one_of("kind", CHANGE_KINDS, "kind"),
    UniqueConstraint("nonce"),
    sqlite_autoincrement=True,
)

challenges = Table(
    "challenges",
    metadata,
    identity(),
    text("nonce"),
    text("payload"),
    text("plan_document", required=False),
    text("principal"),
    text("created_at"),
    text("expires_at"),
    UniqueConstraint("nonce"),
    sqlite_autoincrement=True,
)

signatures = Table(
    "signatures",
    metadata,
    identity(),
    text("nonce"),
    text("purpose"),
    reference("experiment_id", "experiments.id", required=False),
    text("profile", required=False),
    text("payload"),
    text("signature"),
    text("principal"),
    text("created_at"),
    UniqueConstraint("nonce"),
    Index("ix_signatures_experiment_id", "experiment_id"),
    Index("ix_signatures_purpose_profile", "purpose", "profile"),
    sqlite_autoincrement=True,
)

signature_attempts = Table(
    "signature_attempts",
    metadata,
    identity(),
    text("principal"),
    text("purpose"),
    text("started_at"),
    text("outcome", required=False),
    text("reason", required=False),
    text("ended_at", required=False),
    one_of("outcome", ATTEMPT_OUTCOMES, "outcome"),
    Index("ix_signature_attempts_principal", "principal"),
    Index("ix_signature_attempts_started_at", "started_at"),
    sqlite_autoincrement=True,
)


def _trigger(name: str, moment: str, table: str, when: str | None, action: str) -> tuple[str, str]:
    condition = f"\nWHEN {when}" if when else ""
    return name, f"CREATE TRIGGER {name}\n{moment} ON {table}{condition}\nBEGIN\n  {action};\nEND"


def _refusal(complaint: str) -> str:
    return f"SELECT RAISE(ABORT, '{complaint}')"


def _event(kind: str, *facts: str, profile: str = "NULL", experiment: str = "NULL") -> str:
    """An event written by the database itself: a row that came in behind our back is announced like any other."""
    now = "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'"
    listed = ", ".join(f"'{fact}', NEW.{fact}" for fact in facts)
    values = f"{now}, {kind}, {profile}, {experiment}, json_object({listed})"
    return f"INSERT INTO events (created_at, kind, profile, experiment_id, payload)\n  VALUES ({values})"


def _guards() -> tuple[tuple[str, str], ...]:
    changes, attempts = "reviewer_changes", "signature_attempts"
    second = f"NEW.kind = 'setup' AND EXISTS (SELECT 1 FROM {changes})"
    later = f"EXISTS (SELECT 1 FROM {changes} WHERE id > NEW.id)"
    moved = " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in ("principal", "purpose", "started_at"))
    changed = _event("'reviewers.' || NEW.kind", "id", "fingerprint", "principal")
    stored = _event(
        "'signature.stored'", "id", "purpose", "principal", profile="NEW.profile", experiment="NEW.experiment_id"
    )
    refused = _event("'signature.refused'", "principal", "purpose", "reason")
    return (
        _trigger(f"tr_{changes}_first", "BEFORE INSERT", changes, second, _refusal("only one reviewer is the first")),
        # Only an AFTER trigger sees the id that SQLite chooses.
        _trigger(f"tr_{changes}_in_order", "AFTER INSERT", changes, later, _refusal("a change comes after all others")),
        _trigger(f"tr_{changes}_announced", "AFTER INSERT", changes, None, changed),
        _trigger("tr_signatures_announced", "AFTER INSERT", "signatures", None, stored),
        _trigger(
            f"tr_{attempts}_settled",
            "BEFORE UPDATE",
            attempts,
            f"OLD.outcome IS NOT NULL OR {moved}",
            _refusal("an attempt ends once"),
        ),
        _trigger(f"tr_{attempts}_announced", "AFTER UPDATE", attempts, "NEW.outcome = 'refused'", refused),
    )


GUARDS = _guards()
"""Names and CREATE statements of the triggers beyond those that APPEND_ONLY and KEPT stand for."""
