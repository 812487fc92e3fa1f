"""A key file opens with its passphrase, for its owner, as it was written; everything else is told apart and refused."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.errors import BadInput, Conflict
from karpathy_self_improve.reviewing import canonical, keys, private_file
from karpathy_self_improve.reviewing.keys import Cost, KeyFile
from karpathy_self_improve.reviewing.refusals import KeyUnusable, PassphraseRefused, WrongPassphrase

FAST = Cost(2**4)
STRONG = "maple orbit cactus violin ladder quartz"


@pytest.fixture
def made(tmp_path: Path) -> KeyFile:
    return keys.create(tmp_path / "keys", "alice", STRONG, cost=FAST)[0]


def edited(made: KeyFile, change: Callable[[dict[str, Any]], object]) -> Path:
    """The file with its fields changed by somebody who knows the format."""
    fields = json.loads(made.path.read_bytes())
    change(fields)
    made.path.write_bytes(canonical.encode(fields) + b"\n")
    return made.path


def test_the_passphrase_opens_the_key_that_was_made(tmp_path: Path) -> None:
    file, key = keys.create(tmp_path, "alice", STRONG, cost=FAST)
    opened = keys.unlock(file.path, STRONG, cost=FAST)
    assert opened.public_key == key.public_key == file.public_key == keys.look(file.path).public_key
    assert keys.verifies(key.public_key, b"message", opened.sign(b"message"))


def test_what_production_writes_has_the_full_cost(tmp_path: Path) -> None:
    file, key = keys.create(tmp_path, "alice", STRONG)
    fields = json.loads(file.path.read_bytes())
    assert (fields["kdf_n"], fields["kdf_r"], fields["kdf_p"]) == (2**17, 8, 1)
    assert keys.unlock(file.path, STRONG).public_key == key.public_key


def test_the_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file, _ = keys.create(tmp_path / "keys", "alice", STRONG, cost=FAST)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_nothing_secret_is_readable_in_the_file(tmp_path: Path) -> None:
    file, key = keys.create(tmp_path, "alice", STRONG, cost=FAST)
    content = file.path.read_bytes()
    assert key._private.private_bytes_raw().hex().encode() not in content
    assert STRONG.split()[0].encode() not in content
    assert "_private" not in repr(key)


def test_no_file_is_written_over(tmp_path: Path) -> None:
    file, _ = keys.create(tmp_path, "alice", STRONG, cost=FAST)
    before = file.path.read_bytes()
    with pytest.raises(Conflict):
        private_file.write_new(file.path, b"mine")
    link = tmp_path / "link.key"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        private_file.write_new(link, b"mine")
    assert file.path.read_bytes() == before
    assert not (tmp_path / "elsewhere").exists()


def test_a_weak_passphrase_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(PassphraseRefused):
        keys.create(tmp_path, "alice", "secret", cost=FAST)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../alice", "a/b", ".hidden", "a b", "x" * 41, "al\nice", "\u0430lice"])
def test_a_name_that_could_mislead_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        keys.create(tmp_path, name, STRONG, cost=FAST)


def test_a_wrong_passphrase_is_called_that(made: KeyFile) -> None:
    with pytest.raises(WrongPassphrase):
        keys.unlock(made.path, STRONG + "!", cost=FAST)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "mallory"), ("public_key", "ab" * 32), ("created_at", "2020"), ("cipher_nonce", "ab" * 12)],
)
def test_an_edited_field_is_called_an_edit_although_the_passphrase_is_right(
    made: KeyFile, field: str, value: str
) -> None:
    path = edited(made, lambda fields: fields.update({field: value}))
    with pytest.raises(KeyUnusable, match="the contents were changed"):
        keys.unlock(path, STRONG, cost=FAST)


def test_an_edited_secret_is_called_an_edit(made: KeyFile) -> None:
    path = edited(made, lambda fields: fields.update(sealed=fields["sealed"][:-2] + "00"))
    with pytest.raises(KeyUnusable, match="the contents were changed"):
        keys.unlock(path, STRONG, cost=FAST)


@pytest.mark.parametrize(
    "planted",
    [
        {"kdf_n": 2},
        {"kdf_n": 2**30},
        {"kdf_n": 0},
        {"kdf_n": None},
        {"kdf_r": 2**31},
        {"kdf_p": 2**31},
        {"kdf_p": 0},
    ],
    ids=str,
)
def test_planted_cost_parameters_are_refused_before_any_work(made: KeyFile, planted: dict[str, Any]) -> None:
    path = edited(made, lambda fields: fields.update(planted))
    with pytest.raises(KeyUnusable, match="never write"):
        keys.unlock(path, STRONG, cost=FAST)


def test_a_key_of_low_cost_is_refused_by_default(made: KeyFile) -> None:
    with pytest.raises(KeyUnusable, match="never write"):
        keys.unlock(made.path, STRONG)


@pytest.mark.parametrize(
    "change",
    [
        {"kdf": "pbkdf2"},
        {"cipher": "none"},
        {"format": "hermes-ratchet-key-v2"},
        {"extra": 1},
        {"salt": "ab"},
        {"salt": "AB" * 16},
        {"sealed": "ab"},
        {"check": None},
        {"public_key": 3},
    ],
    ids=str,
)
def test_a_file_of_another_shape_is_refused(made: KeyFile, change: dict[str, Any]) -> None:
    path = edited(made, lambda fields: fields.update(change))
    with pytest.raises(KeyUnusable, match="edited or damaged"):
        keys.look(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"[]\n", b"\x00" * 100, b"x" * 1_000_000], ids=len)
def test_a_file_of_something_else_is_refused(made: KeyFile, content: bytes) -> None:
    made.path.write_bytes(content)
    with pytest.raises(KeyUnusable, match="edited or damaged"):
        keys.unlock(made.path, STRONG, cost=FAST)


def test_white_space_after_the_key_is_an_edit(made: KeyFile) -> None:
    made.path.write_bytes(made.path.read_bytes() + b"\n")
    with pytest.raises(KeyUnusable):
        keys.look(made.path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o610])
def test_a_file_that_others_could_have_used_is_refused(made: KeyFile, mode: int) -> None:
    made.path.chmod(mode)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        keys.unlock(made.path, STRONG, cost=FAST)


def test_a_link_a_folder_and_a_pipe_are_no_key_files(made: KeyFile, tmp_path: Path) -> None:
    link, folder, pipe = (tmp_path / name for name in ("link.key", "folder.key", "pipe.key"))
    link.symlink_to(made.path)
    folder.mkdir(mode=0o700)
    os.mkfifo(pipe, 0o600)
    for path in (link, folder, pipe, tmp_path / "missing.key"):
        with pytest.raises(KeyUnusable):
            keys.look(path)


def test_the_key_of_one_file_does_not_fit_into_another(tmp_path: Path) -> None:
    mine, _ = keys.create(tmp_path, "alice", STRONG, cost=FAST)
    other, _ = keys.create(tmp_path, "bob", STRONG, cost=FAST)
    theirs = json.loads(other.path.read_bytes())
    path = edited(mine, lambda fields: fields.update(name=theirs["name"], public_key=theirs["public_key"]))
    with pytest.raises(KeyUnusable, match="the contents were changed"):
        keys.unlock(path, STRONG, cost=FAST)


@pytest.mark.parametrize(
    ("public_key", "signature"),
    [("", ""), ("zz" * 32, "00" * 64), ("00" * 32, "00" * 63), ("ff" * 32, "00" * 64), ("ab" * 33, "00" * 64)],
)
def test_malformed_keys_and_signatures_verify_nothing(public_key: str, signature: str) -> None:
    assert not keys.verifies(public_key, b"message", signature)


def test_a_signature_is_for_one_message_and_one_key(tmp_path: Path) -> None:
    _, mine = keys.create(tmp_path, "alice", STRONG, cost=FAST)
    _, other = keys.create(tmp_path, "bob", STRONG, cost=FAST)
    signature = mine.sign(b"message")
    assert keys.verifies(mine.public_key, b"message", signature)
    assert not keys.verifies(mine.public_key, b"massage", signature)
    assert not keys.verifies(other.public_key, b"message", signature)
    assert not keys.verifies(mine.public_key, b"message", signature.upper())
