"""The parts of the sum: subtotal, taxes, charges, discounts, rounding, payments and change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal

from lib.domain.extraction import Candidate
from lib.kie.layout import Row, Span
from lib.kie.mentions import LabelMention, Mentions
from lib.kie.ranking import ranked, weigh
from lib.kie.receipts.amounts import LabelledAmount, Role, role_of
from lib.kie.receipts.ladder import Ladder, ladders_to

# Set by hand, one table for all parts: the label is the evidence, the rest breaks ties.
PART_WEIGHTS = {
    "head": 3.0,
    "later role": 1.0,
    "from above": -0.7,
    "last of its row": 0.5,
    "decimals": 1.0,
    "taken off": 3.0,
    "in tax summary": -1.5,
    "other role first": -1.5,
    "behind the total": -0.7,
    "above the total's value": -3.0,
    "order": -0.1,
    "amount over the total": 1.0,
    "in the sum": 4.5,
    "something else in the sum": -3.0,
}
NO_PART = 1.8

_FIELDS: Mapping[str, Role] = {
    "subtotal": Role.SUBTOTAL,
    "tax_total": Role.TAX,
    "service_charge": Role.SERVICE,
    "tip": Role.TIP,
    "rounding": Role.ROUNDING,
    "discount_total": Role.DISCOUNT,
    "change": Role.CHANGE,
}


def find_parts(
    mentions: Mentions,
    amounts: Sequence[LabelledAmount],
    total: Candidate | None,
    summary: frozenset[int],
    items: frozenset[int],
    ladders: Sequence[Ladder] = (),
    other_than_taxes: Set[Span] = frozenset(),
) -> dict[str, tuple[Candidate, ...]]:
    """Candidates for each part of the sum, best first.

    `summary` and `items` are the rows of tax summaries and of line items; `ladders` say what an
    amount is by arithmetic, whatever label stands beside it; `other_than_taxes` are the bases and
    gross amounts in rows that name a tax.
    """
    limit, total_row = _total(mentions, amounts, total)
    elsewhere = {
        Role.TAX: other_than_taxes,
        Role.SUBTOTAL: _below(mentions, amounts, total_row),
        Role.TIP: _suggested(mentions, amounts),
    }
    proven = _proven(ladders_to(ladders, limit), items) if limit is not None else {}
    proven |= _given_back(amounts, limit, total_row)
    found: dict[str, tuple[Candidate, ...]] = {}
    for name, role in _FIELDS.items():
        fitting = [
            a
            for a in amounts
            if proven.get(a, role) is not None
            and (proven.get(a) is role or (_is_called(a, role) and _fits(a, role, items)))
            and a.mention.span not in elsewhere.get(role, ())
        ]
        scored = []
        for order, a in enumerate(fitting):
            features = _features(a, role, order, limit, total_row, summary)
            features["amount over the total"] = float(a.head is Role.AMOUNT)
            features["in the sum"] = float(proven.get(a) is role)
            features["something else in the sum"] = float(a in proven and proven[a] is not role)
            scored.append((a.mention.value, weigh(features, PART_WEIGHTS)))
        candidates = tuple(
            mentions.candidate([fitting[index].mention.span], share, fitting[index].label_text)
            for index, share in ranked(scored, NO_PART)[:5]
        )
        if candidates:
            found[name] = candidates
    return found


def _proven(chain: Sequence[Ladder], items: frozenset[int]) -> dict[LabelledAmount, Role | None]:
    """What the amounts of the sums that lead to the total are; the total itself is left out.

    A sum that starts among the items says nothing about the subtotal, and of several taxes none is
    the document's.
    """
    roles: dict[LabelledAmount, Role | None] = {}
    for ladder in chain:
        if not ladder.ends_with_total or (len(chain) == 1 and ladder.first.head is not Role.TOTAL):
            nameless = ladder.first.head is None and not ladder.labels_are_low
            if not nameless or ladder.sums_up or ladder.first.row.index not in items:
                roles[ladder.first] = Role.SUBTOTAL
        taxes = [
            s.mention.value
            for (_, s), role in zip(ladder.steps, ladder.roles, strict=True)
            if role is Role.TAX and s.mention.value
        ]
        for (_, step), role in zip(ladder.steps, ladder.roles, strict=True):
            roles[step] = None if role is Role.TAX and len(taxes) > 1 else role
    return roles


def _suggested(mentions: Mentions, amounts: Sequence[LabelledAmount]) -> frozenset[Span]:
    """Tips that are offered to choose from: a rate before each, under a heading for them all."""
    return frozenset(
        amount.mention.span
        for amount in amounts
        if amount.head is Role.TIP
        and amount.from_above
        and any(a.match.percent for a in mentions.row_amounts(amount.row))
    )


def _given_back(
    amounts: Sequence[LabelledAmount], total: Decimal | None, total_row: int
) -> dict[LabelledAmount, Role | None]:
    """A "balance" behind the payment that is what was paid above the total: the change."""
    if total is None:
        return {}
    paid = [
        a
        for a in amounts
        if a.head is Role.PAID and a.row.index >= total_row and a.mention.value > total
    ]
    return {
        a: Role.CHANGE
        for a in amounts
        for payment in paid
        if a.head is Role.TOTAL
        and a.row.index > payment.row.index
        and a.mention.value == payment.mention.value - total != total
    }


def _is_called(amount: LabelledAmount, role: Role) -> bool:
    """Whether the label says so; a plain "Amount" over the total is what was bought."""
    return role in amount.roles or (role is Role.SUBTOTAL and amount.head is Role.AMOUNT)


def _below(
    mentions: Mentions, amounts: Sequence[LabelledAmount], total_row: int
) -> frozenset[Span]:
    """Plain "Amounts" that are no subtotal: below the total, or with no tip or total to come."""
    rows = mentions.layout.rows
    found = set()
    for amount in amounts:
        index = amount.row.index
        if amount.head is Role.AMOUNT and index >= total_row:
            following = [
                role for row in rows[index + 1 : index + 3] for role in _row_roles(mentions, row)
            ]
            if index > total_row or Role.TIP not in following:
                found.add(amount.mention.span)
    return frozenset(found)


def _row_roles(mentions: Mentions, row: Row) -> list[Role | None]:
    return [role_of(label.match) for label in mentions.row_labels(row)]


def _fits(amount: LabelledAmount, role: Role, items: frozenset[int]) -> bool:
    if not amount.mention.is_money:
        return False
    # A discount inside the table belongs to its line.
    return amount.row.index not in items or role in (Role.SUBTOTAL,)


def _features(
    amount: LabelledAmount,
    role: Role,
    order: int,
    limit: Decimal | None,
    total_row: int,
    summary: frozenset[int],
) -> dict[str, float]:
    bounded = role not in (Role.CHANGE, Role.DISCOUNT, Role.SUBTOTAL)
    features = {
        "head": amount.head is role,
        "later role": amount.head is not role,
        "from above": amount.from_above,
        "last of its row": amount.following == 0,
        "decimals": amount.mention.is_exact,
        "taken off": role is Role.DISCOUNT and amount.mention.value < 0,
        "in tax summary": amount.row.index in summary,
        "other role first": amount.head in (Role.TOTAL, Role.COUNT, Role.POINTS),
        "behind the total": role is not Role.CHANGE and amount.row.index > total_row,
        "above the total's value": bounded
        and limit is not None
        and abs(amount.mention.value) > abs(limit),
        "order": min(order, 6),
    }
    return {name: float(value) for name, value in features.items()}


def _total(
    mentions: Mentions, amounts: Sequence[LabelledAmount], total: Candidate | None
) -> tuple[Decimal | None, int]:
    if total is not None:
        for amount in amounts:
            span = amount.mention.span
            if span.words == total.words and span.text.strip() == total.raw:
                return amount.mention.value, amount.row.index
    return None, len(mentions.layout.rows)


def find_payments(
    mentions: Mentions, amounts: Sequence[LabelledAmount], items: frozenset[int]
) -> tuple[Mapping[str, Candidate], ...]:
    """A row for each labelled means of payment: its printed name and the amount given."""
    rows: list[Mapping[str, Candidate]] = []
    seen: set[tuple[str, Decimal]] = set()
    for amount in amounts:
        if amount.head is not Role.PAID or amount.row.index in items or amount.following:
            continue
        labels = [la for la in amount.labels if la.match.cues & _MEANS]
        if not labels or not mentions.is_price(amount.mention):
            continue
        method, score = _method(labels), labels[0].match.score
        key = (method.text.casefold(), amount.mention.value)
        if key not in seen:
            seen.add(key)
            rows.append(
                {
                    "method": mentions.candidate([method], score),
                    "amount": mentions.candidate([amount.mention.span], score),
                }
            )
    return tuple(rows)


def _method(labels: Sequence[LabelMention]) -> Span:
    """The name of the means of payment; words for it that stand together are one: "Visa debit"."""
    span = labels[0].span
    for label in labels[1:]:
        between = span.cell.text[span.end : label.span.start]
        if label.span.cell is not span.cell or any(map(str.isalnum, between)):
            break
        span = Span(span.cell, span.start, label.span.end)
    return span


_MEANS = frozenset({"cash", "card", "other_payment"})
