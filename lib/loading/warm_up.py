"""Runs each decoder once on a document of ours, so that forks start with everything loaded."""

from __future__ import annotations

import io

from PIL import Image
from PIL import MpoImagePlugin as _mpo  # noqa: F401 - a phone's JPEG may be one
from PIL import TiffImagePlugin as _tiff  # noqa: F401
from PIL import WebPImagePlugin as _webp  # noqa: F401

from lib.domain.page_images import ImageLimits, PagePart
from lib.einvoice.reader import read_einvoice
from lib.loading.encoding import PageEncoder
from lib.loading.limits import LoadingLimits
from lib.loading.media_type import MediaType
from lib.loading.pdf import PdfFile
from lib.loading.raster import RasterFile

# A page with a word in each of the three families of standard fonts.
_PDF = b"""%PDF-1.7
1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj
2 0 obj << /Type /Pages /Kids [3 0 R] /Count 1 >> endobj
3 0 obj << /Type /Page /Parent 2 0 R /MediaBox [0 0 90 90] /Contents 4 0 R /Resources << /Font <<
/A << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>
/B << /Type /Font /Subtype /TrueType /BaseFont /Times-Roman >>
/C << /Type /Font /Subtype /Type1 /BaseFont /Courier >> >> >> >> endobj
4 0 obj << /Length 68 >> stream
BT 9 9 Td /A 9 Tf (Sum) Tj 0 9 Td /B 9 Tf (1,0) Tj /C 9 Tf (a) Tj ET
endstream endobj
trailer << /Root 1 0 R >>
%%EOF
"""

_XML = b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>'


def warm_up(limits: LoadingLimits) -> None:
    """Decode one document of each kind; the results are thrown away."""
    pdf = PdfFile(_PDF, limits)
    pdf.page(1)
    quarter = PagePart(1, (250, 250), 90, (0.0, 0.0, 0.5, 0.5))
    PageEncoder(pdf.image).encoded(quarter, ImageLimits(dpi=36, max_pixels=64))
    read_einvoice(_XML)
    # With these and the plugins above, Pillow has none to look for in a fork. Those of formats that
    # are never opened stay out: every page of the helper's memory makes a fork dearer.
    Image.preinit()
    for media_type in (MediaType.JPEG, MediaType.PNG, MediaType.TIFF, MediaType.WEBP):
        out = io.BytesIO()
        Image.new("RGB", (9, 9)).save(out, media_type.name)
        RasterFile(out.getvalue(), media_type, limits).image(1)
