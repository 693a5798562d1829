"""Checks across fields: what each rule finds on the chosen values, with its arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lib.domain.extraction import Check, CheckStatus
from lib.domain.task import FieldType
from lib.post.arithmetic import (
    ADDENDS,
    SumFound,
    is_cash_rounded,
    line_amount,
    line_holds,
    line_targets,
    lines_tolerance,
    shown,
    tax_of,
    tax_within,
    total_from_subtotal,
    unit,
)
from lib.post.settled import ISSUE_MARGIN, Settled

_CONFIRMS = 0.7  # weight of a check that proves the total: three printed numbers, or two and a coin


@dataclass(frozen=True, slots=True)
class Verdict:
    """A check and what it says about its fields, 0..1: three numbers rarely agree by chance."""

    check: Check
    weight: float = 1.0


def run_checks(settled: Settled) -> tuple[Verdict, ...]:
    """Every rule that the task has the fields for, in fixed order; skipped ones say why."""
    names = {spec.name for spec in settled.task.fields}
    numbered = [s.name for s in settled.task.fields if s.type in (FieldType.TAX_ID, FieldType.IBAN)]
    return (
        *(rule(settled) for needed, rule in _RULES if needed <= names),
        *(_checksum(settled, name) for name in numbered),
    )


def _verdict(
    rule: str, status: CheckStatus, fields: Sequence[str], message: str, weight: float = 1.0
) -> Verdict:
    return Verdict(Check(rule, status, tuple(fields), message), weight)


def _passed(rule: str, fields: Sequence[str], message: str, weight: float = 1.0) -> Verdict:
    return _verdict(rule, CheckStatus.PASSED, fields, message, weight)


def _failed(rule: str, fields: Sequence[str], message: str, weight: float = 1.0) -> Verdict:
    return _verdict(rule, CheckStatus.FAILED, fields, message, weight)


def _skipped(rule: str, fields: Sequence[str], message: str) -> Verdict:
    return _verdict(rule, CheckStatus.SKIPPED, fields, message)


def _missing(rule: str, settled: Settled, *fields: str) -> Verdict | None:
    absent = [name for name in fields if name not in settled.fields]
    return _skipped(rule, fields, f"no {' and no '.join(absent)}") if absent else None


def _total_is_subtotal_plus_tax(settled: Settled) -> Verdict:
    rule = "total_is_subtotal_plus_tax"
    if missing := _missing(rule, settled, "total", "subtotal"):
        return missing
    values = settled.amounts()
    total, subtotal = values["total"], values["subtotal"]
    found = total_from_subtotal(values)
    if found and found.terms:
        fields = ("total", "subtotal", *found.terms)
        return _passed(rule, fields, _sum_message(settled, found, total))
    if found:
        tax = values.get("tax_total")
        note = f", tax of {tax} included" if tax else ""
        return _passed(rule, ("total", "subtotal"), f"{subtotal} = {total}{note}", 0.3)
    used = tuple(name for name in ADDENDS if values.get(name))
    everything = SumFound(used, Decimal(0))
    exact = subtotal + sum((ADDENDS[n] * values[n] for n in used), Decimal(0))
    fields = ("total", "subtotal", *used)
    if is_cash_rounded(total, exact):
        return _passed(
            rule, fields, f"{_sum_message(settled, everything, exact)}, rounded to {total}", 0.7
        )
    if "tax_total" not in values and total > subtotal:
        return _skipped(rule, fields, f"no tax_total between {subtotal} and {total}")
    return _failed(rule, fields, f"{_sum_message(settled, everything, exact)}, printed {total}")


def _sum_message(settled: Settled, found: SumFound, result: Decimal) -> str:
    values = settled.amounts()
    terms = [(1, values["subtotal"]), *((ADDENDS[name], values[name]) for name in found.terms)]
    rounding = f" (rounding {found.error})" if found.error else ""
    return shown(terms, result) + rounding


def _lines_sum_to_subtotal(settled: Settled) -> Verdict:
    """Names only the lines where they fail against a total that is confirmed otherwise."""
    rule = "lines_sum_to_subtotal"
    totals = settled.totals
    cells = [
        f"line_items[{i}].amount"
        for i, row in enumerate(settled.tables.get("line_items", ()))
        if "amount" in row
    ]
    targets = list(line_targets(settled.amounts()))
    if totals.lines is None:
        return _skipped(rule, (), "no line amounts")
    if not targets:
        return _skipped(rule, cells, "no subtotal and no total")
    tolerance = lines_tolerance(totals.line_count, (totals.lines,))
    weight = 1.0 if totals.line_count > 1 else 0.4
    for name, target in targets:
        if abs(totals.lines - target) <= tolerance:
            fields = [part for part in name.split() if part.isidentifier()]
            return _passed(
                rule,
                (*fields, *cells),
                f"{_lines_shown(settled, totals.lines)} ({name} {target})",
                weight,
            )
    name, target = targets[0]
    message = f"{_lines_shown(settled, totals.lines)}, {name} {target}"
    if not totals.lines_complete:
        return _skipped(rule, (name, *cells), f"{message}; not every line has an amount")
    if _total_is_confirmed(settled):
        return _failed(rule, cells, f"{message}; the total is confirmed without them", 0.5)
    return _failed(rule, (name, *cells), message, 0.3)  # lines are lost and merged more often


def _total_is_confirmed(settled: Settled) -> bool:
    """Whether the total follows from other printed numbers than the lines."""
    others = (_total_is_subtotal_plus_tax(settled), _change_is_paid_minus_total(settled))
    return any(o.check.status is CheckStatus.PASSED and o.weight >= _CONFIRMS for o in others)


def _lines_shown(settled: Settled, result: Decimal) -> str:
    amounts = [row["amount"] for row in settled.rows("line_items") if "amount" in row]
    if len(amounts) > 6:
        return f"{len(amounts)} lines = {result}"
    return shown([(1, amount) for amount in amounts], result)


def _line_amount_is_quantity_times_price(settled: Settled) -> Verdict:
    rule = "line_amount_is_quantity_times_price"
    verdicts = {i: line_holds(row) for i, row in enumerate(settled.rows("line_items"))}
    judged = [i for i, verdict in verdicts.items() if verdict is not None]
    wrong = [i for i in judged if not verdicts[i]]
    cells = [
        f"line_items[{i}].{name}"
        for i in (wrong or judged)
        for name in ("quantity", "unit_price", "amount")
    ]
    if not judged:
        return _skipped(rule, (), "no line with quantity, unit price and amount")
    if not wrong:
        return _passed(rule, cells, f"holds on {len(judged)} of {len(verdicts)} lines")
    rows = settled.rows("line_items")
    shown_lines = "; ".join(_line_shown(i, rows[i]) for i in wrong[:3])
    return _failed(rule, cells, shown_lines)


def _line_shown(index: int, row: dict[str, Decimal]) -> str:
    exact = line_amount(row)
    discount = f" - {row['discount']}" if row.get("discount") else ""
    product = f"{row['quantity']} x {row['unit_price']}{discount} = {exact}"
    return f"line {index + 1}: {product}, printed {row['amount']}"


def _tax_is_base_times_rate(settled: Settled) -> Verdict:
    rule = "tax_is_base_times_rate"
    messages: list[str] = []
    wrong: list[str] = []
    cells: list[str] = []
    count = settled.totals.line_count
    for index, row in enumerate(settled.rows("tax_lines")):
        if not {"rate", "base", "amount"} <= row.keys():
            continue
        rate, base, amount = row["rate"], row["base"], row["amount"]
        cells += [f"tax_lines[{index}].{name}" for name in ("rate", "base", "amount")]
        tolerance = max(unit((amount,)), lines_tolerance(count, (amount,)))
        exact = tax_of(base, rate)
        holds = (
            abs(exact - amount) <= tolerance or abs(tax_within(base, rate) - amount) <= tolerance
        )
        text = f"{base} x {rate} % = {exact.quantize(Decimal('0.01'))}"
        messages.append(text)
        if not holds:
            wrong.append(f"{text}, printed {amount}")
    if not messages:
        return _skipped(rule, (), "no tax line with rate, base and amount")
    if wrong:
        return _failed(rule, cells, "; ".join(wrong))
    return _passed(rule, cells, "; ".join(messages))


def _tax_lines_sum_to_tax_total(settled: Settled) -> Verdict:
    rule = "tax_lines_sum_to_tax_total"
    amounts = [row["amount"] for row in settled.rows("tax_lines") if "amount" in row]
    tax = settled.amount("tax_total")
    fields = ("tax_total", *(f"tax_lines[{i}].amount" for i in range(len(amounts))))
    if tax is None or settled.totals.tax_amounts is None:
        return _skipped(
            rule, fields, "no tax_total" if tax is None else "no tax lines with amounts"
        )
    text = shown([(1, amount) for amount in amounts], sum(amounts, Decimal(0)))
    weight = 0.7 if len(amounts) > 1 else 0.2
    if abs(sum(amounts, Decimal(0)) - tax) <= unit((tax,)):
        return _passed(rule, fields, text, weight)
    return _failed(rule, fields, f"{text}, printed {tax}", weight)


def _amount_due_is_total_minus_paid(settled: Settled) -> Verdict:
    rule = "amount_due_is_total_minus_paid"
    if missing := _missing(rule, settled, "amount_due", "total"):
        return missing
    values = settled.amounts()
    total, due, paid = values["total"], values["amount_due"], values.get("amount_paid")
    if not paid:
        if due == total:
            return _passed(rule, ("amount_due", "total"), f"{total} = {due}, nothing paid", 0.3)
        if is_cash_rounded(due, total):
            return _passed(rule, ("amount_due", "total"), f"{total} rounded to {due}", 0.3)
        return _skipped(rule, ("amount_due", "total"), f"no amount_paid between {total} and {due}")
    fields = ("amount_due", "total", "amount_paid")
    text = shown([(1, total), (-1, paid)], total - paid)
    if abs(total - paid - due) <= unit((total,)) or is_cash_rounded(due, total - paid):
        return _passed(rule, fields, text)
    return _failed(rule, fields, f"{text}, printed {due}")


def _change_is_paid_minus_total(settled: Settled) -> Verdict:
    rule = "change_is_paid_minus_total"
    values, payments = settled.amounts(), settled.totals.payments
    cells = [f"payments[{i}].amount" for i in range(len(settled.tables.get("payments", ())))]
    if payments is None or "change" not in values or "total" not in values:
        absent = [n for n in ("total", "change") if n not in values] + (
            ["payments"] if payments is None else []
        )
        return _skipped(rule, ("change", "total", *cells), f"no {' and no '.join(absent)}")
    total, change = values["total"], values["change"]
    text = shown([(1, payments), (-1, total)], payments - total)
    fields = ("change", "total", *cells)
    tip = values.get("tip", Decimal(0))
    exact = payments - total
    if any(abs(e - change) <= unit((total,)) for e in (exact, exact - tip)):
        return _passed(rule, fields, text, 1.0 if change else 0.4)
    if is_cash_rounded(payments - change, total):
        return _passed(rule, fields, f"{text}, rounded to {change}", 0.7)
    return _failed(rule, fields, f"{text}, printed {change}", 0.7)


def _due_not_before_issue(settled: Settled) -> Verdict:
    rule, fields = "due_not_before_issue", ("due_date", "issue_date")
    if missing := _missing(rule, settled, *fields):
        return missing
    due, issue = settled.day("due_date"), settled.day("issue_date")
    if due is None or issue is None:
        return _skipped(rule, fields, "not both are dates of the calendar")
    message = f"due {due}, issued {issue}"
    return _passed(rule, fields, message, 0.3) if due >= issue else _failed(rule, fields, message)


def _issue_not_in_future(settled: Settled) -> Verdict:
    rule, fields = "issue_date_not_in_future", ("issue_date",)
    issue = settled.day("issue_date")
    if issue is None:
        return _skipped(rule, fields, "no issue_date")
    message = f"issued {issue}, received {settled.received_on}"
    if issue <= settled.received_on + ISSUE_MARGIN:
        return _passed(rule, fields, message, 0.0)
    return _failed(rule, fields, message)


def _currency_is_printed(settled: Settled) -> Verdict:
    rule = "currency_is_printed"
    option = settled.fields.get("currency")
    if option is None:
        return _skipped(rule, ("currency",), "no sign or code that means one currency")
    return _passed(rule, ("currency",), f"{option.candidate.raw} means {option.value}", 0.5)


def _checksum(settled: Settled, name: str) -> Verdict:
    rule = f"{name}_checksum"
    option = settled.fields.get(name)
    if option is None:
        return _skipped(rule, (name,), f"no {name}")
    if option.valid is None:
        return _skipped(rule, (name,), f"no checksum is known for {option.value}")
    if option.valid:
        return _passed(rule, (name,), f"the checksum of {option.value} holds")
    return _failed(rule, (name,), f"the checksum of {option.value} does not hold")


_RULES: tuple[tuple[frozenset[str], Callable[[Settled], Verdict]], ...] = (
    (frozenset({"total", "subtotal"}), _total_is_subtotal_plus_tax),
    (frozenset({"line_items"}), _lines_sum_to_subtotal),
    (frozenset({"line_items"}), _line_amount_is_quantity_times_price),
    (frozenset({"tax_lines"}), _tax_is_base_times_rate),
    (frozenset({"tax_lines", "tax_total"}), _tax_lines_sum_to_tax_total),
    (frozenset({"amount_due", "total"}), _amount_due_is_total_minus_paid),
    (frozenset({"payments", "change", "total"}), _change_is_paid_minus_total),
    (frozenset({"due_date", "issue_date"}), _due_not_before_issue),
    (frozenset({"issue_date"}), _issue_not_in_future),
    (frozenset({"currency"}), _currency_is_printed),
)
