"""Ordinary prose and code stays as it is: at most one false alarm in a megabyte, and none for words that look alike."""

from __future__ import annotations

import pytest

from karpathy_self_improve.privacy import Identity, sanitize, scan

NOBODY = Identity()
BENIGN = [
    "a risk-assessment of the task-management-system-for-everyone and the disk-encryption-at-rest-configuration",
    "export OPENAI_API_KEY, ANTHROPIC_API_KEY and GITHUB_TOKEN before you start",
    "api_key = os.environ['OPENAI_API_KEY']",
    "token = tokens[index2].value",
    "password: str = Field(min_length=8)",
    'password = getpass.getpass("Password: ")',
    'headers = {"Authorization": f"Bearer {token}"}',
    "Authorization: Bearer <your-token>",
    "Authorization: Bearer YOUR_API_KEY_HERE",
    "Use Basic authentication with a Bearer authentication fallback",
    "postgresql://user:password@localhost/db",
    "postgresql://${USER}:${PASSWORD}@${HOST}/db",
    "token_type: access_token2",
    "max_tokens=128000, total_tokens: 12345678",
    "commit 0123456789abcdef0123456789abcdef01234567",
    "sha256: " + "0123456789abcdef" * 4,
    'password: "changeme", secret: "<secret>", token: "${TOKEN}", api_key: "xxxxxxxxxxxxxxxxxxxx"',
    "if text.startswith('-----BEGIN " + "PRIVATE KEY-----'): raise ValueError('no key here, please')",
    "sk-learn and sk" + "-internationalization",
    "secret_management_configuration_provider_factory",
    '"password": "Your password must have at least 8 characters"',
    "/usr/local/lib/python3.11/site-packages/somepackage/module/another/file.py",
    "std::unordered_map<std::string, std::shared_ptr<TokenProviderFactoryImplementation>> tokens;",
]


@pytest.mark.parametrize("text", BENIGN)
def test_looks_alike_and_is_none(text):
    assert [finding.type for finding in scan(text)] == []


def test_at_most_one_false_alarm_in_a_megabyte(planting):
    texts = list(planting.ordinary(6))
    size = sum(len(text.encode("utf-8", "replace")) for text in texts) / 1e6
    assert sum(len(scan(text)) for text in texts) <= size


@pytest.mark.parametrize("text", ["", "\n", "no secret", "\ufeffbom", "lone \udc80 surrogate", "nul \0 byte", "é😀"])
def test_text_without_finds_comes_back_as_it_was(text):
    clean = sanitize(text, NOBODY)
    assert (clean.text, clean.findings) == (text, ())
