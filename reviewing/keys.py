"""A reviewer's key: Ed25519, its private part in a file that only the reviewer's passphrase opens.

scrypt with N = 2^17, r = 8, p = 1 (128 MiB and about a third of a second for each guess) makes 64 bytes of the
passphrase: the first 32 are the AES-256-GCM key that seals the private part, with the whole rest of the file
authenticated; the SHA-256 of the others tells a wrong passphrase from an edited file. docs/signing.md has a
test vector.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .. import clock
from ..errors import BadInput, Unavailable
from . import canonical, passphrases, private_file
from .payload import NAME
from .refusals import KeyUnusable, PassphraseRefused, WrongPassphrase

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = "hermes-ratchet-key-v1"
_MAX_BYTES = 4_096
_FIXED = {"format": FORMAT, "kdf": "scrypt", "cipher": "aes-256-gcm"}
_HEX = {"public_key": 32, "salt": 16, "check": 32, "cipher_nonce": 12, "sealed": 48}


@dataclass(frozen=True)
class Cost:
    """scrypt's parameters. A file that asks for others than the caller expects is refused before any work."""

    n: int
    r: int = 8
    p: int = 1


STANDARD = Cost(2**17)


@dataclass(frozen=True)
class KeyFile:
    """A key file's readable part; the name and the public key are proven only when it is opened."""

    path: Path
    name: str
    public_key: str
    created_at: str


@dataclass(frozen=True)
class SigningKey:
    """An opened key. ``public_key`` is 64 hex digits."""

    public_key: str
    _private: Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> str:
        """The Ed25519 signature, 128 hex digits."""
        return self._private.sign(message).hex()


def verifies(public_key: str, message: bytes, signature: str) -> bool:
    """Whether ``signature`` is that key's signature of ``message``; False for anything malformed."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not (_is_hex(public_key, 32) and _is_hex(signature, 64)):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def create(folder: Path, name: str, passphrase: str, *, cost: Cost = STANDARD) -> tuple[KeyFile, SigningKey]:
    """A new key and its file in ``folder``, mode 0600, never over another file.

    Raises PassphraseRefused (too weak), BadInput (an impossible name), Conflict (the file is there), DiskFailed.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    passphrases.check_strong(passphrase)
    check_name(name)
    private = Ed25519PrivateKey.generate()
    key = SigningKey(private.public_key().public_bytes_raw().hex(), private)
    header = {**_FIXED, "name": name, "public_key": key.public_key, "created_at": clock.stamp()}
    content = _sealed(header, private.private_bytes_raw(), passphrase, cost)
    path = folder / f"{name}-{key.public_key[:8]}.key"
    private_file.write_new(path, content)
    return KeyFile(path, name, key.public_key, str(header["created_at"])), key


def check_name(name: str) -> None:
    """Raises BadInput for a name that no reviewer can have."""
    if not NAME.fullmatch(name):
        raise BadInput("A reviewer's name has 1 to 40 letters, digits, dots, dashes and underscores.")


def unlock(path: Path, passphrase: str, *, cost: Cost = STANDARD) -> SigningKey:
    """Open a key file. Raises WrongPassphrase, or KeyUnusable saying what is wrong with the file."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    header = _read(path)
    if (header["kdf_n"], header["kdf_r"], header["kdf_p"]) != (cost.n, cost.r, cost.p):
        raise _edited(path, "it asks for key derivation parameters that we never write")
    sealed = bytes.fromhex(str(header.pop("sealed")))
    secret, check = _derived(passphrase, bytes.fromhex(str(header["salt"])), cost)
    if not hmac.compare_digest(check, str(header["check"])):
        raise WrongPassphrase(f"This is not the passphrase of {path.name}.")
    try:
        opened = AESGCM(secret).decrypt(bytes.fromhex(str(header["cipher_nonce"])), sealed, canonical.encode(header))
    except InvalidTag:
        raise _edited(path, "the passphrase is right but the contents were changed") from None
    private = Ed25519PrivateKey.from_private_bytes(opened)
    if private.public_key().public_bytes_raw().hex() != header["public_key"]:
        raise _edited(path, "its two halves do not belong together")
    return SigningKey(str(header["public_key"]), private)


def look(path: Path) -> KeyFile:
    """The readable part of a key file. Raises KeyUnusable."""
    header = _read(path)
    return KeyFile(path, str(header["name"]), str(header["public_key"]), str(header["created_at"]))


def key_files(folder: Path) -> list[Path]:
    """The key files in ``folder``, by name; none when it is not there."""
    return sorted(folder.glob("*.key"))


def _sealed(header: Mapping[str, canonical.Value], private: bytes, passphrase: str, cost: Cost) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, cipher_nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    secret, check = _derived(passphrase, salt, cost)
    parameters = {"kdf_n": cost.n, "kdf_r": cost.r, "kdf_p": cost.p}
    sealing = {"salt": salt.hex(), "check": check, "cipher_nonce": cipher_nonce.hex()}
    whole = {**header, **parameters, **sealing}
    box = AESGCM(secret).encrypt(cipher_nonce, private, canonical.encode(whole))
    return canonical.encode({**whole, "sealed": box.hex()}) + b"\n"


def _derived(passphrase: str, salt: bytes, cost: Cost) -> tuple[bytes, str]:
    """The key that seals, and what proves the passphrase."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    try:
        secret = passphrases.normal(passphrase).encode("utf-8")
    except UnicodeEncodeError:  # a terminal sent bytes that are no text
        raise PassphraseRefused("The passphrase holds something that is no character. Type it again.") from None
    try:
        derived = Scrypt(salt=salt, length=64, n=cost.n, r=cost.r, p=cost.p).derive(secret)
    except MemoryError:
        raise Unavailable("Opening a reviewer key needs 128 MiB of free memory. Try again when there is.") from None
    return derived[:32], hashlib.sha256(derived[32:]).hexdigest()


def _read(path: Path) -> dict[str, canonical.Value]:
    """The fields of a key file that is as we write them, and readable by nobody else."""
    raw = private_file.read(path, _MAX_BYTES)
    try:
        header = canonical.decode(raw.removesuffix(b"\n"), _MAX_BYTES)
    except canonical.NotCanonical as error:
        raise _edited(path, str(error)) from None
    if header.keys() != {*_FIXED, *_HEX, "name", "created_at", "kdf_n", "kdf_r", "kdf_p"} or raw[-1:] != b"\n":
        raise _edited(path, "it does not have exactly the fields of a key file")
    if any(header[name] != value for name, value in _FIXED.items()):
        raise _edited(path, "it is of another format")
    malformed = [name for name, length in _HEX.items() if not _is_hex(header[name], length)]
    if malformed:
        raise _edited(path, f"{malformed[0]} is malformed")
    return header


def _edited(path: Path, why: str) -> KeyUnusable:
    return KeyUnusable(f"The key file {path} was edited or damaged: {why}. Put back your copy, or rotate the key.")


def _is_hex(value: object, length: int) -> bool:
    return isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{2 * length}}}", value) is not None
