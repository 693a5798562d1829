from __future__ import annotations

import pytest

from lib.values.countries import country_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"),
        ("Deutschland", "DE"),
        ("GERMANY", "DE"),
        ("  España ", "ES"),
        ("United States", "US"),
        ("Česko", "CZ"),
        ("de", None),
        ("EU", None),
        ("XX", None),
        ("Berlin", None),
        ("", None),
    ],
)
def test_country_code(text: str, code: str | None) -> None:
    assert country_code(text) == code
