"""What a person should look at, as stable reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lib.domain.extraction import Check, CheckStatus, FieldValue, Source
from lib.domain.task import DocumentType, FieldSpec, FieldType, Task
from lib.post.options import Chosen

# Without these a receipt or an invoice cannot be booked.
_KEY_FIELDS = ("vendor_name", "document_number", "issue_date", "total")
_NOT_ALWAYS_PRINTED = {DocumentType.RECEIPT: frozenset({"document_number"})}

LOW_CONFIDENCE = 0.6
"""Below, a value is wrong often enough that looking is cheaper than booking it wrong."""


def review_reasons(
    task: Task,
    chosen: Chosen,
    fields: Mapping[str, FieldValue],
    checks: Sequence[Check],
    schema_errors: Sequence[str],
    unclear: Sequence[str],
    least_confidence: float = LOW_CONFIDENCE,
) -> tuple[str, ...]:
    """Reasons in a fixed order: what is missing, doubtful, ambiguous, contradicted, malformed.

    `unclear`: names of fields that have candidates of which none could be taken (a `$` without a
    country). `least_confidence`: below it a key field is doubtful. A task without any of the usual
    key fields has all its fields as key fields.
    """
    key = key_fields(task)
    answered = {name for name, field in fields.items() if field.value is not None}
    reasons = [f"missing:{name}" for name in key if name not in answered]
    reasons += [
        f"low_confidence:{name}"
        for name in key
        if name in answered and _is_doubtful(fields[name], least_confidence)
    ]
    for spec in task.fields:
        option = chosen.get(spec.name)
        if (option and option.ambiguous) or spec.name in unclear:
            reasons.append(ambiguity(spec))
    reasons += [
        f"check_failed:{check.rule}"
        for check in checks
        if check.status is CheckStatus.FAILED and not doubts_lines_only(check)
    ]
    reasons += [f"schema:{error}" for error in schema_errors]
    return tuple(dict.fromkeys(reasons))


def doubts_lines_only(check: Check) -> bool:
    """Whether lines were missed or misread under a total that is confirmed without them.

    What is booked from the header is right then; the check and a warning tell whoever books lines.
    """
    return (
        check.rule == "lines_sum_to_subtotal"
        and check.status is CheckStatus.FAILED
        and all(name.startswith("line_items[") for name in check.fields)
    )


def ambiguity(spec: FieldSpec) -> str:
    """The stable name of a field's ambiguity, such as `ambiguous_date:issue_date`."""
    names = {FieldType.DATE: "ambiguous_date", FieldType.CURRENCY: "ambiguous_currency"}
    return f"{names.get(spec.type, 'ambiguous_amount')}:{spec.name}"


def _is_doubtful(field: FieldValue, least_confidence: float) -> bool:
    """Whether a person should look; what XML says is not read and therefore not misread."""
    return field.source is not Source.XML and field.confidence < least_confidence


def key_fields(task: Task) -> tuple[str, ...]:
    """The fields without which a document of the task cannot be booked."""
    kind = task.document_type
    optional = _NOT_ALWAYS_PRINTED.get(kind, frozenset()) if kind else frozenset()
    scalar = tuple(spec.name for spec in task.fields if spec.type is not FieldType.TABLE)
    return tuple(n for n in _KEY_FIELDS if n in scalar and n not in optional) or scalar
