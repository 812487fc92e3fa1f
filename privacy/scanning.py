"""One scan: the fast pass over the bytes, the exact rules where it points, and then whatever the text hides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import hiding, runs
from .findings import Span, merged
from .matching import TriggerSet
from .rules import Rule

# JSON in base64 in JSON in base64: whoever nests deeper hides on purpose, and each level costs a scan.
DEEPEST = 4


class Scanner:
    """The compiled rules. Rules that come first name what several of them find."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = [(rank, rule) for rank, rule in enumerate(rules) for _ in rule.triggers]
        self.last = len(rules)
        triggers = [trigger for rule in rules for trigger in rule.triggers]
        self._set = TriggerSet([*triggers, hiding.ESCAPE])

    def spans(self, data: bytes, depth: int = 0) -> list[Span]:
        """What the rules find in ``data``, in order and without overlaps."""
        one = _Pass(self, data)
        self._set.scan(data, one.hit)
        one.look_at_runs()
        found = one.found
        if depth < DEEPEST:
            found.extend(self._in_base64(one, depth + 1))
            found.extend(self._behind_escapes(one, depth + 1))
            found.extend(self._as_seen(data, depth + 1))
        return merged(found)

    def _in_base64(self, one: _Pass, depth: int) -> Iterator[Span]:
        for start, end in one.hidden:
            content = hiding.from_base64(one.data[start:end])
            inside = self.spans(content, depth) if content else []
            if inside:
                best = min(inside, key=lambda span: span.rank)
                yield Span(start, end, best.rank, best.type)

    def _behind_escapes(self, one: _Pass, depth: int) -> Iterator[Span]:
        for start, end in hiding.windows(one.escapes, len(one.data)):
            window = hiding.unescaped(one.data, start, end)
            yield from window.back(self.spans(window.data, depth))

    def _as_seen(self, data: bytes, depth: int) -> Iterator[Span]:
        shown = hiding.seen(data)
        if shown:
            yield from shown.back(self.spans(shown.data, depth))


class _Pass:
    """What one pass over ``data`` brings to light: finds, runs that may be base64, and where escapes stand."""

    def __init__(self, scanner: Scanner, data: bytes) -> None:
        self.data = data
        self.found: list[Span] = []
        self.hidden: list[tuple[int, int]] = []
        self.escapes: list[int] = []
        self._rules = scanner.rules
        self._last = scanner.last
        # Up to where each rule has found something: it never looks there again.
        self._seen = [0] * len(scanner.rules)

    def hit(self, trigger: int, start: int) -> None:
        if trigger == len(self._rules):
            self.escapes.append(start)
        elif start >= self._seen[trigger]:
            rank, rule = self._rules[trigger]
            match = rule.match(self.data, start)
            if match:
                self.found.append(Span(*match.span("secret"), rank, rule.type))
                self._seen[trigger] = match.end()

    def look_at_runs(self) -> None:
        seen = 0
        for start, end in runs.long_runs(self.data):
            if start < seen:
                continue
            secret = runs.secret_at(self.data, start, end)
            if secret:
                kind, seen = secret
                self.found.append(Span(start, seen, self._last, kind))
                continue
            self.hidden.extend(hiding.stretches(self.data, start, end))
            seen = self.hidden[-1][1] if self.hidden else seen
