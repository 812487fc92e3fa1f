"""Routes that hand data out: everything of one kind as JSON or CSV, written while it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, fields
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, TypeAdapter

from ..evaluation import exports
from ..ratchet.audit.chain import Transition
from ..ratchet.context import Context
from . import contexts
from .answers import ERRORS, RatchetRoute
from .asking import USABLE
from .rows import ExperimentRow, ScenarioResultRow

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["export"])

Kind = Literal["experiments", "results", "transitions"]
Asked = Annotated[Kind, Path(description="What is handed out.")]
Row = ExperimentRow | ScenarioResultRow | Transition

_ROWS: dict[Kind, tuple[type[Any], Callable[[Context], Iterator[Row]]]] = {
    "experiments": (ExperimentRow, lambda context: map(ExperimentRow.of, exports.experiments(context))),
    "results": (ScenarioResultRow, lambda context: map(ScenarioResultRow.of, exports.results(context))),
    "transitions": (Transition, exports.transitions),
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A line of column names, then one line per row.",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


class ExportedExperiments(BaseModel):
    """Oldest first."""

    experiments: list[ExperimentRow]


class ExportedResults(BaseModel):
    """Oldest first; without those of held-out scenarios."""

    results: list[ScenarioResultRow]


class ExportedTransitions(BaseModel):
    """Oldest first."""

    transitions: list[Transition]


@router.get(
    "/export/{kind}.json",
    response_model=ExportedExperiments | ExportedResults | ExportedTransitions,
    dependencies=[USABLE],
)
def export_json(kind: Asked) -> StreamingResponse:
    """Everything of one kind as one JSON document."""
    return _download(_as_json(kind), kind, "json", "application/json")


@router.get("/export/{kind}.csv", response_class=StreamingResponse, dependencies=[USABLE], responses=_CSV)
def export_csv(kind: Asked) -> StreamingResponse:
    """Everything of one kind as a table; text that a spreadsheet would take for a formula begins with an apostrophe."""
    return _download(_as_csv(kind), kind, "csv", "text/csv")


def _download(parts: Iterable[str], kind: Kind, form: str, media_type: str) -> StreamingResponse:
    named = {"Content-Disposition": f'attachment; filename="{kind}.{form}"'}
    return StreamingResponse(parts, media_type=media_type, headers=named)


def _as_json(kind: Kind) -> Iterator[str]:
    record, rows = _ROWS[kind]
    encode = TypeAdapter(record).dump_json
    yield f'{{"{kind}":['
    # The request's own context may be somebody else's by now: an answer is written after its route has ended.
    with contexts.lent() as context:
        for number, row in enumerate(rows(context)):
            yield ("," if number else "") + encode(row).decode("utf-8")
    yield "]}"


def _as_csv(kind: Kind) -> Iterator[str]:
    record, rows = _ROWS[kind]
    names = [field.name for field in fields(record)]
    yield _csv_line(names)
    with contexts.lent() as context:
        for row in rows(context):
            yield _csv_line(map(_cell, asdict(row).values()))


def _csv_line(cells: Iterable[object]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
