"""Secrets and personal data, found and replaced before anything is stored, sent to a model, logged or exported.

``scan(text)`` finds secrets; ``sanitize(text)`` replaces them, and personal data, by typed placeholders. Neither ever
hands out what it found: a finding says what kind of thing stands where.
"""

from .documents import without_secrets
from .findings import Finding
from .people import Identity
from .sanitizing import Sanitized, sanitize, scan

__all__ = ["Finding", "Identity", "Sanitized", "sanitize", "scan", "without_secrets"]
