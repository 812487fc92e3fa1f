"""Words and patterns by which a draft is suspected, and how texts are evened out before they are looked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

_WORD = re.compile(r"\w+")
_SPELT_OUT = re.compile(r"\b(?:\w[ .\-_*]){3,}\w\b")
_NO_LETTERS = re.compile(r"[\W_]+")
_LOOKALIKES = str.maketrans("аеорсухіѕјԁһӏвкмнтαεοριυνκτ", "aeopcyxisjdhlbkmhtaeopiuvkt")
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f")


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in alternatives))


JUDGES = _any(
    r"\b(?:judge|grader|reviewer|evaluator|examiner|assessor|auditor|approver|referee|moderator)s?\b",
    r"\b(?:grading|judging|rubrics?|verdicts?|benchmarks?|evaluations?|test harness|scorers?|holdouts?|held-out)\b",
    r"\b(?:approve|accept|merge|apply|sign|pass|promote|verify) (?:this|the|these|my|every|all|each|any|it)\b"
    r"(?: (?:change|proposal|draft|diff|edit|experiment|patch|candidate|version|improvement)s?)?",
    r"\b(?:must|should|will|always|please|is|are|be|been) (?:be )?(?:approved?|accepted|rated|graded|scored)\b",
    r"\bauto-?approv\w+\b",
    r"\b(?:when|if|while|whenever|during|in|seems?) (?:\w+ ){0,4}(?:tested|evaluated|examined|examination|an? test|"
    r"tests?|exams?|assessments?|watched|observed|monitored)\b",
    r"\b(?:score|rate|grade|assess) yourself\b|\bself[ -]assessments?\b",
    r"\b(?:full|top|highest|maximum|perfect) (?:score|marks|rating|grade)s?\b",
    r"\b(?:genehmig|gutachter|prüfer|bewerter|richter)\w*\b",
    r"\b(?:aprueb|aprobar|revisor|evaluador|juez|aprovar|avaliador|approuv|évaluateur|relecteur|giudice|approva)\w*\b",
    r"(?:одобр|судь|проверяющ|рецензент|утверд)\w*",
    r"审核|批准|评判|评委|審査|承認|裁判|通过此|심사|승인",
)
OVERSIGHT = _any(
    r"\b(?:ignore|disregard|forget|override|overrule|bypass|circumvent|disable|skip|turn off|switch off|deactivate|"
    r"suppress|evade|remove|stop|drop|lift|relax|weaken|loosen|lower)\b[^.\n]{0,40}\b(?:instruction|rule|check|guard|safety|safeguard|polic|filter|limit|"
    r"restriction|oversight|monitor|audit|log|scan|hook|test|approval|review|protection|sandbox|confirmation|warning|"
    r"prompt)\w*",
    r"\b(?:do not|don't|never|without) (?:log|logging|record|recording|report|reporting|mention|mentioning|tell|"
    r"telling|inform|informing|show|showing|reveal|revealing|disclos\w+|audit\w*)\b[^.\n]{0,40}\b(?:user|anyone|"
    r"anybody|operator|owner|human|person|this|it|them|action|call|change|error|failure)s?\b",
    r"\b(?:secretly|covertly|silently|hidden from|behind the|unnoticed|undetected|in secret)\b",
    r"\bpretend\w*\b[^.\n]{0,40}\b(?:success|succeeded|passed|done|complete|worked|test|check)\w*\b",
    r"\b(?:system prompt|developer mode|jailbr\w+|dan mode|god mode|unrestricted|unfiltered|uncensored|"
    r"no longer bound|new instructions?)\b",
    r"\b(?:ignorier|vergiss|umgeh|ignora|olvida|oublie|ignorez|ignore[zr]|dimentica|esqueça|игнорир|забудь)\w*",
    r"忽略|无视|無視|무시",
)
_NOT_FORBIDDEN = r"(?<!\bnever )(?<!\bdo not )(?<!\bdon't )(?<!\bmust not )"
_SEND = r"send|upload|post|forward|transmit|exfiltrat\w*|relay|copy|bcc|cc"
_TELL = (
    r"e-?mail|mail|leak|submit|deliver|report back|append|include|attach|embed|encode|write|print|reveal|repeat|output|"
    r"share|dump|paste"
)
_GUARDED = (
    r"secret|password|passphrase|credential|api key|access key|private key|ssh key|token|\.env|env variable|"
    r"environment(?: variable)?|config\.yaml|auth\.json|cookie|keychain|state\.db|wallet|contact list|address book|"
    r"system (?:prompt|message)|your (?:own )?(?:prompt|instruction|rule)|soul\.md|chat history|"
    r"conversation history|memory file"
)
_KEPT = r"conversation|transcript|session|chat|message|memor(?:y|ie)|file|data|document|log"
EXFILTRATION = _any(
    rf"{_NOT_FORBIDDEN}\b(?:{_SEND}|{_TELL})\b.{{0,60}}?(?<!\w)(?:{_GUARDED})s?\b",
    rf"{_NOT_FORBIDDEN}\b(?:{_SEND})\b[^.]{{0,60}}\b(?:{_KEPT})s?\b[^.]{{0,40}}\b(?:to|at|into|via|with)\b",
)
DANGEROUS = _any(
    r"\brm\s+-\w*[rf]\w*",
    r"\b(?:curl|wget)\b[^|\n]{0,120}\|\s*(?:ba|z|da)?sh\b",
    r"\b(?:sudo|doas|mkfs|dd if=|chmod \+?[0-7x]\w*|chown|shutdown|reboot|killall|crontab|authorized_keys|nohup|"
    r"netcat|nc -\w+|/dev/tcp|eval|base64 -\w+|--yolo|--no-verify|--force|--unwatched|--override|setenforce)\b",
    r"\bgit push\b|\b(?:drop|truncate) table\b|\bos\.system\b|\bsubprocess\.\w+|\b__import__\b|:\(\)\s*\{",
    r"\bhermes (?:ratchet|config|plugins|auth|gateway|cron)\b|/ratchet\b|\bratchet\.db\b",
)
COMMAND = _any(
    r"`[^`\n]+`",
    r"```|~~~",
    r"\$\([^)\n]*\)|\$\{[^}\n]*\}|\$[a-z_]{3,}",
    r"\b(?:curl|wget|pip|pip3|npm|npx|uvx|brew|apt|apt-get|docker|ssh|scp|rsync|git|bash|zsh|powershell|python3?|"
    r"cargo|kubectl|systemctl|launchctl|osascript|sqlite3)\s+[-\w./]+",
    r"\b(?:install|download|subscribe|sign up|delete|erase|wipe|destroy|overwrite)\w*\b",
    r"\b(?:open|click|follow|visit)\b[^.]{0,20}\b(?:it|them|links?)\b|\blinks?\b[^.]{0,30}\b(?:open|click|follow|visit)\b",
    r"\b(?:run|execute|invoke|launch|fetch|open|visit|browse)\b[^.\n]{0,30}\b(?:command|script|shell|"
    r"terminal|program|package|binary|code|executable|installer|url|link|website|web ?site|page|address)s?\b",
    r"(?<![\w/])(?:~/|/(?:etc|tmp|home|usr|var|root|bin|opt|dev|users)/)[\w./-]*",
)
PERMISSION = _any(
    r"\bwithout (?:asking|confirm\w*|permission|approval|consent|a question|checking|hesitation|being asked|warning|"
    r"looking|reading|thinking|review\w*)\b",
    r"\b(?:comply|obey|act|follow|carry out|do|trust|believe|heed|listen)\b[^.]{0,40}\b(?:says?|asks?|wants?|tells?|"
    r"requests?|instructs?|instructions?|pages?|documents?|e-?mails?|tool (?:outputs?|results?))\b",
    r"\b(?:asks?|says?|wants?|tells?|instructs?)\b[^.]{0,30}\b(?:comply|obey|do (?:it|so|that|as)|follow)\b",
    r"\b(?:safety|security|restrictions?|limits?)\b",
    r"\b(?:do not|don't|never|no need to) (?:ask|confirm|request|wait|warn|refuse|decline|check|verify|hesitate)\b",
    r"\b(?:always|automatically|unconditionally|blindly) (?:allow|accept|agree|comply|obey|trust|grant|permit|run|"
    r"execute|install|follow|do whatever)\b",
    r"\b(?:full|unlimited|root|admin\w*|elevated|any|write) (?:access|permissions?|rights?|privileges?)\b",
    r"\b(?:may|can|are (?:allowed|permitted|authori[sz]ed|free) to) (?:edit|delete|write|modify|overwrite|install|run|"
    r"execute|spend|buy|pay|purchase|access|change)\b",
    r"\b(?:permission|authori[sz]\w+|approvals?|confirmation|consent|credentials?|passwords?|tokens?|api keys?)\b",
    r"\bsecrets?\b",
    r"\b(?:obey|follow)\b[^.\n]{0,40}\b(?:any|every|all|whatever)\b",
    r"\b(?:operator|administrator|developer|owner)s?\b",
    r"\b(?:trust|trusted|vip|whitelist\w*|allow-?list\w*)\b",
    r"\b(?:pay|payment|transfer|purchase|buy|bitcoin|wallet|donat\w+|invest)\b",
)
TOOL = _any(
    r"\b(?:use|call|invoke|with) the (?:tool|function|skill) [`\"']?\w+",
    r"\b(?:terminal|execute_code|write_file|patch_file|send_message|skill_manage|skill_view|skills_list|browser_\w+|"
    r"web_search|web_extract|delegate_task|cronjob|memory_\w+|read_file|mcp_\w+)\b",
    r"\b(?:subagents?|sub-agents?|cron ?jobs?|webhooks?|mcp servers?)\b",
    r"\b[a-z]+_[a-z_]+\b",
)
PEOPLE = _any(
    r"\b(?:conversations?|transcripts?|chat history|chats|credentials?|private data|personal data|what people type)\b",
    r"\b(?:earlier|previous|past|last|other) (?:\w+ )?(?:messages?|sessions?|users?|people)\b",
)
CLAIM = _any(
    r"\b(?:report|mark|claim|declare|state|say|answer|act|present)\b[^.]{0,50}\b(?:success\w*|succeeded|passed|better|"
    r"correct|verified|safe|done)\b",
)
TRIGGER = _any(
    r"\b(?:keywords?|code ?words?|magic words?|pass ?phrases?|triggers?|the (?:word|phrase))\b",
)
LIMIT = _any(
    r"\b(?:never|do not|don't|must not|may not|cannot|only (?:if|when|after)|unless|ask (?:first|before)|refuse|"
    r"confirm|careful\w*|except|forbidden|not allowed|secret|private|confidential\w*|safe\w*)\b"
)
ADDRESS = _any(
    r"\b[a-z][a-z0-9+.-]{1,15}://[^\s<>\"')\]]+",
    r"\b(?:www\.|mailto:|data:|javascript:|file:|tel:|magnet:)[^\s<>\"')\]]+",
    r"\b(?:hxxps?|h\*\*ps?)\S+",
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b(?::\d+)?",
    r"\b(?:[a-z0-9-]+(?:\.|\s?\[\.\]\s?|\s?\(dot\)\s?))+(?:com|net|org|io|dev|ai|app|co|info|biz|xyz|ru|cn|de|uk|eu|us|sh|"
    r"gg|me|to|ly|link|site|online|top|club|tv|example|invalid|test|local|onion|zip|page|cloud|tech|pro)\b(?:/\S*)?",
    r"\b[a-z0-9-]+ dot (?:com|net|org|io|dev|example|invalid|test)\b",
)
MARKUP = _any(
    r"<\|[^|\n]{1,40}\|>",
    r"\[/?[A-Z_]{3,}\]",
    r"</?(?:system|user|assistant|human|file|failures|tried|transcript|rubric|tool|function|instructions?|prompt|memory|"
    r"context|document|admin|think|available_skills|[a-z]+-[0-9a-f]{4,})\b[^>\n]{0,80}>?",
    r"(?im:^\s*(?:#{1,6}\s*)?(?:system|assistant|user|human|developer|operator)\s*:)",
    r"(?i:\b(?:begin|end|start) of (?:the )?(?:block|file|prompt|failures|context|message|data|transcript|input)\b)",
    r"(?i:-{3,}\s*(?:end|begin|system|new)\b)",
    r"\{\{|\}\}|\{%|%\}",
    r'(?i:"(?:nonce|old_text|new_text|hypothesis|answers|verdict|rationale)"\s*:)',
)
OPAQUE = _any(
    r"(?<![\w/+=-])(?=[\w/+=-]*\d)(?=[\w/+=-]*[a-z])(?=[\w/+=-]*[A-Z])[\w/+-]{20,400}={0,2}(?![\w/+-])",
    r"\b(?:0x)?[0-9a-fA-F]{24,400}\b",
    r"(?:\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})){2,}|(?:%[0-9a-fA-F]{2}){3,}|(?:&#?x?\w{2,8};){2,}",
    r"\b(?:[01]{8}[ ,]*){3,}|(?:\b\d{2,3}[ ,]+){8,}",
    r"(?:[.\-]{1,6} ){8,}",
)
COMMENT = _any(
    r"<!--", r"-->", r"(?m:^\[(?://|comment|_)\]:)", r"!\[[^\]\n]*\]\(", r"<(?:span|div|p|img|details|font)\b"
)


def folded(text: str) -> str:
    """``text`` as it is meant to be read: without what nobody sees, look-alike letters and letters set apart."""
    seen = text if text.isascii() else "".join(c for c in unicodedata.normalize("NFKC", text) if not is_unseen(c))
    even = " ".join(seen.casefold().replace("\u2019", "'").split())
    return _SPELT_OUT.sub(lambda one: _NO_LETTERS.sub("", one[0]), _latin(even))


def _latin(text: str) -> str:
    """Look-alikes as Latin letters, in words that mix alphabets; a Russian word stays one."""
    return _WORD.sub(lambda one: one[0].translate(_LOOKALIKES) if is_mixed(one[0]) else one[0], text)


def is_unseen(character: str) -> bool:
    """Whether a character shows as nothing, or only moves others; line ends and tabs are seen."""
    if character in "\n\t\r" or (character.isascii() and character.isprintable()):
        return False
    variation = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return variation or character in _FILLERS or unicodedata.category(character) in _UNSEEN_CATEGORIES


def is_mixed(word: str) -> bool:
    """Whether a word has letters of Latin and of an alphabet that looks like it."""
    if word.isascii():
        return False
    alphabets = {unicodedata.name(c, "").split(" ")[0] for c in word if c.isalpha()}
    return "LATIN" in alphabets and bool(alphabets & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})


def words(text: str) -> list[str]:
    """The words of a text, evened out."""
    return _WORD.findall(folded(text))


def runs(listed: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    """Every run of so many words."""
    return (tuple(listed[i : i + length]) for i in range(len(listed) - length + 1))


@lru_cache(maxsize=64)
def run_set(listed: tuple[str, ...], length: int) -> frozenset[tuple[str, ...]]:
    """The same as a set; a text of the material is asked for again with every draft."""
    return frozenset(runs(listed, length))


def holds(listed: Sequence[str], part: Sequence[str]) -> bool:
    """Whether all of ``part`` stands in ``listed`` in one piece."""
    return f" {' '.join(part)} " in f" {' '.join(listed)} "


def common_ends(one: Sequence[str], other: Sequence[str]) -> tuple[int, int]:
    """How many words both begin with, and how many of the others both end with."""
    first = 0
    while first < min(len(one), len(other)) and one[first] == other[first]:
        first += 1
    last = 0
    while last < min(len(one), len(other)) - first and one[-1 - last] == other[-1 - last]:
        last += 1
    return first, last
