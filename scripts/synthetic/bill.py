"""What a synthetic document states: lines, taxes and sums, all computed with Decimal."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import ROUND_HALF_UP, Decimal

from synthetic.parties import Party, company, person, shop
from synthetic.places import Country

ZERO = Decimal()
HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Item:
    """`amount` = quantity x unit price - discount, rounded; `weighed` has a quantity in kg."""

    description: str
    code: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    discount: Decimal
    rate: Decimal
    amount: Decimal
    weighed: bool = False
    discount_rate: Decimal = ZERO


@dataclass(frozen=True)
class Tax:
    rate: Decimal
    base: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Bill:
    """`inclusive`: the lines' amounts hold the tax. `subtotal` is without tax on an invoice."""

    kind: str
    country: Country
    vendor: Party
    customer: Party
    number: str
    issued: date
    at: time
    items: tuple[Item, ...]
    inclusive: bool
    taxes: tuple[Tax, ...]
    lines_total: Decimal
    subtotal: Decimal
    total: Decimal
    discount: Decimal = ZERO
    shipping: Decimal = ZERO
    service: Decimal = ZERO
    service_rate: Decimal = ZERO
    tip: Decimal = ZERO
    rounding: Decimal = ZERO
    paid: Decimal = ZERO
    tendered: Decimal | None = None
    food: bool = False
    due: date | None = None
    delivered: date | None = None
    days: int = 30
    reverse_charge: bool = False

    @property
    def tax_total(self) -> Decimal:
        return sum((tax.amount for tax in self.taxes), ZERO)

    @property
    def change(self) -> Decimal | None:
        return None if self.tendered is None else self.tendered - self.total


def document_number(chance: random.Random, year: int) -> str:
    """One of the many shapes that numbers of documents have."""
    serial = chance.randint(1, 99999)
    shapes = (
        f"{serial:05d}",
        f"{year}-{serial:04d}",
        f"INV-{serial:06d}",
        f"{chance.choice('ABFRV')}{year % 100}{serial:05d}",
        f"{year}/{serial % 1000:03d}",
        f"{chance.randint(10, 99)}-{serial:05d}-{chance.randint(1, 9)}",
        f"{chance.randint(100000, 99999999)}",
    )
    return chance.choice(shapes)


def _taxes(sums: dict[Decimal, Decimal], country: Country, *, inclusive: bool) -> tuple[Tax, ...]:
    """Per rate, highest first; from gross sums the contained tax, from net sums the added one."""
    rows = []
    for rate, amount in sorted(sums.items(), reverse=True):
        if inclusive:
            tax = country.round(amount * rate / (HUNDRED + rate))
            rows.append(Tax(rate, amount - tax, tax))
        else:
            rows.append(Tax(rate, amount, country.round(amount * rate / HUNDRED)))
    return tuple(rows)


def _levels(taxes: tuple[Tax, ...], country: Country) -> tuple[Tax, ...]:
    """The taxes by level of government, where the country has two."""
    if country.facts["tax_kind"] != "split":
        return taxes
    return tuple(half for tax in taxes for half in _halves(tax, country))


def _halves(tax: Tax, country: Country) -> tuple[Tax, Tax]:
    """One tax as the equal shares of two levels of government."""
    rate = tax.rate / 2
    half = Tax(rate, tax.base, country.round(tax.base * rate / HUNDRED))
    return half, half


def _sums(items: tuple[Item, ...]) -> dict[Decimal, Decimal]:
    sums: dict[Decimal, Decimal] = {}
    for item in items:
        sums[item.rate] = sums.get(item.rate, ZERO) + item.amount
    return sums


def _code(chance: random.Random) -> str:
    serial = chance.randint(1000, 99999)
    return chance.choice((f"{serial}", f"{chance.choice('ABKMT')}-{serial}", f"40{serial:05d}"))


def _rates(country: Country, chance: random.Random, *, several: float) -> list[Decimal]:
    """All of the country's rates, or its first; a tax added to prices has one rate a document."""
    if country.facts["tax_kind"] == "sales":
        return [chance.choice(country.rates)]
    return country.rates if chance.random() < several else country.rates[:1]


