"""Whole documents without secrets and personal data: of every text in them stays what ``sanitize`` leaves of it."""

from __future__ import annotations

from typing import Any

from .sanitizing import sanitize


def without_secrets(document: Any) -> Any:
    """A JSON-like value with the same shape and names of fields; texts are sanitized, everything else stays."""
    if isinstance(document, str):
        return sanitize(document).text
    if isinstance(document, dict):
        return {name: without_secrets(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [without_secrets(value) for value in document]
    return document
