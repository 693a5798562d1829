"""How numeric dates are written."""

from __future__ import annotations

from enum import StrEnum


class DateOrder(StrEnum):
    """The order of day, month and year in numeric dates."""

    DMY = "DMY"
    MDY = "MDY"
    YMD = "YMD"