def _invoice_items(country: Country, chance: random.Random, *, rebates: bool) -> tuple[Item, ...]:
    words = country.words
    stock = [*words["goods"], *words["services"]]
    count = chance.choice((1, 2, 3, 3, 4, 5, 6, 8, 12, 30, 45))
    rates = _rates(country, chance, several=0.45)
    items = []
    for _ in range(count):
        quantity = Decimal(chance.choice((1, 1, 2, 3, 5, 10, 12, 24, 100)))
        if chance.random() < 0.12:
            quantity = Decimal(chance.choice(("0.5", "1.5", "2.25", "7.75")))
        euros = Decimal(chance.randint(120, 40000)) / (100 if quantity < 20 else 1000)
        price = max(country.price(euros), country.price(Decimal("0.5")))
        full = country.round(quantity * price)
        discount = ZERO
        percent = ZERO
        if rebates and chance.random() < 0.4:
            percent = Decimal(chance.choice((5, 10, 15)))
            discount = country.round(full * percent / HUNDRED)
        items.append(
            Item(
                chance.choice(stock)
                if count > len(stock)
                else stock.pop(chance.randrange(len(stock))),
                _code(chance),
                quantity,
                chance.choice(words["units"]),
                price,
                discount,
                chance.choice(rates),
                full - discount,
                discount_rate=percent,
            )
        )
    return tuple(items)


def negated(bill: Bill) -> Bill:
    """A credit note with a minus before all quantities and amounts, and unit prices as they are."""
    return replace(
        bill,
        items=tuple(
            replace(item, quantity=-item.quantity, amount=-item.amount) for item in bill.items
        ),
        taxes=tuple(Tax(tax.rate, -tax.base, -tax.amount) for tax in bill.taxes),
        lines_total=-bill.lines_total,
        subtotal=-bill.subtotal,
        total=-bill.total,
    )


def invoice(country: Country, chance: random.Random, rounds: random.Random) -> Bill:
    """An invoice or credit note. `rounds` draws what only some documents have."""
    kind = "credit_note" if rounds.random() < 0.12 else "invoice"
    untaxed = country.facts["tax_kind"] == "none"
    inclusive = country.facts["tax_kind"] == "vat" and rounds.random() < 0.15
    items = _invoice_items(country, chance, rebates=rounds.random() < 0.2)
    reverse_charge = country.facts["tax_kind"] == "vat" and rounds.random() < 0.06
    if reverse_charge:
        inclusive = False
        items = tuple(replace(item, rate=ZERO) for item in items)
    sums = _sums(items)
    lines_total = sum(sums.values(), ZERO)
    discount = shipping = ZERO
    if len(sums) == 1 and not inclusive:
        (rate,) = sums
        if rounds.random() < 0.2:
            discount = country.round(lines_total * rounds.choice((2, 3, 5, 10)) / HUNDRED)
        if rounds.random() < 0.25:
            shipping = country.price(Decimal(rounds.choice(("4.90", "6.50", "12", "35"))))
        sums = {rate: lines_total - discount + shipping}
    taxes = () if untaxed else _levels(_taxes(sums, country, inclusive=inclusive), country)
    tax_total = sum((tax.amount for tax in taxes), ZERO)
    net = sum(sums.values(), ZERO) - (tax_total if inclusive else ZERO)
    total = net + tax_total
    issued = date(2023, 1, 2) + timedelta(days=chance.randint(0, 1200))
    days = chance.choice((7, 10, 14, 21, 30, 30, 45, 60))
    paid = country.round(total * rounds.choice((20, 30, 50)) / HUNDRED)
    bill = Bill(
        kind=kind,
        country=country,
        vendor=company(country, chance),
        customer=(company if chance.random() < 0.75 else person)(country, chance),
        number=document_number(chance, issued.year),
        issued=issued,
        at=time(12),
        items=items,
        inclusive=inclusive,
        taxes=taxes,
        lines_total=lines_total,
        subtotal=net,
        total=total,
        discount=discount,
        shipping=shipping,
        paid=paid if kind == "invoice" and rounds.random() < 0.12 else ZERO,
        due=issued + timedelta(days=days),
        delivered=issued - timedelta(days=chance.randint(0, 9)),
        days=days,
        reverse_charge=reverse_charge,
    )
    return _some_negated(bill, rounds)


def _some_negated(bill: Bill, rounds: random.Random) -> Bill:
    """Two of five plain credit notes are printed with minus signs."""
    plain = not bill.discount and not bill.shipping and not any(i.discount for i in bill.items)
    minus = bill.kind == "credit_note" and plain and rounds.random() < 0.4
    return negated(bill) if minus else bill


