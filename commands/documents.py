"""What ``--json`` prints: the keys of every command's document and what each means. They stay; further ones may come.

One table for three readers: the help texts name the keys, docs/commands.md explains them, a test compares them with
what comes out. An error has ``error`` (a sentence) and ``code`` (a word that stays) instead, whatever the command.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_MOVED = {
    "ok": "true",
    "experiment_id": "its number",
    "state": "its state now",
    "apply_commit_sha": "the commit it was applied in, null before",
    "revert_commit_sha": "the commit it was taken back in, null before",
    "serving": "sentences about processes that still serve the old file",
}
_FEEDBACK = {
    "ok": "true",
    "id": "the entry's number",
    "profile": "its profile",
    "session_id": "the first part of the conversation",
    "good": "true or false",
    "note": "why, or null",
    "actor": "who said so",
    "principal": "the same, as the machine knows them",
    "created_at": "when",
}
_PAUSED = {"ok": "true", "profile": "which one", "paused": "whether it is paused now"}
_SCENARIO = {
    "scenario_id": "its number",
    "split": "train or holdout",
    "not_run": "why no evaluation runs it, null when one does",
    "replaced": "a list of part, type and line: what became a placeholder",
}
_REVIEWERS = {
    "reviewers": "a list of name, public_key and since",
    "fingerprint": "of this set of reviewers; null without any",
}
_REVIEWERS_CHANGED = {
    **_REVIEWERS,
    "key_file": "the new key's file, null where none was made",
    "pinned": "the fingerprint that is pinned, null when none is",
    "pin_needed": "true: the new fingerprint is not the pinned one; run install-service",
}

DOCUMENTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "init": {
            "steps": "a list of kind, where, changed and note",
            "approval": "signed or unsigned",
            "reviewers": "their names",
        },
        "doctor": {
            "ok": "whether no finding is a problem",
            "waiting": "how many findings are notes: they wait for a person",
            "findings": "a list of code, severity (ok, note, problem), what and fix",
        },
        "install-service": {
            "path": "the unit's file",
            "changed": "whether it was written now",
            "commands": "what starts it",
            "pinned": "the reviewers' fingerprint that it holds, null without any",
        },
        "uninstall": {"removed": "a list of kind, where, removed and note", "kept": "the same, of what is still there"},
        "demo": {"ok": "absent when it went to its end; what was measured and decided instead"},
        "new": {"experiment_id": "its number", "state": "proposed"},
        "propose": {
            "skipped": "whether there was nothing to propose",
            "reason": "why nothing was proposed, null when something was",
            "outcome": "proposed, drafted (a dry run), refused or skipped; null while it waits or runs",
            "experiment_id": "the experiment, null without one",
            "job": "the job, null when it was skipped at once",
            "drafts": "a list of drafts: status, reason, flags, old_text, new_text, model, cost and more",
        },
        "status": {
            "approval": "signed or unsigned",
            "reviewers": "names, fingerprint, pinned and trouble (a sentence or null)",
            "auto_apply": "whether the daemon applies by itself",
            "daemon": "alive, heartbeat_at and pid",
            "jobs": "how many are queued and running",
            "profiles": "a list: profile, profile_root, state, paused, paused_by, in_flight, evaluation, "
            "latest_baseline_score, experiment_counts, scenario_counts, failures, last_error, retry_at",
            "external_changes": "what changes lists, of all these profiles",
        },
        "list": {"experiments": "a list of experiments", "next_before": "for --before, null on the last page"},
        "show": {
            "experiment": "an experiment",
            "proposal": "what the proposer said of it, its flags first of all; null when somebody else proposed it",
            "report": "its newest report, null before there is one",
            "approval": "on what grounds it was approved, null before",
            "transitions": "a list of steps",
        },
        "diff": {"experiment_id": "its number", "diff": "a unified diff, as git apply takes it"},
        "history": {"experiment_id": "its number", "transitions": "a list of steps"},
        "live": {
            "experiment_id": "its number",
            "state": "its state",
            "verdict": "undecided, verified, reverted or inconclusive",
            "badge": "what the verdict rests on, in a few words",
            "reason": "why, in a sentence",
            "counted": "sessions that count",
            "errors": "their errors",
            "asks": "whether a person has to decide",
            "contaminated": "why the window can prove nothing, null when it can",
            "ends_at": "when it ends at the latest",
            "decision": "the newest look's figures, null before",
            "looks": "one for each test: where it looks and its boundaries",
            "explanation": "badge, planned, evidence, left_out, serving, next: sentences",
            "plan": "what the window tests, on what baseline, for how long",
            "sessions": "one for each session: session_id, counted, outcome, errors, tokens, reason and more",
        },
        "approve": _MOVED,
        "reject": _MOVED,
        "apply": _MOVED,
        "verify": _MOVED,
        "revert": _MOVED,
        "decide": {
            "ok": "true",
            "experiment_id": "its number",
            "state": "verified or reverted",
            "revert_commit_sha": "the commit it was taken back in, null when it was kept",
        },
        "reviewer list": {
            **_REVIEWERS,
            "pinned": "the fingerprint that is pinned, null when none is",
            "trouble": "why nobody can sign, null when all is well",
        },
        "reviewer add": _REVIEWERS_CHANGED,
        "reviewer remove": _REVIEWERS_CHANGED,
        "reviewer rotate": _REVIEWERS_CHANGED,
        "reviewer reset": _REVIEWERS_CHANGED,
        "evaluate": {
            "job": "a job",
            "experiment": "the experiment (not with --queue)",
            "report": "its newest report, null without any (not with --queue)",
        },
        "good": _FEEDBACK,
        "bad": _FEEDBACK,
        "metrics": {
            "metrics": "a list of windows, newest first",
            "baselines": "for each profile what one session usually brings along",
        },
        "results": {"results": "a list of results; with --to-label only id, scenario, asked and answer"},
        "label": {
            "ok": "true",
            "id": "the label's number",
            "result_id": "the result's",
            "passed": "1 or 0",
            "note": "why, or null",
            "actor": "who said so",
            "principal": "the same, as the machine knows them",
            "created_at": "when",
        },
        "scenario list": {"scenarios": "a list of scenarios; held-out ones by name only while they are locked"},
        "scenario add": _SCENARIO,
        "scenario edit": _SCENARIO,
        "scenario remember": _SCENARIO,
        "scenario restore": {"ok": "true", "scenario_id": "its number"},
        "scenario import": {
            "profile": "whose they are",
            "added": "a list of numbers",
            "skipped": "a list of line, name and scenario_id, null for one that stands twice in the file",
            "replaced": "a list of part, type and line: what became a placeholder",
        },
        "scenario export": {
            "profile": "whose they are",
            "scenarios": "how many are in it",
            "left_out": "how many held-out ones are not",
            "path": "the file, null without --output",
            "text": "what would be in it, null with --output",
        },
        "scenario schema": {"properties": "what a scenario in a file has", "$defs": "the checks", "required": "a list"},
        "scenario templates": {
            "profile": "for which",
            "templates": "a list of name, input, checks and scenario_id, null for one that the profile does not have",
            "added": "the numbers of those that were added now",
        },
        "scenario lint": {
            "ok": "whether nothing is a problem",
            "profile": "whose they are",
            "looked_at": "how many scenarios",
            "locked": "how many held-out ones were not looked at",
            "findings": "a list of code, severity (note, problem), scenario_id, name, what and other_id",
        },
        "scenario show": {"scenario": "a scenario"},
        "scenario delete": {"ok": "true", "scenario_id": "its number"},
        "scenario holdout": {
            "profile": "whose",
            "version": "counted from 1",
            "since": "when it was drawn, null for the first",
            "scenarios": "how many are held out",
            "confirmations": "changes it was asked about",
            "planned": "changes it may be asked about",
            "reveals": "times a reviewer had it shown",
        },
        "scenario rotate": {
            "ok": "true",
            "profile": "whose",
            "version": "the new one",
            "released": "ids that are train now",
            "held_out": "ids that are held out now",
        },
        "scenario unlock": {"ok": "true", "profile": "whose held-out scenarios", "until": "when they are hidden again"},
        "pause": _PAUSED,
        "resume": _PAUSED,
        "changes": {"changes": "a list: event_id, profile, relpath, what, author, diff and more"},
        "acknowledge": {
            "ok": "true",
            "event_id": "the change's",
            "profile": "its profile",
            "relpath": "its file",
            "what": "what was agreed to",
        },
        "notify": {"targets": "a list: label, waiting, sent, last_error and more; with --test 'trials' instead"},
        "audit verify": {
            "ok": "whether nothing is broken",
            "checked": "transitions that were checked",
            "head": "the newest link of the chain",
            "breaks": "a list of transition_id and problem",
            "witnesses": "what named a link and was compared",
            "contents": "stored files, reports and plans whose hash was recomputed",
            "unread": "repositories that could not be asked",
            "notes": "what proves nothing and a person should know",
        },
        "jobs": {"jobs": "a list of jobs; with --cancel 'job' instead"},
        "daemon": {"ok": "whether it ended well", "exit_code": "with what"},
        "serve": {"ok": "true, once it was stopped"},
    }
)


def keys_of(command: str) -> tuple[str, ...]:
    """The keys of a command's document, in order; empty for one that is not in the table."""
    return tuple(DOCUMENTS.get(command, ()))
