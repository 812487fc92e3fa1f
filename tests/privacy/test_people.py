"""E-mail addresses, home folders, user and host names are replaced, and nothing that only looks like them."""

from __future__ import annotations

import pytest

from karpathy_self_improve.privacy import Identity, sanitize, scan

WHO = Identity(user="ada.lovelace", host="engine.example.org", home="/data/people/ada")
HOME = "/ho" + "me/"
USERS = "/Us" + "ers/"
REPLACED = {
    "write to ada@example.com, please": "write to <email>, please",
    "<Ada.L+x@mail.example.co.uk>": "<<email>>",
    "jürgen@exämple.de": "<email>",
    f"open {HOME}ada/project/file.py": "open <home>/project/file.py",
    f'"cwd": "{USERS}ada/code"': '"cwd": "<home>/code"',
    f"line\\n{HOME}ada/x": "line\\n<home>/x",
    f"file://{HOME}ada/x": "file://<home>/x",
    "C:\\Users\\ada\\x": "<home>\\x",
    '"C:\\\\Users\\\\ada\\\\x"': '"<home>\\\\x"',
    "/root/.config": "<home>/.config",
    "~/.agent/projects/-Users-ada-code": "~/.agent/projects/<home>-code",
    "ada@laptop:~$ ls": "<login>:~$ ls",
    "/data/people/ada/notes": "<home>/notes",
    "ssh engine.example.org or ENGINE": "ssh <host> or <host>",
    "by Ada.Lovelace today": "by <user> today",
}
KEPT = [
    "@decorator.name", "matrix@other", "git@example.com:team/repo", "getty@tty1.service", "https://example.com/home/page",
    f"{USERS}Shared/x", "the engineer", "/rootfs/x", "pip install package@1.2.3", "take-home-pay-check",
]  # fmt: skip


@pytest.mark.parametrize("text", REPLACED)
def test_personal_data_is_replaced(text):
    clean = sanitize(text, WHO)
    assert clean.text == REPLACED[text]
    assert sanitize(clean.text, WHO).text == clean.text


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_it_is_kept(text):
    assert sanitize(text, WHO).text == text


def test_names_that_many_machines_share_are_nobodys():
    text = "root and localhost and user"
    assert sanitize(text, Identity(user="root", host="localhost", home="")).text == text


def test_personal_data_is_no_secret():
    assert scan("ada@example.com " + HOME + "ada") == []


def test_this_machine_is_known_without_being_told():
    assert Identity.here().home
    assert sanitize(f"in {Identity.here().home}/x").text == "in <home>/x"