def _receipt_items(country: Country, chance: random.Random, *, food: bool) -> tuple[Item, ...]:
    stock = list(country.words["dishes" if food else "grocery"])
    rates = _rates(country, chance, several=0.6)
    items = []
    for _ in range(chance.choice((1, 2, 3, 4, 5, 6, 8, 11))):
        name = stock.pop(chance.randrange(len(stock)))
        price = country.price(Decimal(chance.randint(60, 2400 if food else 900)) / 100)
        price = max(price, country.price(Decimal("0.5")))
        weighed = not food and chance.random() < 0.18
        quantity = Decimal(chance.choice((1, 1, 1, 1, 2, 2, 3, 4)))
        if weighed:
            quantity = Decimal(chance.randint(150, 2400)) / 1000
        full = country.round(quantity * price)
        discount = ZERO
        if not food and not weighed and chance.random() < 0.1:
            discount = country.round(full * chance.choice((10, 20, 25)) / HUNDRED)
        items.append(
            Item(
                name,
                _code(chance),
                quantity,
                "kg" if weighed else "",
                price,
                discount,
                chance.choice(rates),
                full - discount,
                weighed,
            )
        )
    return tuple(items)


def receipt(country: Country, chance: random.Random, rounds: random.Random) -> Bill:
    """A till or restaurant receipt."""
    food = rounds.random() < 0.45
    items = _receipt_items(country, chance, food=food)
    inclusive = country.facts["tax_kind"] != "sales"
    sums = _sums(items)
    lines_total = sum(sums.values(), ZERO)
    discount = service = service_rate = tip = rounding = ZERO
    if len(sums) == 1 and rounds.random() < 0.15:
        discount = country.round(lines_total * rounds.choice((5, 10)) / HUNDRED)
    if food and len(sums) == 1 and rounds.random() < 0.3:
        service_rate = Decimal(rounds.choice((5, 10)))
        service = country.round((lines_total - discount) * service_rate / HUNDRED)
    if len(sums) == 1:
        (rate,) = sums
        sums = {rate: lines_total - discount + service}
    untaxed = country.facts["tax_kind"] == "none" or (not inclusive and rounds.random() < 0.2)
    taxes = () if untaxed else _taxes(sums, country, inclusive=inclusive)
    total = sum(sums.values(), ZERO)
    total += ZERO if inclusive else sum((tax.amount for tax in taxes), ZERO)
    if food and country.code == "US" and rounds.random() < 0.6:
        tip = country.round(total * rounds.choice((15, 18, 20)) / HUNDRED)
        total += tip
    cash = tip == 0 and rounds.random() < 0.45
    if cash:
        exact, total = total, _payable_in_cash(total, country)
        rounding = total - exact
    issued = date(2023, 1, 2) + timedelta(days=chance.randint(0, 1200))
    bill = Bill(
        kind="receipt",
        country=country,
        vendor=shop(country, chance, food=food),
        customer=person(country, chance),
        number=document_number(chance, issued.year),
        issued=issued,
        at=time(chance.randint(7, 22), chance.randint(0, 59), chance.randint(0, 59)),
        items=items,
        inclusive=inclusive,
        taxes=taxes,
        lines_total=lines_total,
        subtotal=lines_total - discount,
        total=total,
        discount=discount,
        service=service,
        service_rate=service_rate,
        tip=tip,
        rounding=rounding,
        food=food,
    )
    return replace(bill, tendered=_tendered(bill, rounds)) if cash else bill


def _payable_in_cash(total: Decimal, country: Country) -> Decimal:
    """Rounded to the smallest coin, where that is more than the currency's smallest unit."""
    if not (step := country.facts.get("cash_step")):
        return total
    coin = Decimal(str(step))
    return country.round((total / coin).quantize(Decimal(1), ROUND_HALF_UP) * coin)


def _tendered(bill: Bill, chance: random.Random) -> Decimal:
    """Exact money, or the next multiple of a note."""
    note = bill.country.price(Decimal(chance.choice((5, 10, 20, 50))))
    if chance.random() < 0.15:
        return bill.total
    notes = (bill.total / note).to_integral_value("ROUND_CEILING")
    return bill.country.round(notes * note)
