"""The page's own arithmetic and reading of typed text, in the browser that runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from playwright_page import arrive
from server_process import PATIENCE_S, ServerProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(browser: Browser, served: ServerProcess) -> Iterator[Page]:
    """One page for all: these tests leave nothing behind."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    arrive(page, served.url)
    page.locator("body.ready").wait_for()
    yield page
    page.close()


@pytest.fixture
def call(page: Page) -> Callable[..., Any]:
    """Calls a function of a module: `call("sums", "lineAmount", argument)`."""

    def calling(module: str, function: str, *given: Any) -> Any:
        code = "async ([m, f, given]) => (await import(`/static/${m}.js`))[f](...given)"
        return page.evaluate(code, [module, function, list(given)])

    return calling


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("19.90", "19.90"),
        ("1.234,56 EUR", "1234.56"),
        ("1,234.56", "1234.56"),
        ("1 234,56", "1234.56"),
        ("1'234.50", "1234.50"),
        ("12,345", "12345"),
        ("1.234.567", "1234567"),
        ("1.234", "1.234"),
        ("0,5", "0.5"),
        (",50", "0.50"),
        ("€ 7", "7"),
        ("-3,20", "-3.20"),
        ("3.20-", "-3.20"),
        ("(3.20)", "-3.20"),
        ("−3.20", "-3.20"),
        ("007", "7"),
        ("Rs. 12", "12"),
        ("12,-", "12"),
    ],
)
def test_amounts_are_read_as_people_write_them(
    call: Callable[..., Any], text: str, value: str
) -> None:
    assert call("typed_text", "readTyped", text, "money") == {"value": value}


@pytest.mark.parametrize("text", ["abc", "12 x 3", "1,23,4", "1.2.3", "--", "EUR"])
def test_what_is_no_amount_is_said_to_be_none(call: Callable[..., Any], text: str) -> None:
    assert call("typed_text", "readTyped", text, "money") == {"problem": "problem.number"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-03-17", {"value": "2026-03-17"}),
        ("17.03.2026", {"value": "2026-03-17"}),
        ("3.4.2026", {"value": "2026-04-03"}),
        ("17/03/26", {"value": "2026-03-17"}),
        ("03/17/2026", {"value": "2026-03-17"}),
        ("2026/3/7", {"value": "2026-03-07"}),
        ("03/04/2026", {"problem": "problem.date_order", "choices": ["2026-04-03", "2026-03-04"]}),
        ("2026-02-30", {"problem": "problem.date"}),
        ("yesterday", {"problem": "problem.date"}),
    ],
)
def test_dates_are_read_and_never_guessed(
    call: Callable[..., Any], text: str, found: dict[str, Any]
) -> None:
    assert call("typed_text", "readTyped", text, "date") == found


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("2:05 PM", "time", {"value": "14:05"}),
        ("12:05 am", "time", {"value": "00:05"}),
        ("14.05", "time", {"value": "14:05"}),
        ("25:00", "time", {"problem": "problem.time"}),
        ("€", "currency", {"value": "EUR"}),
        ("gbp", "currency", {"value": "GBP"}),
        ("pounds", "currency", {"problem": "problem.currency"}),
        ("gb33 bukb 2020", "iban", {"value": "GB33BUKB2020"}),
        ("  two   words ", "string", {"value": "two words"}),
        ("   ", "money", {"value": None}),
    ],
)
def test_other_types(call: Callable[..., Any], text: str, kind: str, found: dict[str, Any]) -> None:
    assert call("typed_text", "readTyped", text, kind) == found


def test_decimals_are_exact(page: Page) -> None:
    found = page.evaluate(
        """async () => {
          const { Decimal } = await import("/static/decimal.js");
          const of = (text) => Decimal.parse(text);
          return [
            Decimal.sum(["0.1", "0.2"]), of("-0.05").plus(of("0.05")), of("1.10").times(of("3")),
            of("0.125").round(2), of("-0.125").round(2),
            of("99999999999999999999.99").plus(of("0.01")),
            of("5").round(2), of("-0.5"), of("1e3"), of(""), of(null), Decimal.sum(["1", "x"]),
            of("1.00").equals(of("1")), of("1.00").isNear(of("1.01"), of("0.01")),
            of("1.00").isNear(of("1.02"), of("0.01")),
          ].map((value) => value?.toString() ?? null);
        }"""
    )
    assert found == [
        "0.3", "0.00", "3.30", "0.13", "-0.13", "100000000000000000000.00",
        "5.00", "-0.5", None, None, None, None, "true", "true", "false",
    ]  # fmt: skip


def test_json_keeps_the_decimals_of_numbers(page: Page) -> None:
    found = page.evaluate(
        """async () => {
          const { parseExact, ExactNumber, indented } = await import("/static/exact_json.js");
          return [parseExact('{"a": 33.90, "b": "1.50"}'),
                  JSON.stringify({ a: new ExactNumber("33.90") }),
                  indented('{"a":33.90,"b":[],"c":["x, {y}"]}')];
        }"""
    )
    assert found[0] == {"a": "33.90", "b": "1.50"}
    assert found[1] == '{"a":33.90}'
    assert found[2] == '{\n  "a": 33.90,\n  "b": [],\n  "c": [\n    "x, {y}"\n  ]\n}'


@pytest.mark.parametrize(
    ("cells", "holds", "expected"),
    [
        ({"quantity": "3", "unit_price": "1.10", "amount": "3.30"}, True, "3.30"),
        ({"quantity": "0.333", "unit_price": "2.99", "amount": "1.00"}, True, "1.00"),
        ({"quantity": "2", "unit_price": "5,00", "discount": "1", "amount": "9"}, True, "9.00"),
        ({"quantity": "3", "unit_price": "1.10", "amount": "3.80"}, False, "3.30"),
    ],
)
def test_lines_add_up(page: Page, cells: dict[str, str], *, holds: bool, expected: str) -> None:
    code = """async (cells) => {
      const found = (await import("/static/sums.js")).lineAmount(cells);
      return [found.holds, found.expected.toString()];
    }"""
    assert page.evaluate(code, cells) == [holds, expected]


def test_an_answer_that_breaks_off_is_none_and_may_be_asked_for_again(page: Page) -> None:
    found = page.evaluate(
        """async () => {
          const server = await import("/static/server.js");
          const real = window.fetch;
          const answers = [];
          const breaksOff = (status = 200) => new Response(new ReadableStream({
            start(body) {
              body.enqueue(new TextEncoder().encode('{"half": '));
              body.error(new TypeError("network error"));
            },
          }), { status });
          window.fetch = async () => answers.shift();
          const codeOf = (error) => [error.code, server.isUnsettled(error)];
          try {
            answers.push(breaksOff(), breaksOff(503), new Response('{"whole": 1}'));
            const waited = [];
            const onWait = (error) => waited.push(...codeOf(error));
            const answer = await server.askPatiently("/v1/me", { onWait });
            answers.push(breaksOff());
            const lost = await server.post("/v1/extract", {}).catch(codeOf);
            answers.push(breaksOff());
            return [answer, waited, lost, await server.fetchFile("/v1/me").catch(codeOf)];
          } finally {
            window.fetch = real;
          }
        }"""
    )
    lost = ["offline", True]
    assert found == [{"whole": "1"}, [*lost, *lost], lost, lost]
