"""Measures the search for secrets: what it finds, what it takes for one, how fast it is; detect-secrets beside it."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable

from _planted import TYPES, Planted, ordinary, planted

from karpathy_self_improve.privacy import Identity, sanitize, scan

ABOUT = """\
Recall: secrets of every type are rolled at run time and put into prose, code, JSON up to three deep, JSON that spells
its signs as code points, and base64, one in each text. One counts as found when the scan reports something and eight
characters of it in a row are nowhere left in the sanitized text.

False positives: everything reported in ordinary prose and code, the standard library's sources and the documents and
sources of what is installed here. Some of it is a password in an example; all of it counts. E-mail addresses and home
folders are no secrets and are counted apart.

Speed: megabytes of the same texts, as UTF-8, per second of processor time on one core, the best of some rounds; texts
are joined to about a quarter of a megabyte each, as long as a long session. detect-secrets sees the same in the same
process, with its token plugins (those that look for entropy and key words flag ordinary text too often to be compared;
--all-plugins takes them in). A share of the text is enough for it: its speed does not depend on how much there is.
"""
ENTROPY_AND_WORDS = {"Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector"}
NOBODY = Identity()

Finder = Callable[[str], int]


def detect_secrets(all_plugins: bool) -> Finder:
    """How many secrets detect-secrets sees in a text, line by line as it reads files."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    kinds = get_mapping_from_secret_type_to_class().values()
    plugins = [kind() for kind in kinds if all_plugins or kind.__name__ not in ENTROPY_AND_WORDS]

    def find(text: str) -> int:
        lines = enumerate(text.splitlines(), 1)
        return sum(len(plugin.analyze_line("text", line, number)) for number, line in lines for plugin in plugins)

    return find


def removed(case: Planted) -> bool:
    return bool(scan(case.text)) and not case.left_in(sanitize(case.text, NOBODY).text)


def recall(cases: list[Planted], found: Callable[[Planted], bool]) -> tuple[float, Counter[str]]:
    missed = Counter(f"{case.type}, {case.surroundings}" for case in cases if not found(case))
    return 1 - missed.total() / len(cases), missed


def joined(texts: Iterable[str], size: int = 1 << 18) -> list[str]:
    parts, whole, length = [], [], 0
    for text in texts:
        parts.append(text)
        length += len(text)
        if length >= size:
            whole.append("\n".join(parts))
            parts, length = [], 0
    return [*whole, "\n".join(parts)] if parts else whole


def megabytes(texts: list[str]) -> float:
    return sum(len(text.encode("utf-8", "replace")) for text in texts) / 1e6


def speed(texts: list[str], find: Callable[[str], object], rounds: int) -> float:
    """Megabytes per second of processor time, the best of ``rounds``."""
    size, best = megabytes(texts), 0.0
    for _ in range(rounds):
        started = time.process_time()
        for text in texts:
            find(text)
        best = max(best, size / (time.process_time() - started))
    return best


def measure(options: argparse.Namespace) -> dict[str, float | int]:
    peer = detect_secrets(options.all_plugins)
    cases = list(planted(options.seed, options.rolls))
    ours, missed = recall(cases, removed)
    theirs, _ = recall(cases, lambda case: peer(case.text) > 0)
    print(f"{len(cases)} texts with a secret: {ours:.2%} found and removed, detect-secrets finds {theirs:.2%}")
    for where, count in missed.most_common():
        print(f"  missed {count} x {where}")

    texts = joined(ordinary(options.mb))
    size = megabytes(texts)
    false = Counter(finding.type for text in texts for finding in scan(text))
    people = Counter(f.type for text in texts[:32] for f in sanitize(text, NOBODY).findings)
    print(f"{size:.0f} MB of ordinary text: {dict(false)}; with personal data, in its first 8 MB: {dict(people)}")

    return {
        "recall": round(ours, 4),
        "false_positives_per_mb": round(false.total() / size, 2),
        "mb_per_s": round(speed(texts, scan, options.rounds)),
        "sanitize_mb_per_s": round(speed(texts, lambda text: sanitize(text, NOBODY), options.rounds)),
        "detect_secrets_recall": round(theirs, 4),
        "detect_secrets_mb_per_s": round(speed(texts[:4], peer, 1), 2),
        "types": len(TYPES),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog=ABOUT, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mb", type=float, default=60, help="megabytes of ordinary text (default 60)")
    parser.add_argument("--rolls", type=int, default=5, help="secrets of each type in each surroundings (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the speed test (default 3)")
    parser.add_argument("--seed", type=int, default=1, help="of the rolled secrets (default 1)")
    parser.add_argument("--all-plugins", action="store_true", help="give detect-secrets all its plugins")
    options = parser.parse_args()
    print(ABOUT)
    print(json.dumps({"secret_scan": measure(options)}))


if __name__ == "__main__":
    main()
