"""A version counts as met only when the session's own traces prove it; anything doubtful proves nothing.

The prompts here are built by hand to reach every rule; tests/host/test_agent_runs.py shows that the host's look so.
"""

from __future__ import annotations

import json

import pytest

from karpathy_self_improve.evaluation.running.exposure import Arm, Evidence, arm_met, index_changes

BASE = b"# Soul\n\nYou are helpful.\n\nBe brief.\n"
CANDIDATE = b"# Soul\n\nYou are helpful.\n\nBe brief and kind.\n"
IDENTITY = "You are the default agent."
REST = "You run on an agent.\n\n# More\n\nEnd."


def soul_met(shown: bytes | str, base: bytes | None = BASE, candidate: bytes | None = CANDIDATE) -> Arm | None:
    text = shown.decode() if isinstance(shown, bytes) else shown
    prompt = f"{text.strip()}\n\n{REST}"
    return arm_met("SOUL.md", base, candidate, Evidence(prompt, default_identity=IDENTITY))


def test_soul_is_recognised_both_ways() -> None:
    assert soul_met(BASE) is Arm.BASELINE
    assert soul_met(CANDIDATE) is Arm.CANDIDATE


def test_identical_versions_prove_nothing() -> None:
    assert soul_met(BASE, BASE, BASE) is None
    assert soul_met(BASE, BASE, BASE.rstrip() + b"\r\n\n") is None
    assert arm_met("SOUL.md", None, None, Evidence(IDENTITY, default_identity=IDENTITY)) is None


@pytest.mark.parametrize(("longer", "shorter"), [(Arm.CANDIDATE, Arm.BASELINE), (Arm.BASELINE, Arm.CANDIDATE)])
def test_an_added_and_a_removed_last_paragraph_are_recognised(longer: Arm, shorter: Arm) -> None:
    more = BASE + b"\nAlways smile.\n"
    pair = {Arm.BASELINE: (more, BASE), Arm.CANDIDATE: (BASE, more)}[longer]
    assert soul_met(more, *pair) is longer
    assert soul_met(BASE, *pair) is shorter


def test_line_ends_byte_order_mark_and_spaces_are_seen_as_the_host_sees_them() -> None:
    candidate = b"\xef\xbb\xbf" + CANDIDATE.replace(b"\n", b"\r\n") + b"\r\n  "
    assert soul_met(CANDIDATE, BASE, candidate) is Arm.CANDIDATE


def test_an_absent_empty_or_undecodable_soul_is_the_default_identity() -> None:
    for nothing in (None, b"", b" \n", b"\xff\xfe"):
        assert soul_met(IDENTITY, nothing, CANDIDATE) is Arm.BASELINE
        assert soul_met(CANDIDATE, nothing, CANDIDATE) is Arm.CANDIDATE
    assert arm_met("SOUL.md", None, CANDIDATE, Evidence(f"{IDENTITY}\n\n{REST}")) is None


def test_another_text_or_a_blocked_one_proves_nothing() -> None:
    assert soul_met(CANDIDATE.replace(b"helpful", b"useful")) is None
    assert soul_met("[BLOCKED: SOUL.md contained potential prompt injection (x). Content not loaded.]") is None
    assert arm_met("SOUL.md", BASE, CANDIDATE, Evidence(REST + CANDIDATE.decode())) is None
    assert arm_met("SOUL.md", BASE, CANDIDATE, Evidence("")) is None


def cut(text: str, head: int = 700, tail: int = 200) -> str:
    note = f"kept {head}+{tail} of {len(text)} chars. The middle is omitted - read the complete file: /x/SOUL.md"
    return f"{text[:head]}\n\n[...truncated SOUL.md: {note}]\n\n{text[-tail:]}"


