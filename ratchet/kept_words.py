"""What people say of their decisions, as it is kept for good: without secrets and personal data."""

from __future__ import annotations


def kept(words: str) -> str:
    """``words`` with placeholders such as ``<github-token>``; the same words always become the same.

    A signature is given for the result: whoever asks what to sign and whoever carries it out both call this.
    """
    if not words:
        return words
    from ..privacy import sanitize

    return sanitize(words.encode("utf-8", "backslashreplace").decode("utf-8")).text
