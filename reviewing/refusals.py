"""Why a signature, a key or a set of reviewers is not accepted: one class for each reason that a face tells apart."""

from __future__ import annotations

from ..errors import BadInput, Conflict, Forbidden


class PayloadRefused(BadInput):
    """What was to be signed, or was signed, is not a payload of ours, byte for byte."""

    code = "payload_refused"


class PassphraseRefused(BadInput):
    """The passphrase is too weak for a key, or cannot be asked for here."""

    code = "passphrase_refused"


class KeyUnusable(Forbidden):
    """The key file is not as we made it, others can read it, or it is not there."""

    code = "key_unusable"


class WrongPassphrase(Forbidden):
    code = "wrong_passphrase"


class SignatureRefused(Forbidden):
    """There is no signature, or it does not say that this may happen now."""

    code = "signature_refused"


class NoReviewer(Forbidden):
    """Nobody was set up who could sign."""

    code = "no_reviewer"


class ReviewersTampered(Forbidden):
    """The log of reviewer changes holds something that no reviewer signed."""

    code = "reviewers_tampered"


class ReviewersChanged(Forbidden):
    """The reviewers are not those that were pinned outside of the database."""

    code = "reviewers_changed"


class TooManyAttempts(Conflict):
    """Signatures or passphrases failed so often that the next try has to wait."""

    code = "too_many_attempts"
