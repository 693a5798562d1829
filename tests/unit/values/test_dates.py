"""Dates and times: orders, separators, names of months, OCR damage, a document's own order."""

from __future__ import annotations

from datetime import date

import pytest
from babel.dates import format_date
from hypothesis import assume, given
from hypothesis import strategies as st

from lib.domain.date_order import DateOrder
from lib.values.calendar_names import LANGUAGES
from lib.values.dates import OrderEvidence, find_dates, find_times, resolve_order

CHRISTMAS = date(2018, 12, 25)


@pytest.mark.parametrize(
    "text",
    [
        "25/12/2018",
        "25-12-2018",
        "25.12.2018",
        "25. 12. 2018",
        "25/12-2018",
        "25 12 2018",
        "12/25/2018",
        "25'12'2018",
        "25~12~2018",
        "2018-12-25",
        "2018/12/25",
        "2018-12-25T10:00:00Z",
        "20181225",
        "25122018",
        "20181225153000",
        "25 DEC 2018",
        "25DEC2018",
        "25-Dec-18",
        "25 Dec'18",
        "Dec 25, 2018",
        "December 25th 2018",
        "Tuesday, 25th of December 2018",
        "25. Dezember 2018",
        "25 décembre 2018",
        "25 de diciembre de 2018",
        "25 dicembre 2018",
        "25 grudnia 2018",
        "25 Disember 2018",
        "25 Desember 2018",
        "25 декабря 2018 г.",
        "25 de dezembro de 2018",
        "2018. december 25.",
        "2018年12月25日",
        "2018년 12월 25일",
        "25/12/201815:28",
        "2５/12/2018",
        "25/l2/2018",
        "Date:25/12/2018Time",
        "#19536025/12/2018",
        "19-25/12/2018",
    ],
)
def test_reads_one_day_written_in_many_ways(text: str) -> None:
    (match,) = find_dates(text)
    assert [reading.value for reading in match.readings] == [CHRISTMAS]


def test_day_and_month_that_can_change_places_give_a_reading_each() -> None:
    (match,) = find_dates("03/02/2018")
    assert [(r.value, r.order) for r in match.readings] == [
        (date(2018, 2, 3), DateOrder.DMY),
        (date(2018, 3, 2), DateOrder.MDY),
    ]


def test_short_numbers_may_also_begin_with_the_year() -> None:
    (match,) = find_dates("18/12/25")
    assert {r.value for r in match.readings} == {date(2025, 12, 18), CHRISTMAS}


def test_equal_day_and_month_need_no_order() -> None:
    (match,) = find_dates("05/05/2018")
    assert [(r.value, r.order) for r in match.readings] == [(date(2018, 5, 5), None)]


@pytest.mark.parametrize(
    "text",
    [
        "31/12/1989",
        "29/02/2019",
        "30 FEB 2018",
        "100/12/2018",
        "12/2018",
        "192.168.10.12",
        "1.2.3.4",
        "V1.2.18",
        "012-345-6789",
        "20 Jalan 5 2018",
        "25-12-2018-01",
        "12.50",
        "1.060,25",
        "4.115,00",
        "12,060.20",
        "15:28",
    ],
)
def test_leaves_out_what_is_no_date(text: str) -> None:
    assert find_dates(text) == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("15:28", "15:28"),
        ("3:45PM", "15:45"),
        ("12:30 am", "00:30"),
        ("12:30 p.m.", "12:30"),
        ("25/12/201815:28:07", "15:28:07"),
        ("Time:9:05", "09:05"),
        ("15h28", "15:28"),
        ("15.28 Uhr", "15:28"),
        ("15时28分", "15:28"),
        ("2018-12-25T10:00:05Z", "10:00:05"),
    ],
)
def test_reads_the_time_of_day(text: str, value: str) -> None:
    assert [match.value for match in find_times(text)] == [value]


@pytest.mark.parametrize("text", ["25:10", "12:60", "1:2", "12.50", "10:20:30:40"])
def test_leaves_out_what_no_clock_shows(text: str) -> None:
    assert find_times(text) == ()


def test_the_order_is_decided_by_hint_then_by_clear_dates_then_by_country_then_by_language() -> (
    None
):
    ambiguous, clear = find_dates("03/02/2018"), find_dates("12/25/2018")
    assert resolve_order(clear, OrderEvidence(hint=DateOrder.DMY)) is DateOrder.DMY
    assert resolve_order((*ambiguous, *clear), OrderEvidence(countries=("DE",))) is DateOrder.MDY
    assert resolve_order(ambiguous, OrderEvidence(countries=("CA", "US"))) is DateOrder.MDY
    assert resolve_order(ambiguous, OrderEvidence(language="de")) is DateOrder.DMY
    assert resolve_order(ambiguous, OrderEvidence(language="en")) is None
    assert resolve_order((*find_dates("25/12/2018"), *clear), OrderEvidence()) is None


_DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2049, 12, 31))


@given(
    day=_DAYS,
    pattern=st.sampled_from(["%d/%m/%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y-%m-%d", "%Y%m%d", "%d%m%Y"]),
)
def test_a_numeric_date_is_among_its_readings(day: date, pattern: str) -> None:
    (match,) = find_dates(day.strftime(pattern))
    assert day in {reading.value for reading in match.readings}


@given(day=_DAYS, language=st.sampled_from(LANGUAGES), width=st.sampled_from(["long", "medium"]))
def test_a_date_with_the_name_of_its_month_reads_back_in_every_language(
    day: date, language: str, width: str
) -> None:
    assume((language, width, day.month) != ("ca", "medium", 8))  # "ag.": two letters are too few
    text = format_date(day, format=width, locale=language)
    (match,) = find_dates(text, language)
    assert day in {reading.value for reading in match.readings}


@given(st.text(alphabet="0123456789/-.: ODlSepマ月年日", max_size=40))
def test_spans_lie_inside_the_text_and_do_not_overlap(text: str) -> None:
    end = 0
    for match in find_dates(text):
        assert end <= match.start < match.end <= len(text)
        assert match.readings
        end = match.end


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("09/06/2007 THU", date(2007, 9, 6)),
        ("Tuesday\n5-4-2011", date(2011, 4, 5)),
        ("Donnerstag, 03.02.2005", date(2005, 2, 3)),
    ],
)
def test_the_weekday_beside_a_date_decides_its_order(text: str, value: date) -> None:
    (match,) = find_dates(text)
    assert [reading.value for reading in match.readings] == [value]


def test_a_weekday_that_fits_no_reading_decides_nothing() -> None:
    (match,) = find_dates("03/02/2018 Wednesday")
    assert match.ambiguous
