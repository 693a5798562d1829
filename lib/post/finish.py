"""Stations 6 and 7 on one page: raw candidates in; checked, grounded values and doubts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from lib.domain.document import Page
from lib.domain.extraction import Candidate, FieldValue, Hints, RawExtraction, Reading, Source
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.post.answer import answer, open_answers
from lib.post.answered import Answered, answered_values
from lib.post.checks import Verdict, run_checks
from lib.post.choose import choose, choose_row
from lib.post.complete import complete
from lib.post.currency import printed_currency
from lib.post.dates import without_truncated
from lib.post.derive import derive
from lib.post.doubts import doubt_reasons, doubt_warnings, with_doubts
from lib.post.error_rates import ErrorRates, shipped_error_rates
from lib.post.evidence import Evidence
from lib.post.features import DocumentSigns, signs_of
from lib.post.known_vendors import recognise
from lib.post.normalise import read
from lib.post.options import Chosen, Option, Options, RowOptions
from lib.post.review import LOW_CONFIDENCE, ambiguity, doubts_lines_only, review_reasons
from lib.post.rows import fitting_rows
from lib.post.schema import build_result, schema_errors
from lib.post.settled import Settled, numbers, table_totals
from lib.post.tax_rows import is_taxed, without_parts

_ONLY_TAX_ROW = 0.3  # what the score of its amount or base is worth as the document's
_PRINTED = 0.5  # score of a subtotal with a label of its own
_MAX_OPTIONS = 16  # of a field: more are noise


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, from which readings, and what the checks find."""

    evidence: Evidence
    settled: Settled
    options: Options
    tables: Mapping[str, Sequence[RowOptions]]
    derived: Chosen
    verdicts: tuple[Verdict, ...]
    answered: tuple[Answered, ...]
    signs: DocumentSigns

    @property
    def unclear(self) -> tuple[str, ...]:
        """Fields that have readings of which nothing decides for any."""
        return tuple(
            name
            for name, found in self.options.items()
            if name not in self.settled.fields and found and found[0].ambiguous
        )


def choose_values(raw: RawExtraction, task: Task, pages: Sequence[Page], hints: Hints) -> Choice:
    """Read every candidate by its field's type; choose among candidates and readings by scores and
    by the sums they satisfy; derive what two printed ways agree on; check.
    """
    evidence = Evidence(raw, pages, hints)
    options = _read_fields(raw, task, evidence, pages)
    known = recognise(options, hints.vendors)
    if known is not None and (usual := known.hints(evidence)) != hints:
        evidence = Evidence(raw, pages, usual)
        options = _read_fields(raw, task, evidence, pages)
    tables = _read_tables(raw, task, evidence)
    rows = _choose_rows(task, tables)
    options = _with_tax_row(task, options, rows)
    options = without_parts(options, rows.get("tax_lines", ()))
    chosen = choose(task, options, table_totals(rows))
    chosen |= complete(task, options, chosen)
    chosen |= known.spelt if known is not None else {}
    rows = fitting_rows(rows, chosen)
    derived = derive(Settled(task, chosen, rows, hints.received_on))
    settled = Settled(task, {**chosen, **derived}, rows, hints.received_on)
    verdicts = run_checks(settled)
    return Choice(
        evidence=evidence,
        settled=settled,
        options=options,
        tables=tables,
        derived=derived,
        verdicts=verdicts,
        answered=answered_values(settled, options, tables, verdicts),
        signs=signs_of(raw, pages, evidence.text, verdicts),
    )


def finish(raw: RawExtraction, task: Task, pages: Sequence[Page], hints: Hints) -> Reading:
    """Turn an extractor's candidates into the task's values.

    Choose the values; say how sure each is and what a person should look at. `pages` is empty for
    an e-invoice, whose values are exact.
    """
    choice = choose_values(raw, task, pages, hints)
    settled, options = choice.settled, choice.options
    fields = answer(choice.answered, choice.signs)
    least = LOW_CONFIDENCE
    if hints.max_error_rate is not None:
        rates = shipped_error_rates()
        least = _least_confidence(raw, task, fields, rates, hints.max_error_rate)
        fields = _with_review(choice.answered, fields, rates, hints.max_error_rate)
    fields |= open_answers(options, choice.unclear)
    checks = tuple(verdict.check for verdict in choice.verdicts)
    result = build_result(settled)
    errors = schema_errors(task, result)
    reasons = (
        *review_reasons(task, settled.fields, fields, checks, errors, choice.unclear, least),
        *doubt_reasons(raw, task),
    )
    return Reading(
        document_type=raw.document_type,
        result=result,
        fields=with_doubts(fields, raw, task, choice.evidence),
        checks=checks,
        needs_review=bool(reasons),
        review_reasons=reasons,
        schema_errors=errors,
        warnings=(
            *raw.warnings,
            *doubt_warnings(raw),
            *_warnings(settled, options, choice.unclear, choice.derived),
            *(f"doubtful_lines:line_items: {c.message}" for c in checks if doubts_lines_only(c)),
        ),
    )


def _least_confidence(
    raw: RawExtraction,
    task: Task,
    fields: Mapping[str, FieldValue],
    rates: ErrorRates,
    max_error_rate: float,
) -> float:
    """That of every key field for the rate to be kept; inf where a served model answered any.

    The table is of the rules' answers, and a model's confidence is not fitted at all.
    """
    if any(field.source is Source.MODEL for field in fields.values()):
        return inf
    return rates.of_document(_kind(raw, task), max_error_rate)


