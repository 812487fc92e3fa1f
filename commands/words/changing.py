"""The words of the loop: propose a change, measure it, decide on it, apply it, keep it or take it back."""

from __future__ import annotations

from . import values
from .grammar import Commands

_SIGNED = "3  refused: not possible today, or not rightly signed"


def add(commands: Commands) -> None:
    """The loop in its order."""
    commands.group("the loop, in its order")
    _new(commands)
    _propose(commands)
    _evaluate(commands)
    values.identified(commands.add("show", "everything a reviewer decides from", "show 3", handler="changes.show"))
    _approve(commands)
    _apply(commands)
    _live(commands)
    _decide(commands)
    _ends(commands)


def _new(commands: Commands) -> None:
    new = commands.add(
        "new",
        "propose one small change to one file",
        'new --replace "Be brief." "Be very brief." --why "answers ran long"',
        "new --target coder --file skills/review/SKILL.md --from new.md",
        "new --diff - < change.patch",
        handler="changes.new",
        exits=("3  refused: not one small change, or not to this file",),
    )
    values.its_target(new, "the profile to change")
    new.add_argument(
        "--file",
        type=values.line,
        default="SOUL.md",
        metavar="RELPATH",
        help="the file in that profile (default: SOUL.md)",
    )
    how = new.add_mutually_exclusive_group(required=True)
    how.add_argument(
        "--from", "--content", dest="content", metavar="PATH", help="the whole new text; '-' reads standard input"
    )
    how.add_argument("--diff", metavar="PATH", help="a unified diff of one hunk; '-' reads standard input")
    how.add_argument("--replace", nargs=2, metavar=("OLD", "NEW"), help="replace the one place where OLD stands")
    new.add_argument("--why", default="", metavar="TEXT", help="what it should improve")


def _propose(commands: Commands) -> None:
    propose = commands.add(
        "propose",
        "let a model propose a change that answers observed failures",
        "propose",
        "propose --target coder --file skills/review/SKILL.md --dry-run",
        handler="proposing.propose",
        exits=("0  proposed", "3  every draft was refused", "4  skipped, and the reason is said"),
    )
    values.its_target(propose, "the profile to change")
    propose.add_argument(
        "--file", type=values.line, default="SOUL.md", metavar="RELPATH", help="the file in it (default: SOUL.md)"
    )
    propose.add_argument("--dry-run", action="store_true", help="draft and check, but propose nothing")
    propose.add_argument("--queue", action="store_true", help="leave it to the daemon instead of waiting here")


def _evaluate(commands: Commands) -> None:
    evaluate = commands.add(
        "evaluate",
        "run a proposal and its baseline on the scenarios",
        "evaluate 3",
        "evaluate 3 --queue",
        handler="measuring.evaluate",
        exits=(
            "0  it passed the gate",
            "1  it failed; a job that was put back runs again",
            "3  measured, and the gate does not let it pass",
            "4  underpowered, or no verdict",
        ),
    )
    values.identified(evaluate)
    evaluate.add_argument("--queue", action="store_true", help="leave it to the daemon instead of waiting here")


def _approve(commands: Commands) -> None:
    approve = commands.add(
        "approve",
        "let a measured change go live",
        "approve 3",
        'approve 3 --override "a typo, nothing to measure" --as ana',
        handler="changes.approve",
        exits=(_SIGNED,),
    )
    values.identified(approve)
    approve.add_argument("--override", metavar="REASON", help="approve without a finished evaluation, and say why")
    values.signing(approve)
    reject = commands.add(
        "reject",
        "refuse a proposal, or withdraw an approval",
        'reject 3 --reason "too vague"',
        handler="changes.reject",
        exits=("3  refused: it is live or decided already",),
    )
    values.identified(reject)
    reject.add_argument("--reason", default="", metavar="TEXT", help="why")


def _apply(commands: Commands) -> None:
    apply = commands.add(
        "apply",
        "put an approved change into its file",
        "apply 3",
        'apply 3 --force --reason "my edit of today is in it"',
        handler="changes.apply",
        exits=("3  refused: file edited, nobody watching, profile paused ...",),
    )
    values.identified(apply)
    apply.add_argument("--unwatched", action="store_true", help="even though no daemon watches (this is recorded)")
    apply.add_argument("--force", action="store_true", help="over what was edited since; signed, and needs --reason")
    apply.add_argument("--reason", default="", metavar="TEXT", help="why to force it")
    values.signing(apply)


def _live(commands: Commands) -> None:
    live = commands.add(
        "live",
        "where the live window of an experiment stands",
        "live 3",
        "live 3 --watch",
        handler="measuring.live",
        exits=("4  the window ended as inconclusive: a person decides",),
    )
    values.identified(live)
    values.watched(live)


def _decide(commands: Commands) -> None:
    decide = commands.add(
        "decide",
        "decide a live change whose window was inconclusive",
        'decide 3 keep --reason "reads better, and nothing got worse"',
        handler="measuring.decide",
        exits=(_SIGNED,),
    )
    values.identified(decide)
    decide.add_argument("decision", choices=("keep", "revert"), help="keep it, accepted by you; or take it back")
    decide.add_argument("--reason", required=True, metavar="TEXT", help="why")
    values.signing(decide)


def _ends(commands: Commands) -> None:
    verify = commands.add(
        "verify",
        "keep a live change, if its window allows it",
        "verify 3",
        handler="changes.verify",
        exits=("3  refused: the window has not shown it",),
    )
    values.identified(verify)
    revert = commands.add(
        "revert",
        "take a live or verified change back",
        'revert 3 --reason "too curt"',
        handler="changes.revert",
        exits=(_SIGNED,),
    )
    values.identified(revert)
    revert.add_argument("--reason", default="", metavar="TEXT", help="why; needed for what is signed")
    revert.add_argument("--force", action="store_true", help="over what was edited since; signed, and needs --reason")
    values.signing(revert)
