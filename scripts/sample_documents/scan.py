"""A PDF as an office scanner returns it: grey pages, a little turned, specks, no text layer."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import cv2
import numpy as np
import pypdfium2 as pdfium
from fpdf import FPDF
from numpy.typing import NDArray
from PIL import Image

DPI = 150


def scanned_pdf(pdf: bytes, seed: int, angles: tuple[float, ...], quality: int) -> bytes:
    """Each page rasterised at 150 dpi, turned by its angle in degrees, and put into a new PDF."""
    random = np.random.default_rng(seed)
    out = FPDF(format="A4")
    out.set_creation_date(datetime(2026, 1, 1, tzinfo=UTC))
    out.set_margin(0)
    out.set_auto_page_break(False)
    document = pdfium.PdfDocument(pdf)
    for page, angle in zip(document, angles, strict=True):
        grey = (
            page.render(scale=DPI / 72, grayscale=True)
            .to_numpy()
            .reshape(round(page.get_height() * DPI / 72 + 0.49), -1)
        )
        scan = BytesIO()
        Image.fromarray(scanned_page(grey, angle, random)).save(
            scan, "JPEG", quality=quality, dpi=(DPI, DPI)
        )
        out.add_page()
        out.image(scan, x=0, y=0, w=210, h=297)
    document.close()
    return bytes(out.output())


def scanned_page(
    page: NDArray[np.uint8], angle: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """A grey page turned by `angle` degrees, with spread ink, specks, a dark edge and noise."""
    height, width = page.shape
    ink = page.astype(np.float32)
    spread = cv2.GaussianBlur(random.normal(0, 1, ink.shape).astype(np.float32), (0, 0), 1.2)
    ink = cv2.GaussianBlur(ink, (0, 0), 0.6) + spread * 9 * (ink < 200)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    ink = cv2.warpAffine(ink, turn, (width, height), flags=cv2.INTER_CUBIC, borderValue=244.0)
    ink = 22 + ink * (226 / 255)
    for _ in range(24):
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        cv2.circle(ink, (x, y), int(random.integers(0, 2)), float(random.uniform(90, 190)), -1)
    x = np.arange(width, dtype=np.float32)
    ink -= 70 * np.exp(-x / 9)[None, :]
    ink += random.normal(0, 2.2, ink.shape)
    return np.asarray(np.clip(ink, 0, 255), np.uint8)