@pytest.mark.parametrize(("place", "met"), [(100, True), (800, False), (1_900, True)])
def test_in_a_truncated_soul_the_change_must_be_in_the_part_that_was_kept(place: int, met: bool) -> None:
    lines = [f"line {n:04}" for n in range(200)]
    changed = list(lines)
    changed[place // 10] = "LINE  ab"
    base, candidate = "\n".join(lines), "\n".join(changed)
    for arm, text in ((Arm.BASELINE, base), (Arm.CANDIDATE, candidate)):
        assert soul_met(cut(text), base.encode(), candidate.encode()) is (arm if met else None)


# --- memory


def memory_prompt(*entries: str, name: str = "MEMORY (your personal notes)") -> str:
    content = "\n§\n".join(entries)
    bar = "═" * 46
    return (
        f"# Soul\n\n{bar}\n{name} [3% — {len(content):,}/2,200 chars]\n{bar}\n{content}\n\nConversation started: today"
    )


def memory_met(prompt: str, base: str | None, candidate: str | None, offered: bool | None = None) -> Arm | None:
    versions = [None if text is None else text.encode() for text in (base, candidate)]
    return arm_met("memories/MEMORY.md", *versions, Evidence(prompt, memory_offered=offered))


def test_a_changed_entry_is_recognised_beside_entries_the_agent_added() -> None:
    base, candidate = "Oslo.\n§\nTea.", "Oslo.\n§\nCoffee."
    assert memory_met(memory_prompt("Oslo.", "Tea.", "New one."), base, candidate) is Arm.BASELINE
    assert memory_met(memory_prompt("Coffee.", "New one."), base, candidate) is Arm.CANDIDATE
    assert memory_met(memory_prompt("Tea.", "Coffee."), base, candidate) is None
    assert memory_met(memory_prompt("Oslo."), base, candidate) is None


def test_a_missing_entry_proves_something_only_without_unknown_ones() -> None:
    base, candidate = "Oslo.", "Oslo.\n§\nCoffee."
    assert memory_met(memory_prompt("Oslo.", "Coffee.", "New."), base, candidate) is Arm.CANDIDATE
    assert memory_met(memory_prompt("Oslo."), base, candidate) is Arm.BASELINE
    assert memory_met(memory_prompt("Oslo.", "[BLOCKED: MEMORY.md entry contained x]"), base, candidate) is None
    assert memory_met(memory_prompt("Oslo.", "Strong coffee."), base, candidate) is None


def test_no_memory_block_means_something_only_when_there_was_memory() -> None:
    for offered, expected in ((True, Arm.BASELINE), (False, None), (None, None)):
        assert memory_met("# Soul", None, "Coffee.", offered) is expected


def test_text_outside_the_block_of_this_file_is_no_evidence() -> None:
    base, candidate = "Tea.", "Coffee."
    assert memory_met(memory_prompt("Coffee.", name="USER PROFILE (who the user is)"), base, candidate) is None
    assert memory_met(memory_prompt("Tea.") + "\n§\nCoffee.", base, candidate) is Arm.BASELINE
    assert memory_met(memory_prompt("Coffee.") + memory_prompt("Tea."), base, candidate) is Arm.BASELINE


# --- skills


def skill(description: str = "Writes minutes.", body: str = "Be short.", extra: str = "") -> bytes:
    return f"---\nname: minutes\ndescription: {description}\n{extra}---\n\n# Minutes\n\n{body}\n".encode()


def index(*lines: str) -> str:
    listed = "\n".join(("  notes:", *lines))
    return f"# Soul\n\n## Skills (mandatory)\nScan.\n\n<available_skills>\n{listed}\n</available_skills>\n\nEnd."


def skill_met(evidence: Evidence, base: bytes | None, candidate: bytes | None) -> Arm | None:
    return arm_met("skills/notes/minutes/SKILL.md", base, candidate, evidence)


LISTED = index("    - minutes: Writes minutes.")


def viewed(content: bytes, directory: str = "/h/skills/notes/minutes") -> str:
    return json.dumps({"success": True, "content": content.decode(), "skill_dir": directory})


def test_a_changed_description_is_recognised_in_the_index() -> None:
    other = skill("Writes very good minutes.")
    assert skill_met(Evidence(LISTED), skill(), other) is Arm.BASELINE
    assert skill_met(Evidence(index("    - minutes: Writes very good minutes.")), skill(), other) is Arm.CANDIDATE
    assert skill_met(Evidence(index("    - minutes: Something else.")), skill(), other) is None


def test_a_description_is_cut_as_the_host_cuts_it() -> None:
    long = "x" * 61
    prompt = Evidence(index(f"    - minutes: {'x' * 57}..."))
    assert skill_met(prompt, skill(), skill(long)) is Arm.CANDIDATE
    assert skill_met(prompt, skill(long), skill(long + "y")) is None


def test_a_changed_body_is_proven_only_by_the_text_itself() -> None:
    base, candidate = skill(body="Be short."), skill(body="Be long.")
    assert skill_met(Evidence(LISTED), base, candidate) is None
    assert skill_met(Evidence(LISTED, (viewed(base),)), base, candidate) is Arm.BASELINE
    assert skill_met(Evidence(LISTED, (viewed(candidate) + "\n\n[a note]", "x")), base, candidate) is Arm.CANDIDATE
    assert skill_met(Evidence(LISTED, (viewed(skill(body="Be odd.")),)), base, candidate) is None
    assert skill_met(Evidence(LISTED, (viewed(base), viewed(candidate))), base, candidate) is None


def test_an_invoked_skill_is_proven_by_the_users_message() -> None:
    base, candidate = skill(), skill(body="Be short.\n\nSmile.")
    for arm, text in ((Arm.BASELINE, base), (Arm.CANDIDATE, candidate)):
        message = (
            f'[IMPORTANT: The user has invoked the "minutes" skill.]\n\n{text.decode().strip()}\n\n'
            "[Skill directory: /h/skills/notes/minutes]\nResolve paths."
        )
        assert skill_met(Evidence("", (), (message,)), base, candidate) is arm
        assert skill_met(Evidence("", (), ("Look: " + message,)), base, candidate) is None


def test_the_hosts_place_holder_for_the_skills_directory_is_filled_in() -> None:
    candidate = skill(body="Run ${HERMES_SKILL_DIR}/x.")
    shown = candidate.replace(b"${HERMES_SKILL_DIR}", b"/h/skills/notes/minutes")
    assert skill_met(Evidence(LISTED, (viewed(shown),)), skill(), candidate) is Arm.CANDIDATE


def test_a_new_skill_missing_from_the_index_means_the_session_had_none() -> None:
    others = index("    - travel: Books trains.")
    assert skill_met(Evidence(LISTED), None, skill()) is Arm.CANDIDATE
    assert skill_met(Evidence(others), None, skill()) is Arm.BASELINE
    assert skill_met(Evidence(others), skill(), None) is Arm.CANDIDATE
    assert skill_met(Evidence("# Soul", skills_offered=True), None, skill()) is Arm.BASELINE


def test_a_new_skill_the_host_may_hide_or_shorten_proves_nothing_by_its_absence() -> None:
    others = index("    - travel: Books trains.")
    assert skill_met(Evidence(others), None, skill(extra="platforms: [macos]\n")) is None
    assert skill_met(Evidence(others), None, b"no front matter") is None
    assert skill_met(Evidence(index("  notes [names only]: minutes")), None, skill()) is None
    assert skill_met(Evidence("# Soul"), None, skill()) is None


def test_a_reference_file_of_a_skill_is_proven_by_its_text() -> None:
    result = json.dumps({"success": True, "file": "references/a.md", "content": "new\n"})
    evidence = Evidence(LISTED, (result,))
    assert arm_met("skills/notes/minutes/references/a.md", b"old\n", b"new\n", evidence) is Arm.CANDIDATE


def test_a_file_that_reaches_no_prompt_is_never_met() -> None:
    assert arm_met("memories/NOTES.md", b"a", b"b", Evidence(memory_prompt("a"))) is None
    assert arm_met("config.yaml", b"a", b"b", Evidence("a")) is None


# --- texts made to stop or to hold up whoever looks


def test_a_tool_result_of_brackets_without_end_proves_nothing_and_stops_nothing() -> None:
    candidate = skill(body="Be long.")
    results = ("[" * 100_000, viewed(candidate))
    assert skill_met(Evidence(LISTED, results), skill(), candidate) is Arm.CANDIDATE


def bomb(description: str = "*a30", body: str = "Smile.") -> bytes:
    """Half a kilobyte that would be a text of ten to the power of thirty characters."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 31))]
    return "\n".join(["---", "name: minutes", *lines, f"description: {description}", "---", body, ""]).encode()


UNREADABLE = [
    bomb(),
    bomb(description="plain"),
    b"---\nname: &a minutes\n---\n",
    b"---\nname: !!python/name:os.system x\n---\n",
    b"---\nname: x\n...\nname: y\n---\n",
    b"---\ndescription: [a, b]\n---\n",
    b"---\ndescription: 2026-99-99\n---\n",
    b"---\nversion: " + b"9" * 100_000 + b"\n---\n",
    b"---\nversion: " + b"1:" * 50_000 + b"1\n---\n",
    b"---\nmetadata: " + b"[" * 90_000 + b"\n---\n",
    b"---\nx: [unclosed\n---\n",
    b"---\n<<: {description: y}\n---\n",
]


@pytest.mark.parametrize("hostile", UNREADABLE, ids=range(len(UNREADABLE)))
def test_front_matter_that_would_have_to_be_built_to_be_read_proves_nothing(hostile: bytes) -> None:
    assert skill_met(Evidence(LISTED), skill(), hostile) is None
    assert skill_met(Evidence(LISTED), hostile, None) is None
    assert index_changes("skills/notes/minutes/SKILL.md", skill(), hostile)
    shown = Evidence(LISTED, (viewed(skill()),))
    assert skill_met(shown, skill(), hostile) is Arm.BASELINE  # its text still does


def test_lists_and_mappings_beside_the_description_keep_nothing_from_being_read() -> None:
    nested = "version: 1.0\ntags: [a, {b: c}]\nmetadata:\n  hermes:\n    tags: [x]\n"
    other = skill("Writes very good minutes.", extra=nested)
    assert skill_met(Evidence(LISTED), skill(extra=nested), other) is Arm.BASELINE
    assert not index_changes("skills/notes/minutes/SKILL.md", skill(extra=nested), skill(body="Smile.", extra=nested))


def test_a_flood_of_beginnings_of_a_list_is_read_once() -> None:
    flood = "## Skills (mandatory)\n<available_skills>\n" * 50_000
    assert skill_met(Evidence(flood), skill(), skill("Other.")) is None


def test_numbers_that_no_host_would_write_are_no_lengths() -> None:
    marker = f"\n\n[...truncated SOUL.md: kept {'9' * 5_000}+1 of 1 chars.]\n\n"
    assert arm_met("SOUL.md", BASE, CANDIDATE, Evidence(REST + marker)) is None
    bar = "═" * 46
    for length in (",", "9" * 5_000):
        block = f"{bar}\nMEMORY (your personal notes) [5% — {length}/2,200 chars]\n{bar}\nTea.\n"
        assert arm_met("memories/MEMORY.md", b"Tea.", b"Coffee.", Evidence(block)) is None


def test_a_path_is_no_way_to_fill_the_memory() -> None:
    places = skill(body="${HERMES_SKILL_DIR}" * 20_000)
    result = json.dumps({"content": "x", "skill_dir": "/" * 20_000_000})
    assert skill_met(Evidence(LISTED, (result,)), skill(), places) is None
