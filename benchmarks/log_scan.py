"""Measures reading a large agent.log for warnings and errors, and plain iteration over its lines beside it."""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from karpathy_self_improve.observation.log_records import Levels
from karpathy_self_improve.observation.log_scan import scan

ABOUT = """\
The log is made of conversations as the host writes them: plugins and tools at the start, several turns with their calls
of model and tools, and now and then a tool that fails, a call tried again, or an error with its traceback. A block of
them is repeated until the file is large enough. It is written just before, so both sides read it from memory.

The peer does nothing but "for line in file" on the file opened in binary mode, with Python's own buffer; it looks at no
line. Rounds alternate, each side shows its best. Speed is per second of processor time, spent in the system included,
so that other work on the machine does not blur it. Memory is the growth of the peak of a process that only scans.
"""
BLOCK = 8 << 20
TIME = "2026-11-20 {:02}:{:02}:{:02},{:03} "
ENDPOINT = "provider=custom base_url=http://127.0.0.1:18080/v1 model=some-model"
START = [
    *[f"INFO hermes_cli.plugins: Plugin 'number-{n}' registered web provider: some-{n}" for n in range(24)],
    "INFO hermes_cli.plugins: Plugin discovery complete: 54 found, 46 enabled",
    *[
        f"WARNING tools.registry: check_fn check_{name}_requirements returned False; "
        "dependent tools will be unavailable this turn"
        for name in ("browser_cdp", "browser_dialog", "close_terminal", "computer_use", "image_generation", "kanban")
    ],
]
CALL = [
    f"INFO run_agent: OpenAI client created (chat_completion_stream_request, shared=False) thread=Thread-5 {ENDPOINT}",
    f"INFO run_agent: OpenAI client closed (stream_request_complete, shared=False) thread=Thread-5 {ENDPOINT}",
    f"INFO{{tag}} agent.conversation_loop: API call #1: {ENDPOINT} in=15346 out=54 total=15400 latency=2.3s",
    "INFO{tag} tools.terminal_tool: Cleaned 1 environments",
]
TURN = [
    f"INFO{{tag}} agent.turn_context: conversation turn: session={{id}} {ENDPOINT} history=0 msg='a question'",
    *CALL,
    *CALL,
    f"INFO{{tag}} agent.conversation_loop: Turn ended: reason=text_response(finish_reason=stop) {ENDPOINT} api_calls=2",
]
TOOL_FAILED = (
    'WARNING{tag} agent.tool_executor: Tool read_file returned error (0.04s): {{"error": "File not found: x"}}'
)
TRIED_AGAIN = [
    f"WARNING{{tag}} agent.conversation_loop: API call failed (attempt 1/3) error_type=InternalServerError {ENDPOINT}",
    f"WARNING{{tag}} agent.conversation_loop: Retrying API call in 2.25s (attempt 1/3) {ENDPOINT}",
]
FAILED = f"ERROR{{tag}} agent.conversation_loop: API call failed after 3 retries. Connection error. | {ENDPOINT}"
TRACEBACK = [
    "Traceback (most recent call last):",
    *['  File "/some/where/agent/conversation_loop.py", line 1234, in run', "    return self.call(request)"] * 6,
    "ConnectionError: the endpoint closed the connection",
]


def conversation(dice: random.Random) -> Iterator[str]:
    """The lines of one conversation, without their times; a tab marks those that have none."""
    yield from START
    for _ in range(dice.randrange(1, 10)):
        yield from TURN
        if dice.random() < 0.3:
            yield TOOL_FAILED
        if dice.random() < 0.05:
            yield from TRIED_AGAIN
        if dice.random() < 0.02:
            yield FAILED
            yield from (f"\t{line}" for line in TRACEBACK)


def block() -> tuple[bytes, Levels]:
    """About 8 MB of conversations, and what counts in them."""
    dice, lines, size, moment = random.Random(1), [], 0, 0
    warnings = errors = 0
    while size < BLOCK:
        session = f"20261120_{dice.randrange(10**6):06}_{dice.randrange(16**6):06x}"
        for line in conversation(dice):
            moment += dice.randrange(400)
            seconds, milliseconds = divmod(moment, 1000)
            stamp = TIME.format(seconds // 3600 % 24, seconds // 60 % 60, seconds % 60, milliseconds)
            whole = line[1:] if line.startswith("\t") else stamp + line.format(tag=f" [{session}]", id=session)
            warnings += line.startswith("WARNING{tag}")
            errors += line.startswith("ERROR")
            lines.append(whole)
            size += len(whole) + 1
    return ("\n".join(lines) + "\n").encode(), Levels(warnings, errors)


def iterate(log: Path) -> None:
    with log.open("rb") as file:
        for _ in file:
            pass


def megabytes_per_second(work: Callable[[], object], size: int) -> float:
    started = time.process_time()
    work()
    return size / 1e6 / (time.process_time() - started)


def peak_bytes() -> int:
    """Of this process alone: what Linux reports as ru_maxrss begins with the peak of the parent."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def growth_of_this_process(folder: Path) -> int:
    scan(folder / "nothing")
    before = peak_bytes()
    scan(folder)
    return peak_bytes() - before


def growth_of_another_process(folder: Path) -> int:
    command = [sys.executable, __file__, "--grow", str(folder)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(folder: Path, megabytes: int, rounds: int) -> dict[str, float]:
    """The figures. Raises SystemExit when the scan does not find what was written."""
    log = folder / "agent.log"
    content, levels = block()
    copies = math.ceil(megabytes * 1e6 / len(content))
    expected = Levels(levels.warnings * copies, levels.errors * copies)
    with log.open("wb") as file:
        for _ in range(copies):
            file.write(content)
    size = log.stat().st_size
    lines = content.count(b"\n") * copies
    print(f"{size / 1e6:.0f} MB, {lines} lines, {expected.warnings} warnings, {expected.errors} errors")
    found = scan(folder)
    if found.counts is None or found.counts.total != expected:
        raise SystemExit(f"The scan found {found.counts and found.counts.total}.")
    ours, peer = [], []
    for number in range(rounds):
        ours.append(megabytes_per_second(lambda: scan(folder), size))
        peer.append(megabytes_per_second(lambda: iterate(log), size))
        print(f"round {number + 1}: scan {ours[-1]:.0f} MB/s, lines {peer[-1]:.0f} MB/s", flush=True)
    return {
        "mb_per_s": round(max(ours)),
        "line_iteration_mb_per_s": round(max(peer)),
        "rss_growth_mb": round(growth_of_another_process(folder) / 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog=ABOUT, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mb", type=int, default=500, help="size of the log in megabytes (default 500)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of both sides (default 5)")
    parser.add_argument("--grow", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.grow:
        print(growth_of_this_process(options.grow))
        return
    print(ABOUT)
    with tempfile.TemporaryDirectory(prefix="log-scan-") as folder:
        print(json.dumps({"log_scan": measure(Path(folder), options.mb, options.rounds)}))


if __name__ == "__main__":
    main()
