"""The tokens that say by their beginning whose they are, and the shapes that belong to one service alone."""

from __future__ import annotations

import base64
import re

from .rules import Match, Rule, form, token, unmasked

WORD = "[0-9A-Za-z]"
SNAKE = "[0-9A-Za-z_]"
KEBAB = "[0-9A-Za-z_-]"
DOTTED = "[0-9A-Za-z_.-]"
BASE64 = "[0-9A-Za-z+/=]"
HEX = "[0-9a-f]"
LONGEST_WORD = 28


def no_word(match: Match) -> bool:
    """Whether what follows a short beginning has a digit, both cases, or more letters than any word."""
    body = match["body"]
    digit = any(48 <= byte < 58 for byte in body)
    both = not (body.islower() or body.isupper() or body[1:].islower())
    return unmasked(match) and (digit or both or len(body) > LONGEST_WORD)


def access_key_in_base64(match: Match) -> bool:
    return re.fullmatch(rb"A[KS]IA[0-9A-Z]{16}", base64.b64decode(match["secret"] + b"=")) is not None


MODELS = (
    token("anthropic-key", "sk-ant-", KEBAB, 20),
    token("openrouter-key", "sk-or-", KEBAB, 20),
    token("openai-key", "sk-(?:proj|svcacct|admin|service|None)-", KEBAB, 20),
    token("langfuse-key", "sk-lf-", KEBAB, 20),
    token("sk-key", "sk-", WORD, 20, accept=no_word),
    token("groq-key", "gsk_", WORD, 20, accept=no_word),
    token("xai-key", "xai-", WORD, 20, accept=no_word),
    token("replicate-key", "r8_", WORD, 24, accept=no_word),
    token("perplexity-key", "pplx-", WORD, 20, accept=no_word),
    token("huggingface-token", "(?:hf|api_org)_", WORD, 28, accept=no_word),
    token("fireworks-key", "fw_", WORD, 22, accept=no_word),
    token("cerebras-key", "csk-", WORD, 32),
    token("nvidia-key", "nvapi-", KEBAB, 32),
    token("together-key", "tgp_v1_", KEBAB, 32),
    token("langsmith-key", "lsv2_(?:pt|sk)_", SNAKE, 32),
    token("elevenlabs-key", "sk_", HEX, 48),
    token("tavily-key", "tvly-", KEBAB, 24, accept=no_word),
    token("firecrawl-key", "fc-", HEX, 32),
)
CODE = (
    token("github-token", "gh[pousr]_", WORD, 24),
    token("github-token", "github_pat_", SNAKE, 22),
    token("gitlab-token", "gl(?:pat|ptt|dt|rt|soat|cbt|ft|imt|agent|oas|ffct)-", DOTTED, 16, accept=no_word),
    token("bitbucket-token", "ATBB", WORD, 28, accept=no_word),
    token("atlassian-token", "AT(?:ATT|CTT)3xF", "[0-9A-Za-z_=-]", 40),
    token("npm-token", "npm_", WORD, 30),
    token("pypi-token", "pypi-", KEBAB, 50),
    token("rubygems-key", "rubygems_", HEX, 40),
    token("docker-token", "dckr_(?:pat|oat)_", KEBAB, 20),
    token("artifactory-key", "AKCp", WORD, 40),
    token("postman-key", "PMAK-", "[0-9a-f-]", 40),
    token("sentry-token", "sntry[su]_", "[0-9A-Za-z_+/=-]", 40),
)
CLOUDS = (
    token("aws-access-key", "A(?:KIA|SIA|BIA|CCA)", "[0-9A-Z]", 16, 16),
    # Too short in base64 to stand out as a run.
    form(
        "aws-access-key",
        ("QUtJQ[0-9A-Za-z+/]{22}", "QVNJQ[0-9A-Za-z+/]{22}"),
        "(?P<secret>(?:QUtJQ|QVNJQ)[0-9A-Za-z+/]{22})=?(?![0-9A-Za-z+/])",
        access_key_in_base64,
    ),
    token("google-key", "AIza", KEBAB, 30),
    token("google-token", "ya29.", DOTTED, 20),
    token("google-client-secret", "GOCSPX-", KEBAB, 24),
    token("azure-key", "(?:AccountKey|SharedAccessKey)=", BASE64, 40),
    token("digitalocean-token", "do[opr]_v1_", HEX, 40),
    token("databricks-token", "dapi", "[0-9a-f-]", 32),
    token("vault-token", "hv[bsr].", KEBAB, 20),
    token("vercel-token", "vc[apirk]_", WORD, 20, accept=no_word),
    token("vercel-token", "vercel_blob_rw_", SNAKE, 20),
    token("heroku-key", "HRKU-AA", KEBAB, 40),
    token("fly-token", "fm(?:1|2)[ra]_", BASE64, 80),
    token("doppler-token", "dp.(?:pt|st|ct|sa|scim|audit).", KEBAB, 36),
    token("pulumi-token", "pul-", HEX, 40),
    token("planetscale-token", "pscale_(?:tkn|pw|oauth)_", "[0-9A-Za-z_.=-]", 30),
    token("supabase-key", "sbp_", HEX, 36),
    token("supabase-key", "sb_secret_", KEBAB, 24),
    token("tailscale-key", "tskey-", KEBAB, 20),
    token("age-key", "AGE-SECRET-KEY-1", "[0-9A-Z]", 50, 64),
    token("age-key", "age-secret-key-1", "[0-9a-z]", 50, 64),
    form(
        "terraform-token",
        rf"{WORD}{{14}}\.atlasv1\.{KEBAB}{{40}}",
        rf"(?P<secret>{WORD}{{14}}\.atlasv1\.[0-9A-Za-z_=-]{{40,200}}+)",
    ),
)
MESSAGES = (
    token("slack-token", "xox[abcdeoprs](?:-|e-|e.xoxb-|e.xoxp-)", KEBAB, 10, accept=no_word),
    token("slack-token", "xapp-", KEBAB, 20, accept=no_word),
    token("slack-webhook", "hooks.slack.com/(?:services|workflows|triggers)/", "[0-9A-Za-z/_-]", 20),
    token("discord-webhook", "(?:discord|discordapp).com/api/webhooks/", "[0-9A-Za-z/_-]", 40),
    token("teams-webhook", "webhook.office.com/webhookb2/", "[0-9A-Za-z/@_-]", 60),
    token("twilio-key", "SK", HEX, 32, 32),
    token("sendgrid-key", "SG.", DOTTED, 40, accept=no_word),
    token("mailgun-key", "key-", HEX, 32, 32),
    form("mailchimp-key", r"[0-9a-f]{32}-us[0-9]", r"(?P<secret>[0-9a-f]{32}-us[0-9]{1,2})"),
    form("telegram-token", rf"[0-9]{{8}}:{KEBAB}{{34}}", rf"(?P<secret>[0-9]{{8,10}}:{KEBAB}{{34,36}}+)", edge=False),
)
SHOPS_AND_OFFICES = (
    token("stripe-key", "[sr]k_(?:live|test|prod)_", WORD, 10),
    token("stripe-key", "whsec_", "[0-9A-Za-z+/=]", 24, accept=no_word),
    token("shopify-token", "shp(?:at|ss|ca|pa)_", "[0-9A-Fa-f]", 32),
    token("square-token", "sq0(?:atp|csp|idp)-", KEBAB, 22),
    token("notion-token", "ntn_", WORD, 30),
    token("notion-token", "secret_", WORD, 40, 64),
    token("linear-key", "lin_(?:api|oauth)_", WORD, 30),
    token("figma-token", "fig[du]_", KEBAB, 32),
    token("grafana-token", "gl(?:c|sa)_", "[0-9A-Za-z_+/=]", 32),
    token("newrelic-key", "NRAK-", "[0-9A-Z]", 24),
)
TOKENS: tuple[Rule, ...] = (*MODELS, *CODE, *CLOUDS, *MESSAGES, *SHOPS_AND_OFFICES)
