"""Writes docs/routes.md from the OpenAPI document of our routes; with --check, only says whether it is up to date."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from karpathy_self_improve.plugin_api import router
from karpathy_self_improve.routes.answers import ERRORS
from karpathy_self_improve.routes.events import Batch, tail

PAGE = Path(__file__).resolve().parents[1] / "docs" / "routes.md"
HEADER = """# Routes

Written by `scripts/document_routes.py` from the OpenAPI document. In the dashboard they stand below
`/api/plugins/karpathy-self-improve` and take the host's own session token (`X-Hermes-Session-Token`); on the server of
its own below the same path, with `Authorization: Bearer TOKEN` ([serve.md](serve.md)). Bodies and answers are JSON; a
field that may be null may be left out of a body. Lists come in pages: `next_before` (or `next_after`) of one is asked
for as `before` (or `after`) of the next. Rows show times as ISO 8601 with their offset, and `checks`, `payload`,
`models` and `scenario_snapshot` as JSON in a string. No route waits for an agent or a judge: such work is a job. What
takes longer than ten seconds all the same is answered with 503 `still_working` and goes on by itself.

Where approvals are signed, the body of what decides carries `payload` and `signature`, or `reviewer` and `passphrase`
([signing.md](signing.md)); a token alone is answered with 403 there.

## Failures

`{"error": "what happened and what to do", "code": "stable_code", ...}` with the ids involved. What the host itself
refuses (no token, no such path, a disabled plugin) is its own `{"detail": ...}`.

| status | when |
|---|---|
"""
_REFERENCE = "#/components/schemas/"


class Page:
    """The page under construction: the document it is made from, and the records that it has to explain."""

    def __init__(self) -> None:
        app = FastAPI()
        app.include_router(router)
        self._document = app.openapi()
        self._schemas: dict[str, Any] = self._document["components"]["schemas"]

    def text(self) -> str:
        """All of it."""
        failures = "\n".join(f"| {status} | {told['description']} |" for status, told in ERRORS.items())
        parts = [HEADER + failures, *self._routes(), _socket(), "## Records", *self._records()]
        return "\n\n".join(parts) + "\n"

    def _routes(self) -> Iterator[str]:
        """Each tag as a section, in the order of the router, with its routes."""
        tag = ""
        for path, verbs in self._document["paths"].items():
            for verb, told in verbs.items():
                if told["tags"][0] != tag:
                    tag = told["tags"][0]
                    yield f"## {tag.capitalize()}"
                yield self._route(f"{verb.upper()} {path}", told)

    def _route(self, name: str, told: Mapping[str, Any]) -> str:
        body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        asked = [*map(self._parameter, told.get("parameters", [])), *self._fields_of(body)]
        parts = [f"### {name}", told["description"].replace("\n", " ")]
        parts += ["\n".join(["| input | type | meaning |", "|---|---|---|", *asked])] if asked else []
        return "\n\n".join([*parts, "\n".join(self._answers(told["responses"]))])

    def _answers(self, responses: Mapping[str, Any]) -> Iterator[str]:
        for status, told in sorted(responses.items()):
            if status.startswith("2"):
                for media, content in told["content"].items():
                    form = "" if media == "application/json" else f" ({media}) {told['description']}"
                    yield f"* {status}: {self._type(content['schema'])}{form}"

    def _records(self) -> Iterator[str]:
        """Every model, but those that are written out where they are asked for and those of failures."""
        bodies = {self._plain(body) for body in self._bodies()}
        skipped = bodies | {"ErrorBody", "HostErrorBody", "HTTPValidationError", "ValidationError"}
        for name, schema in sorted(self._schemas.items(), key=lambda item: _short(item[0])):
            if name not in skipped:
                yield self._record(name, schema)

    def _record(self, name: str, schema: Mapping[str, Any]) -> str:
        parts = [f"### {_short(name)}"]
        if told := schema.get("description"):
            parts.append(told.strip().replace("``", "`"))
        if "enum" in schema:
            parts.append(" or ".join(f"`{value}`" for value in schema["enum"]))
        fields = schema.get("properties", {})
        if any(map(_said, fields.values())):
            rows = [self._field(key, field) for key, field in fields.items()]
            parts.append("\n".join(["| field | type | meaning |", "|---|---|---|", *rows]))
        elif fields:
            parts.append("; ".join(f"`{key}`: {self._type(field)}" for key, field in fields.items()))
        return "\n\n".join(parts)

    def _bodies(self) -> Iterator[Mapping[str, Any]]:
        for verbs in self._document["paths"].values():
            for told in verbs.values():
                if "requestBody" in told:
                    yield told["requestBody"]["content"]["application/json"]["schema"]

    def _fields_of(self, body: Mapping[str, Any] | None) -> list[str]:
        if body is None:
            return []
        schema = self._schemas[self._plain(body)]
        required = schema.get("required", [])
        return [self._field(name, field, name in required) for name, field in schema["properties"].items()]

    def _plain(self, schema: Mapping[str, Any]) -> str:
        """The name of the model that a schema refers to, null aside."""
        (found,) = (one["$ref"] for one in (schema, *schema.get("anyOf", [])) if "$ref" in one)
        return str(found.removeprefix(_REFERENCE))

    def _parameter(self, told: Mapping[str, Any]) -> str:
        kind = self._type(told["schema"]).removesuffix(" or null")
        said = _said(told)
        if told["schema"].get("default") is not None:
            said = f"{said} Default: {told['schema']['default']}.".strip()
        return _row(f"`{told['name']}` in the {told['in']}", kind, said)

    def _field(self, name: str, field: Mapping[str, Any], required: bool = False) -> str:
        kind = f"{self._type(field)}{', required' if required else ''}"
        return _row(f"`{name}`", kind, _said(field).replace("``", "`"))

    def _type(self, schema: Mapping[str, Any]) -> str:
        """A schema in words, models as links to where they are explained."""
        if "$ref" in schema:
            name = _short(schema["$ref"].removeprefix(_REFERENCE))
            return f"[{name}](#{name.lower()})"
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return " or ".join(dict.fromkeys(map(self._type, schema[several])))
        if "const" in schema or "enum" in schema:
            return " or ".join(f"`{_constant(value)}`" for value in schema.get("enum", [schema.get("const")]))
        if schema.get("type") == "array":
            return f"list of {self._type(schema.get('items', {}))}"
        return {"object": "object", "number": "number"}.get(schema.get("type", ""), schema.get("type", "anything"))


def _constant(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _short(name: str) -> str:
    """A model's name; where two have the same one, FastAPI puts the whole module before it."""
    return "".join(part.capitalize() for part in name.split("__")[-2:-1]) + name.rpartition("__")[2]


def _said(field: Mapping[str, Any]) -> str:
    """What a field is for, by its own word or by that of the one thing it may be beside null."""
    return next((one["description"] for one in (field, *field.get("anyOf", [])) if "description" in one), "")


def _row(*cells: str) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _socket() -> str:
    told, batch = (inspect.cleandoc(one.__doc__ or "").replace("``", "`") for one in (tail, Batch))
    return (
        f"## WebSocket /events?since=N\n\n{told}\n\n{batch} The host's token, or that of our own server, is `?token=`."
    )


def text() -> str:
    """The whole page."""
    return Page().text()


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text() else 1
    PAGE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
