"""The command to go on with, for errors whose sentence names none."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .. import errors
from ..errors import RatchetError
from ..reviewing.refusals import WrongPassphrase

_OURS = "hermes ratchet"
_NEXT: Mapping[type[RatchetError], str] = MappingProxyType(
    {
        errors.UnknownExperiment: "All there are: hermes ratchet list",
        errors.UnknownScenario: "All there are: hermes ratchet scenario list",
        errors.UnknownJob: "All there are: hermes ratchet jobs",
        errors.IllegalTransition: "Where it stands: hermes ratchet show {experiment_id}",
        errors.ProfilePaused: "To go on: hermes ratchet resume PROFILE",
        errors.ProfileInFlight: "Where it stands: hermes ratchet status",
        errors.NotEvaluated: "First: hermes ratchet evaluate {experiment_id}",
        errors.FileDrifted: "What changed: hermes ratchet changes --diff",
        errors.NobodyWatching: "Start one: hermes ratchet daemon",
        errors.NoEvidence: "How its window stands: hermes ratchet live {experiment_id}",
        errors.SettingsInvalid: "When it is put right: hermes ratchet doctor",
        errors.GitRefused: "When it is put right: hermes ratchet doctor",
        WrongPassphrase: "Run the command again; when the passphrase is lost: hermes ratchet reviewer reset NAME",
        errors.Unavailable: "What is wrong: hermes ratchet doctor",
    }
)


def with_next_command(error: RatchetError) -> str:
    """The error's sentence, and where it names no command of ours, the one that helps on."""
    hint = next((_NEXT[kind] for kind in type(error).__mro__ if kind in _NEXT), None)
    if hint is None or _OURS in error.message:
        return error.message
    return f"{error.message} {hint.format_map(_Ids(error.ids))}"


class _Ids(dict[str, object]):
    """The ids of an error; one that it does not carry shows as what stands for it in the help."""

    def __missing__(self, name: str) -> str:
        return "ID"
