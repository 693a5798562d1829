"""A till receipt as a phone sees it: thermal print, curled paper on a table, shadow, EXIF."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from babel.numbers import format_decimal
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sample_documents.model import Receipt

COLUMNS = 40
FONT_SIZE = 31
LINE_HEIGHT = 43
MARGIN = 54
Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class ReceiptWords:
    """The printed words of one language and how its amounts look."""

    locale: str
    document_number: str
    tax_id: str
    phone: str
    subtotal: str
    total: str
    tax_head: str
    tendered: str
    change: str
    thanks: tuple[str, ...]
    date_format: str
    currency_in_total: str


ENGLISH = ReceiptWords(
    locale="en_GB",
    document_number="RECEIPT NO",
    tax_id="VAT NO",
    phone="TEL",
    subtotal="SUBTOTAL",
    total="TOTAL",
    tax_head="VAT RATE       NET      VAT    GROSS",
    tendered="CASH",
    change="CHANGE",
    thanks=("THANK YOU FOR SHOPPING WITH US", "PLEASE KEEP YOUR RECEIPT"),
    date_format="%d/%m/%Y %H:%M",
    currency_in_total="GBP",
)
GERMAN = ReceiptWords(
    locale="de_DE",
    document_number="Bon-Nr.",
    tax_id="USt-IdNr.",
    phone="Tel.",
    subtotal="Zwischensumme",
    total="SUMME",
    tax_head="MwSt         Netto     MwSt   Brutto",
    tendered="BAR",
    change="Rückgeld",
    thanks=("Vielen Dank für Ihren Einkauf!", "Bis bald in Ihrer Backstube"),
    date_format="%d.%m.%Y %H:%M",
    currency_in_total="EUR",
)


@dataclass(frozen=True)
class Scene:
    """How it was photographed. Corners are those of the paper in the picture, clockwise from the
    top left, in 0..1; `orientation` is the EXIF tag that puts the stored picture upright."""

    seed: int
    size: tuple[int, int]
    corners: tuple[tuple[float, float], ...]
    table: tuple[int, int, int]
    shadow: tuple[float, float, float]
    orientation: int
    quality: int


def receipt_lines(receipt: Receipt, words: ReceiptWords) -> list[tuple[str, bool]]:
    """The printed lines, COLUMNS wide, and whether each is in bold."""

    def amount(value: Decimal) -> str:
        return format_decimal(value, "0.00", locale=words.locale)

    def pair(left: str, right: str) -> str:
        return left.ljust(COLUMNS - len(right)) + right

    vendor = receipt.vendor
    lines = [(vendor.name.center(COLUMNS), True)]
    head = (vendor.address, f"{words.phone} {vendor.phone}")
    lines += [(text.center(COLUMNS), False) for text in head]
    lines += [(f"{words.tax_id} {vendor.tax_id}".center(COLUMNS), False), ("", False)]
    moment = receipt.issue_date.strftime(words.date_format[:8])
    moment += receipt.issue_time.strftime(words.date_format[8:])
    lines.append((pair(moment, f"{words.document_number} {receipt.document_number}"), False))
    lines.append(("-" * COLUMNS, False))
    for item in receipt.items:
        lines.append((pair(item.description, f"{amount(item.amount)} {item.mark}"), False))
        if item.quantity > 1:
            lines.append((f"  {item.quantity} x {amount(item.unit_price)}", False))
    lines.append(("-" * COLUMNS, False))
    if receipt.discount:
        lines.append((pair(words.subtotal, f"{amount(receipt.gross)}  "), False))
        lines.append((pair(receipt.discount_text, f"-{amount(receipt.discount)}  "), False))
    total = pair(f"{words.total} {words.currency_in_total}", f"{amount(receipt.total)}  ")
    lines += [(total, True), ("", False)]
    if receipt.tendered is None:
        lines.append((pair(receipt.payment_method, f"{amount(receipt.total)}  "), False))
    else:
        lines.append((pair(words.tendered, f"{amount(receipt.tendered)}  "), False))
        lines.append((pair(words.change, f"{amount(receipt.change or Decimal())}  "), False))
    lines += [("", False), (words.tax_head, False)]
    for tax in receipt.tax_lines:
        mark = next(item.mark for item in receipt.items if item.tax_rate == tax.rate)
        cells = f"{mark} {tax.rate:>4}%" if words.locale == "en_GB" else f"{mark} {tax.rate:>3} %"
        cells += f"{amount(tax.base):>12}{amount(tax.amount):>9}{amount(tax.base + tax.amount):>9}"
        lines.append((cells, False))
    lines.append(("", False))
    return lines + [(text.center(COLUMNS), False) for text in words.thanks]


def receipt_photo(
    receipt: Receipt, words: ReceiptWords, scene: Scene, fonts: tuple[Path, Path]
) -> bytes:
    """The picture as a JPEG file."""
    random = np.random.default_rng(scene.seed)
    paper = curl(_print(receipt_lines(receipt, words), fonts, random), random)
    picture = photograph(paper, scene, random)
    image = Image.fromarray(picture)
    turned = {1: None, 6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180}
    if (turn := turned[scene.orientation]) is not None:
        image = image.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = scene.orientation
    out = BytesIO()
    image.save(out, "JPEG", quality=scene.quality, exif=exif, optimize=True)
    return out.getvalue()


def _print(
    lines: list[tuple[str, bool]], fonts: tuple[Path, Path], random: np.random.Generator
) -> Pixels:
    """Black on white in 0..1, with the grain and the faint rows of a thermal head."""
    regular, bold = (ImageFont.truetype(str(font), FONT_SIZE) for font in fonts)
    width = round(regular.getlength("0") * COLUMNS) + 2 * MARGIN
    height = LINE_HEIGHT * len(lines) + 2 * MARGIN + 60
    sheet = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(sheet)
    for index, (text, is_bold) in enumerate(lines):
        draw.text(
            (MARGIN, MARGIN + index * LINE_HEIGHT), text, 0, font=bold if is_bold else regular
        )
    ink = 1 - np.asarray(sheet, np.float32) / 255
    grain = random.normal(1, 0.16, ink.shape).astype(np.float32)
    rows = cv2.GaussianBlur(random.normal(0, 1, (height, 1)).astype(np.float32), (1, 41), 12)
    ink = cv2.GaussianBlur(ink * grain, (0, 0), 0.7) * (0.80 + 0.35 * rows)
    return np.asarray(np.clip(1 - ink, 0, 1), np.float32)


def curl(paper: Pixels, random: np.random.Generator) -> Pixels:
    """Paper that does not lie flat: lines bend by a few pixels and folds catch the light."""
    height, width = paper.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    phase = random.uniform(0, 2 * np.pi)
    bend = 5 * np.sin(2 * np.pi * x / width * 0.8 + phase) * np.sin(np.pi * y / height)
    paper = cv2.remap(paper, x, y + bend, cv2.INTER_LINEAR, borderValue=1.0)
    light = 1 + 0.05 * np.sin(2 * np.pi * y / height * 1.7 + phase)
    for fold in random.uniform(0.25, 0.8, 2) * height:
        light -= 0.07 * np.exp(-(((y - fold) / 9) ** 2)) - 0.03 * np.exp(
            -(((y - fold - 22) / 12) ** 2)
        )
    return np.asarray(paper * light, np.float32)


def photograph(paper: Pixels, scene: Scene, random: np.random.Generator) -> NDArray[np.uint8]:
    """Paper in 0..1 as the camera sees it: perspective, a table below, light, blur and noise."""
    width, height = scene.size
    table = _table(scene, random)
    source = np.array(
        [(0, 0), (paper.shape[1], 0), (paper.shape[1], paper.shape[0]), (0, paper.shape[0])],
        np.float32,
    )
    target = np.array([(x * width, y * height) for x, y in scene.corners], np.float32)
    view = cv2.getPerspectiveTransform(source, target)
    sheet = cv2.warpPerspective(paper, view, scene.size, flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.ones_like(paper), view, scene.size)
    cast = cv2.GaussianBlur(np.roll(mask, (14, 18), (0, 1)), (0, 0), 16)[..., None]
    tint = np.array([0.965, 0.955, 0.93], np.float32) * 0.93
    picture = table * (1 - 0.55 * cast)
    picture = picture * (1 - mask[..., None]) + sheet[..., None] * tint * mask[..., None]
    picture *= _light(scene)[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), 0.75)
    picture += random.normal(0, 0.014, picture.shape).astype(np.float32)
    return np.asarray(np.clip(picture * 255, 0, 255), np.uint8)


def _table(scene: Scene, random: np.random.Generator) -> Pixels:
    """Wood: a colour with long soft streaks along x."""
    width, height = scene.size
    streaks = random.normal(0, 1, (height, width)).astype(np.float32)
    streaks = cv2.GaussianBlur(streaks, (0, 0), sigmaX=90, sigmaY=1.6)
    streaks /= float(streaks.std())
    waves = cv2.GaussianBlur(
        random.normal(0, 1, (height, 1)).astype(np.float32), (1, 0), 0, sigmaY=22
    )
    waves /= float(waves.std())
    colour = np.array(scene.table, np.float32) / 255
    return np.asarray(colour * (1 + 0.055 * streaks + 0.04 * waves)[..., None], np.float32)


def _light(scene: Scene) -> Pixels:
    """A lamp to one side and the soft shadow of whoever holds the phone (x, y, radius in 0..1)."""
    width, height = scene.size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cx, cy, radius = scene.shadow
    distance = np.hypot((x / width - cx) * width / height, y / height - cy)
    shade = 1 / (1 + np.exp((distance - radius) * 14))
    slope = 1.04 - 0.14 * (1 - x / width) - 0.06 * y / height
    return np.asarray(slope * (1 - 0.30 * shade), np.float32)
