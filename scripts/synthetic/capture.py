"""Printers, scanners and cameras: clean grey pages to what arrives as a scan or a photo."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO

import cv2
import numpy as np
from fpdf import FPDF
from numpy.typing import NDArray
from PIL import Image
from sample_documents.photo import Scene, curl, photograph
from sample_documents.scan import scanned_page

Grey = NDArray[np.uint8]
LONGEST_PHOTO = 2600
# Colours of wood, cloth, stone and steel.
TABLES = (
    (126, 92, 64),
    (88, 98, 104),
    (60, 48, 40),
    (170, 160, 150),
    (196, 170, 130),
    (40, 42, 46),
)
# EXIF orientation: how the stored picture is turned so that a viewer turns it back.
TURNS = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}


def printed(page: Grey, chance: random.Random, noise: np.random.Generator, *, till: bool) -> Grey:
    """The page out of a laser printer, a thermal head or a needle printer; same shape."""
    printer = chance.choice(("thermal", "thermal", "laser", "needles")) if till else "laser"
    ink = 1 - page.astype(np.float32) / 255
    if printer == "thermal":
        grain = noise.normal(1, 0.14, ink.shape).astype(np.float32)
        rows = noise.normal(0, 1, (ink.shape[0], 1)).astype(np.float32)
        rows = cv2.GaussianBlur(rows, (1, 41), 12)
        fade = chance.uniform(0.55, 0.95)
        ink = cv2.GaussianBlur(ink * grain, (0, 0), 0.7) * (fade + 0.3 * rows)
    elif printer == "needles":
        pitch = 3
        grid = np.zeros((pitch, pitch), np.float32)
        grid[:2, :2] = 1
        tiles = tuple(-(-side // pitch) for side in ink.shape)
        dots = np.tile(grid, tiles)[: ink.shape[0], : ink.shape[1]]
        ink = cv2.GaussianBlur(cv2.dilate(ink, np.ones((2, 2))) * dots, (0, 0), 0.8) * 1.5
    return np.asarray(np.clip(1 - ink, 0, 1) * 255, np.uint8)


def scan(pages: Sequence[Grey], sizes: Sequence[tuple[float, float]], seed: str) -> bytes:
    """A PDF of scanned pages: skew, specks, spread ink, a JPEG each. `sizes` in points."""
    chance = random.Random(seed)
    noise = np.random.default_rng(chance.getrandbits(64))
    out = FPDF(unit="pt")
    out.set_creation_date(datetime(2026, 1, 1, tzinfo=UTC))
    out.set_margin(0)
    out.set_auto_page_break(False)
    quality = chance.randint(30, 80)
    for page, size in zip(pages, sizes, strict=True):
        file = BytesIO()
        angle = chance.gauss(0, 0.7)
        Image.fromarray(scanned_page(page, angle, noise)).save(file, "JPEG", quality=quality)
        out.add_page(format=size)
        out.image(file, x=0, y=0, w=size[0], h=size[1])
    return bytes(out.output())


def photo(page: Grey, seed: str) -> bytes:
    """A JPEG of one sheet on a table: perspective, curl, shadow, blur, noise, EXIF rotation."""
    chance = random.Random(seed)
    noise = np.random.default_rng(chance.getrandbits(64))
    paper = curl(page.astype(np.float32) / 255, noise)
    height, width = paper.shape
    scale = min(1.0, LONGEST_PHOTO / (1.12 * height))
    size = (round(width * scale * 1.2), round(height * scale * 1.12))

    def corner(x: float, y: float) -> tuple[float, float]:
        return x + chance.uniform(-0.03, 0.03), y + chance.uniform(-0.02, 0.02)

    scene = Scene(
        seed=0,
        size=size,
        corners=(corner(0.08, 0.05), corner(0.92, 0.05), corner(0.92, 0.95), corner(0.08, 0.95)),
        table=chance.choice(TABLES),
        shadow=(chance.uniform(0, 1), chance.uniform(0, 1), chance.uniform(0.2, 0.5)),
        orientation=chance.choice((1, 1, 3, 6)),
        quality=chance.randint(45, 92),
    )
    picture = photograph(paper, scene, noise)
    if chance.random() < 0.35:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.5, 1.2)), np.uint8)
    image = Image.fromarray(picture)
    if (turn := TURNS[scene.orientation]) is not None:
        image = image.transpose(turn)
    exif = Image.Exif()
    # One photo in five lost its EXIF tag on its way, and really lies on its side.
    exif[0x0112] = 1 if chance.random() < 0.2 else scene.orientation
    out = BytesIO()
    image.save(out, "JPEG", quality=scene.quality, exif=exif)
    return out.getvalue()
