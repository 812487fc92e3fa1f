"""Holds a reply of the model against everything a draft has to meet, before anything of it is stored or measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from ..errors import ChangeRefused
from ..privacy import sanitize
from ..ratchet import experiments
from ..ratchet.atomic_change import describe
from ..settings import ChangeLimits
from . import tried
from .failures import Failure
from .material import Material
from .reply import Refused, Reply, read
from .suspicions import Drafted, Suspicion, suspicions


@dataclass(frozen=True)
class Examined:
    """What became of one reply. Without a ``refusal``, ``candidate`` is the new file.

    ``reply`` is what is stored of it, with secrets and personal data replaced; None when it could not be read.
    """

    refusal: str | None
    reply: Reply | None = None
    suspicions: tuple[Suspicion, ...] = ()
    candidate: bytes | None = None
    change_sha256: str | None = None
    answers: tuple[Failure, ...] = ()

    @property
    def candidate_sha256(self) -> str | None:
        return None if self.candidate is None else hashlib.sha256(self.candidate).hexdigest()

    @property
    def rationale(self) -> str:
        """What the experiment says of itself, wherever it is shown: its flags first."""
        if self.reply is None:
            return ""
        flags = [f"FLAGGED: {'; '.join(map(str, self.suspicions))}"] if self.suspicions else []
        effect = f"Expected: {self.reply.expected_effect}"
        answers = f"Answers: {', '.join(one.name for one in self.answers)}"
        return "\n".join([*flags, self.reply.hypothesis, effect, answers])


def examine(text: str, nonce: str, material: Material, limits: ChangeLimits) -> Examined:
    """A reply, held against the material it was made from. Never raises; whatever does not stand says why."""
    try:
        reply = read(text, nonce)
    except Refused as refused:
        return Examined(str(refused))
    found = tuple(suspicions(_drafted(reply, material)))
    examined = Examined(None, _cleaned(reply), found)
    try:
        answers = _answers(reply, material)
        candidate = experiments.replaced_text(material.base, reply.old_text, reply.new_text)
        key = tried.key_of(describe(material.relpath, material.base, candidate, limits))
    except (Refused, ChangeRefused) as refused:
        return replace(examined, refusal=_first_of(found) or str(refused))
    stands = replace(examined, candidate=candidate, change_sha256=key, answers=answers)
    return replace(stands, refusal=_first_of(found) or _repetition(stands, material))


def _drafted(reply: Reply, material: Material) -> Drafted:
    return Drafted(
        material.text, reply.old_text, reply.new_text, reply.hypothesis, reply.expected_effect, material.observed
    )


def _cleaned(reply: Reply) -> Reply:
    shown = ("old_text", "new_text", "hypothesis", "expected_effect")
    return reply.model_copy(update={name: sanitize(getattr(reply, name)).text for name in shown})


def _answers(reply: Reply, material: Material) -> tuple[Failure, ...]:
    known = {one.name: one for one in material.failures}
    if unknown := [name for name in reply.answers if name not in known]:
        raise Refused(f"{len(unknown)} of the failures it says it answers are none of those that were given")
    return tuple(known[name] for name in dict.fromkeys(reply.answers))


def _repetition(examined: Examined, material: Material) -> str | None:
    repeated = material.past.repeats(examined.change_sha256 or "", examined.candidate_sha256 or "")
    return f"the change repeats {repeated}" if repeated else None


def _first_of(found: tuple[Suspicion, ...]) -> str | None:
    """Several at once, so that the next draft can do without all of them."""
    refused = [str(one) for one in found if one.refused]
    return f"it holds what no proposal may hold: {'; '.join(refused)}" if refused else None
