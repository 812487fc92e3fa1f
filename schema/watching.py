"""What guarded files looked like when last seen, and how far each notification target has been told."""

from __future__ import annotations

from sqlalchemy import Column, Float, Table, Text

from .base import integer, metadata, one_of, text

FILE_KINDS = ("file", "absent", "link", "hard_link", "oversize", "other", "unreadable")

guarded_files = Table(
    "guarded_files",
    metadata,
    Column("profile", Text, primary_key=True),
    Column("relpath", Text, primary_key=True),
    text("kind"),
    text("sha256", required=False),
    text("stat"),
    integer("operation_id", required=True),
    text("seen_at"),
    text("accepted_kind"),
    text("accepted_sha256", required=False),
    integer("event_id"),
    one_of("kind", FILE_KINDS, "kind"),
    one_of("accepted_kind", FILE_KINDS, "accepted_kind"),
)
"""One row per file. ``sha256`` is of the bytes of a file, else of what tells two versions of that kind apart.

``stat`` is empty while it cannot be trusted to show the next edit; ``operation_id`` is the newest file operation of
ours that is accounted for. ``event_id`` is set from a change nobody proposed until somebody acknowledges it; the
``accepted_`` columns say what stood there before.
"""

guarded_profiles = Table(
    "guarded_profiles",
    metadata,
    Column("profile", Text, primary_key=True),
    text("scope"),
    integer("complete", required=True),
    integer("limited", required=True),
    integer("operation_id", required=True),
    integer("kept_bytes", required=True),
    text("kept_since"),
)
"""``scope`` are the patterns last looked with; until ``complete``, a file never seen before is no new file.

``kept_bytes`` of changed files were stored since ``kept_since``.
"""

notify_cursors = Table(
    "notify_cursors",
    metadata,
    Column("target", Text, primary_key=True),
    text("label"),
    integer("event_id", required=True),
    Column("allowance", Float, nullable=False),
    text("allowance_at"),
    integer("sent", default=0),
    text("sent_at", required=False),
    integer("failures", default=0),
    text("last_error", required=False),
    text("retry_at", required=False),
)
"""``target`` is a digest of its settings, which may hold secrets; everything up to ``event_id`` has been told."""