def _kind(raw: RawExtraction, task: Task) -> DocumentType:
    """The type that the answers to a document count as; a credit note is read as an invoice."""
    kind = task.document_type or raw.document_type
    return DocumentType.INVOICE if kind is DocumentType.CREDIT_NOTE else kind


def _with_review(
    answered: Sequence[Answered],
    fields: Mapping[str, FieldValue],
    rates: ErrorRates,
    max_error_rate: float,
) -> dict[str, FieldValue]:
    """The answers; those outside of tables say whether they are less sure than the rate allows."""
    marked = dict(fields)
    for one in answered:
        if not one.in_table:
            field = fields[one.key]
            least = rates.of_field(one.field, field.source, max_error_rate)
            marked[one.key] = replace(field, needs_review=field.confidence < least)
    return marked


def _read_fields(
    raw: RawExtraction, task: Task, evidence: Evidence, pages: Sequence[Page]
) -> dict[str, tuple[Option, ...]]:
    options: dict[str, tuple[Option, ...]] = {}
    for spec in task.fields:
        if spec.type is FieldType.TABLE:
            continue
        candidates = raw.fields.get(spec.name, ())
        if spec.type is FieldType.CURRENCY and not candidates:
            candidates = printed_currency(evidence, pages)
        if found := _ranked(spec, candidates, evidence):
            options[spec.name] = found
    return options


def _ranked(
    spec: FieldSpec, candidates: Sequence[Candidate], evidence: Evidence
) -> tuple[Option, ...]:
    """The options of all candidates, best first; of equal readings only the best."""
    best: dict[object, Option] = {}
    if spec.type is FieldType.DATE:
        candidates = without_truncated(candidates)
    for candidate in candidates:
        for option in read(spec.name, spec.type, candidate, evidence):
            key = (option.value, option.order)
            if key not in best or option.score > best[key].score:
                best[key] = option
    ranked = sorted(best.values(), key=lambda option: (not option.exact, -option.score))
    return tuple(ranked[:_MAX_OPTIONS])


def _read_tables(
    raw: RawExtraction, task: Task, evidence: Evidence
) -> dict[str, tuple[RowOptions, ...]]:
    tables: dict[str, tuple[RowOptions, ...]] = {}
    for spec in task.fields:
        if spec.type is FieldType.TABLE:
            rows = (_read_row(spec, row, evidence) for row in raw.tables.get(spec.name, ()))
            tables[spec.name] = tuple(row for row in rows if row)
    return tables


def _read_row(table: FieldSpec, row: Mapping[str, Candidate], evidence: Evidence) -> RowOptions:
    cells = {
        column.name: read(f"{table.name}.{column.name}", column.type, row[column.name], evidence)
        for column in table.columns
        if column.name in row
    }
    return {name: found for name, found in cells.items() if found}


def _choose_rows(
    task: Task, tables: Mapping[str, Sequence[RowOptions]]
) -> dict[str, tuple[Mapping[str, Option], ...]]:
    columns = {spec.name: spec.columns for spec in task.fields}
    return {
        name: tuple(choose_row(columns[name], row) for row in rows) for name, rows in tables.items()
    }


def _with_tax_row(
    task: Task, options: Options, rows: Mapping[str, Sequence[Chosen]]
) -> dict[str, tuple[Option, ...]]:
    """The options, with the only tax row's amount and base among tax totals and subtotals.

    Rows without tax do not count, nor does one whose figures contradict its rate. What is printed
    as the subtotal is the subtotal: prices that contain tax add up to the total, and the base then
    stands in the tax row alone.
    """
    extended = dict(options)
    taxes = [row for row in rows.get("tax_lines", ()) if is_taxed(numbers(row))]
    for name, column in (("tax_total", "amount"), ("subtotal", "base")):
        cell = taxes[0].get(column) if len(taxes) == 1 else None
        known = options.get(name, ())
        sure = name == "subtotal" and any(option.score >= _PRINTED for option in known)
        if cell is None or sure or not task.field(name):
            continue
        if all(option.value != cell.value for option in known):
            extended[name] = (*known, replace(cell, weight=cell.weight * _ONLY_TAX_ROW))
    return extended


def _warnings(
    settled: Settled, options: Options, unclear: Sequence[str], derived: Mapping[str, Option]
) -> list[str]:
    """`ambiguous_date:issue_date: 2018-02-03 or 2018-03-02`; what was recalled or computed."""
    warnings: list[str] = []
    for spec in settled.task.fields:
        option = settled.fields.get(spec.name)
        if (option and option.ambiguous) or spec.name in unclear:
            values = dict.fromkeys(str(o.value) for o in options[spec.name][:4])
            warnings.append(f"{ambiguity(spec)}: {' or '.join(values)}")
    warnings += [
        f"known_vendor:{name}: spelt as known; read as {option.candidate.raw}"
        for name, option in settled.fields.items()
        if option.recalled and option.value != option.candidate.raw
    ]
    warnings += [f"derived:{name}: {option.value} is computed" for name, option in derived.items()]
    return warnings
