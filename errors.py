"""Every failure this project reports: one class each, with a stable code and a sentence that says what to do next."""

from __future__ import annotations

from typing import ClassVar


class RatchetError(Exception):
    """Base of all our errors.

    ``message`` is one or two plain sentences for a person: what happened, and what to do. ``ids`` are the rows and
    names involved; faces show them beside the message.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **ids: object) -> None:
        super().__init__(message)
        self.message = message
        self.ids = ids


class BadInput(RatchetError):
    """What was asked for cannot be understood: fix the request."""

    code = "bad_input"


class NotFound(RatchetError):
    """The named thing does not exist."""

    code = "not_found"


class Forbidden(RatchetError):
    """Only a person with the right to do this may do it."""

    code = "forbidden"


class Conflict(RatchetError):
    """The request is fine but today's state refuses it."""

    code = "conflict"


class Unavailable(RatchetError):
    """Something we stand on (database, git, disk, host) does not work right now."""

    code = "unavailable"


class UnknownProfile(NotFound):
    code = "unknown_profile"


class UnknownExperiment(NotFound):
    code = "unknown_experiment"


class UnknownScenario(NotFound):
    code = "unknown_scenario"


class UnknownJob(NotFound):
    code = "unknown_job"


class SettingsInvalid(BadInput):
    code = "settings_invalid"


class PathRefused(BadInput):
    """The target is outside what a change may touch."""

    code = "path_refused"


class ChangeRefused(Conflict):
    """The proposed text is not one small change to the file as it is."""

    code = "change_refused"


class IllegalTransition(Conflict):
    code = "illegal_transition"


class ProfileInFlight(Conflict):
    """Another change of this profile is approved or live."""

    code = "profile_in_flight"


class ProfilePaused(Conflict):
    code = "profile_paused"


class ProfileBusy(Conflict):
    """Another process is changing this profile at this moment."""

    code = "profile_busy"


class NotEvaluated(Conflict):
    code = "not_evaluated"


class GateNotPassed(Conflict):
    """The change was measured, and the offline gate did not let it pass."""

    code = "gate_not_passed"


class ApprovalVoid(Conflict):
    """Something the approval was bound to has changed."""

    code = "approval_void"


class ApprovalRefused(Forbidden):
    code = "approval_refused"


class FileDrifted(Conflict):
    """The file is not the version this step starts from: a person or the agent edited it."""

    code = "file_drifted"


class NobodyWatching(Conflict):
    """No daemon has been heard of, so nobody would take a bad change back."""

    code = "nobody_watching"


class NoEvidence(Conflict):
    """The live window has not shown what this step needs."""

    code = "no_evidence"


class GitRefused(Conflict):
    """The repository is in a state in which we do not commit."""

    code = "git_refused"


class GitUnavailable(Unavailable):
    code = "git_unavailable"


class DiskFailed(Unavailable):
    """Writing failed; the file on disk is what it was before."""

    code = "disk_failed"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"


class StoreTooNew(StoreUnavailable):
    code = "store_too_new"


class StoreBehind(StoreUnavailable):
    """The schema is older than the code, or the file lost transactions it once had."""

    code = "store_behind"


class StoreCorrupt(StoreUnavailable):
    code = "store_corrupt"


class StoreReadOnly(StoreUnavailable):
    code = "store_read_only"


class StoreFull(StoreUnavailable):
    code = "store_full"


class ModelUnavailable(Unavailable):
    code = "model_unavailable"


class PortTaken(Unavailable):
    """Another program listens where ours was to."""

    code = "port_taken"
