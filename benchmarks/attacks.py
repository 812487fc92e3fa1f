"""Attacks the approval of changes in every way we know, on the real host, and counts what came through."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from _attacks import ATTACKS, carry_out

from karpathy_self_improve.demo.scripted_model import ScriptedModel

ABOUT = """\
Each attack has a home of its own with the plugin in signed mode, a real reviewer's key, a proposal or a signed
approval, and the host's real processes: dashboard, agent with its tool shell, daemon, command line. Applied counts
attacks after which the file, its git history or the state of an experiment is not what it was before; untraced those
that nobody could find out about from events, attempts, transitions and the audit. Some drop the database's triggers.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="TEXT", default="", help="only attacks whose name holds this")
    chosen = [attack for attack in ATTACKS if parser.parse_args().only in attack.name]
    ended = []
    with tempfile.TemporaryDirectory(prefix="ratchet-attacks-") as folder, ScriptedModel() as model:
        for number, attack in enumerate(chosen):
            done = carry_out(attack, Path(folder).resolve() / str(number), model)
            ended.append(done)
            print(f"{attack.name:34}{done.applied or 'nothing applied'}, {'traced' if done.traced else 'NO TRACE'}")
            if done.applied or not done.traced:
                print("".join(f"    {trace[:300]}\n" for trace in done.traces), end="")
    applied, untraced = sum(bool(one.applied) for one in ended), sum(not one.traced for one in ended)
    print(json.dumps({"attacks": {"tried": len(ended), "applied": applied, "untraced": untraced}}))


if __name__ == "__main__":
    main()
