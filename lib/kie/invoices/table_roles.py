"""Which role each column of the item table has: by its heading, and by what stands in it.

A heading may be unknown, or mean something else than usual. Quantity, unit price and amount are the
columns whose product holds; a rate is a number that the sums print as a rate too; positions count
up; codes and units have their shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import permutations

from lib.values.amounts import find_amounts, parse_amount

Texts = Mapping[str, Sequence[str | None]]
"""Per column the printed cells, one of each item, None where it has none."""

UNNAMED = "unnamed"
"""What the key of a column begins with whose heading names nothing known."""

_FACTORS = ("quantity", "unit_price", "amount")
_MOST_NUMERIC = 8  # columns that are tried as factors
_ROWS_TRIED = 30
_TRUSTED, _FOUND = 0.5, 0.75  # shares of rows whose product holds
_MOSTLY, _RARELY = 0.6, 0.3
_LARGEST_RATE = Decimal(35)
_CENT = Decimal("0.011")
_HALF_PER_CENT = Decimal("0.005")
_UNIT = re.compile(r"^[^\W\d_]{1,7}\.?(?:[²³23]|\b)?$")
_CODE = re.compile(r"^(?=.*\d)[\w./\-]{3,24}$")


@dataclass(frozen=True, slots=True)
class Printed:
    """What the document prints outside the table: tax rates, and letters that stand for them."""

    rates: frozenset[Decimal]
    letters: frozenset[str]


def roles_of(texts: Texts, mark: str | None, printed: Printed) -> dict[str, str]:
    """The role of each column by its key; unnamed columns without a role are left out.

    `texts` is keyed by what the headings say.
    """
    numbers = {key: _numbers(cells, mark) for key, cells in texts.items()}
    roles = {
        key: key
        for key in texts
        if not key.startswith(UNNAMED) and not _contradicted(key, texts[key], numbers[key])
    }
    changes = _factors(roles, numbers, list(texts))
    displaced = {role for role in changes.values() if role not in changes}
    roles = {key: role for key, role in roles.items() if key not in displaced} | changes
    for key in texts:
        if key not in roles:
            role = _by_content(key, texts, numbers, printed, roles)
            if role:
                roles[key] = role
    return roles


def _contradicted(
    role: str, cells: Sequence[str | None], numbers: Sequence[Decimal | None]
) -> bool:
    """Whether a column's cells can't be what its heading says: words as quantities and the like."""
    printed = sum(bool(cell) for cell in cells)
    numeric = sum(number is not None for number in numbers)
    if role in ("quantity", "unit_price"):
        return numeric < _RARELY * printed
    plain = sum(bool(cell and not any(map(str.isalpha, cell))) for cell in cells)
    return role == "unit" and plain > (1 - _RARELY) * printed


def _numbers(cells: Sequence[str | None], mark: str | None) -> list[Decimal | None]:
    """The numbers of cells that are one, with a unit or a currency at most."""
    found: list[Decimal | None] = []
    for text in cells:
        amount = parse_amount(text, mark) if text else None
        if amount is None and text and (several := find_amounts(text)):
            letters = sum(map(str.isalpha, text))
            amount = several[0] if len(several) == 1 and letters <= 8 else None
        found.append(amount.value if amount else None)
    return found


def product_holds(quantity: Decimal, price: Decimal, amount: Decimal) -> bool:
    """Whether an amount is quantity x price, as far as a price rounded to cents can tell."""
    slack = _CENT + abs(quantity) * _HALF_PER_CENT * (abs(quantity) < 1)
    return abs(abs(quantity * price) - abs(amount)) <= slack


def _factors(
    roles: Mapping[str, str], numbers: Mapping[str, Sequence[Decimal | None]], order: Sequence[str]
) -> dict[str, str]:
    """Roles by key so that quantity x unit price is the amount on most lines; none where it is."""
    if roles.keys() >= set(_FACTORS) and _share(_FACTORS, numbers) >= _TRUSTED:
        return {}
    numeric = [key for key in order if sum(n is not None for n in numbers[key])][:_MOST_NUMERIC]
    best: tuple[float, int, tuple[str, ...]] = (0.0, 0, ())
    for triple in permutations(numeric, 3):
        share = _share(triple, numbers)
        if share < _FOUND or not _tells(triple, numbers):
            continue
        agreeing = sum(key == role for key, role in zip(triple, _FACTORS, strict=True))
        in_order = order.index(triple[2]) > max(map(order.index, triple[:2]))
        if (round(share, 1), agreeing + in_order) > best[:2]:
            best = (round(share, 1), agreeing + in_order, triple)
    if not best[2]:
        return {}
    return dict(zip(best[2], _FACTORS, strict=True))


def _share(triple: Sequence[str], numbers: Mapping[str, Sequence[Decimal | None]]) -> float:
    """Of the lines with all three numbers the share whose product holds, less a discount that is
    printed; 0 where few have them."""
    rows = list(_rows(triple, numbers))
    discounts = () if "discount" in triple else numbers.get("discount", ())
    held = 0
    for index, (quantity, price, amount) in rows:
        less = discounts[index] if index < len(discounts) else None
        full = quantity * price
        held += product_holds(quantity, price, amount) or (
            less is not None
            and any(
                abs(net - amount) <= 2 * _CENT for net in (full - less, full * (100 - less) / 100)
            )
        )
    return held / len(rows) if rows else 0.0


def _rows(
    triple: Sequence[str], numbers: Mapping[str, Sequence[Decimal | None]]
) -> Iterator[tuple[int, tuple[Decimal, Decimal, Decimal]]]:
    columns = [numbers[key][:_ROWS_TRIED] for key in triple]
    for index, (quantity, price, amount) in enumerate(zip(*columns, strict=True)):
        if quantity is not None and price is not None and amount is not None:
            yield index, (quantity, price, amount)


def _tells(triple: Sequence[str], numbers: Mapping[str, Sequence[Decimal | None]]) -> bool:
    """Whether most items have all three numbers, not all of them with 1 as a factor."""
    rows = [row for _, row in _rows(triple, numbers)]
    items = len(numbers[triple[0]][:_ROWS_TRIED])
    return 2 * len(rows) >= items and any(q not in (0, 1) and p not in (0, 1) for q, p, _ in rows)


def _by_content(
    key: str,
    texts: Texts,
    numbers: Mapping[str, Sequence[Decimal | None]],
    printed: Printed,
    roles: Mapping[str, str],
) -> str | None:
    """The role that the cells of an unnamed column speak for, of those that no other column has."""
    cells = [text.strip() for text in texts[key] if text and text.strip()]
    if not cells:
        return None
    taken = set(roles.values())
    values = [number for number in numbers[key] if number is not None]
    tests = {
        "tax_rate": _are_rates(cells, values, printed.rates) or set(cells) <= printed.letters,
        "position": [int(v) for v in values if v == int(v)] == list(range(1, len(cells) + 1)),
        "unit": _share_of(_UNIT, cells) >= _MOSTLY and len(set(cells)) < max(2, len(cells)),
        "product_code": _share_of(_CODE, cells) >= _MOSTLY and not _are_money(cells, values),
        "discount": _are_discounts(key, numbers, roles),
    }
    return next((role for role, holds in tests.items() if holds and role not in taken), None)


def _share_of(pattern: re.Pattern[str], cells: Sequence[str]) -> float:
    return sum(bool(pattern.match(cell)) for cell in cells) / len(cells)


def _are_rates(cells: Sequence[str], values: Sequence[Decimal], rates: frozenset[Decimal]) -> bool:
    """Numbers that are printed as rates elsewhere, or few percentages in the range of taxes."""
    if len(values) < len(cells) or not all(0 <= value <= _LARGEST_RATE for value in values):
        return False
    if rates and set(values) <= rates:
        return True
    return not rates and all("%" in cell for cell in cells) and len(set(values)) <= 3


def _are_money(cells: Sequence[str], values: Sequence[Decimal]) -> bool:
    decimals = sum(bool(re.search(r"[.,]\d{2}\b", cell)) for cell in cells)
    return len(values) >= _MOSTLY * len(cells) and decimals >= _MOSTLY * len(cells)


def _are_discounts(
    key: str, numbers: Mapping[str, Sequence[Decimal | None]], roles: Mapping[str, str]
) -> bool:
    """Whether quantity x price less the number, or less so many per cent, is the amount."""
    by_role = {role: numbers[name] for name, role in roles.items() if name in numbers}
    if not by_role.keys() >= set(_FACTORS):
        return False
    held = judged = 0
    for less, q, p, amount in zip(numbers[key], *(by_role[role] for role in _FACTORS), strict=True):
        if less is None or q is None or p is None or amount is None or not less:
            continue
        judged += 1
        full = q * p
        held += any(
            abs(net - amount) <= 2 * _CENT for net in (full - less, full * (100 - less) / 100)
        )
    return judged > 0 and held == judged
