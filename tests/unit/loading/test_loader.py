from __future__ import annotations

import gc
import io
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from fpdf import FPDF
from PIL import Image

import lib
from lib.domain.cancellation import Canceled, Cancellation
from lib.domain.deadline import Deadline
from lib.domain.document import Page, PageSource
from lib.domain.extraction import Source
from lib.domain.geometry import Polygon
from lib.domain.page_images import WHOLE_PAGE, EncodedImage, ImageLimits, PagePart
from lib.errors import Error, Kind
from lib.loading import processes, wire
from lib.loading.limits import LoadingLimits
from lib.loading.loader import ProcessDocument, ProcessLoader, build_loader
from lib.loading.page_images import DocumentImages
from lib.loading.processes import ForkingStarter, ProcessStarter, SpawningStarter

INVOICE_XML = (
    b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" '
    b'xmlns:b="urn:b"><b:ID>4711</b:ID><b:LegalMonetaryTotal>'
    b"<b:PayableAmount>19.90</b:PayableAmount></b:LegalMonetaryTotal></Invoice>"
)


PATIENCE_S = 60.0


def soon() -> Deadline:
    return Deadline.after(PATIENCE_S)


def pdf(text: str = "Rechnung 4711", attachments: dict[str, bytes] | None = None) -> bytes:
    document = FPDF(unit="pt")
    document.add_page()
    document.set_font("Helvetica", size=10)
    document.text(100, 100, text)
    for name, content in (attachments or {}).items():
        document.embed_file(bytes=content, basename=name)
    return bytes(document.output())


def png(width: int = 40, height: int = 30) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (1, 2, 3)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def loader() -> Iterator[ProcessLoader]:
    with build_loader(LoadingLimits()) as built:
        yield built


def helper(loader: ProcessLoader) -> psutil.Process:
    """The program that forks decoders for this loader."""
    # Opened, which replaces one that has died, and ended at once: the decoders that others have are
    # to be counted.
    with loader.open(png(), soon()) as document:
        document._end()
    return psutil.Process(loader._decoders._starter._helper._program.pid)  # type: ignore[attr-defined]


def test_a_pdf_from_end_to_end(loader: ProcessLoader) -> None:
    with loader.open(pdf(), soon()) as document:
        page = document.page(1, soon())
        image = document.image(1, soon())

    assert (document.mime_type, document.page_count) == ("application/pdf", 1)
    assert document.einvoice is None
    assert page.text_layer is not None
    assert page.text_layer.lines[0].text == "Rechnung 4711"
    assert (page.width, page.height) == (image.width, image.height)
    assert len(image.pixels) == image.width * image.height * 3


def test_an_image_from_end_to_end(loader: ProcessLoader) -> None:
    with loader.open(png(), soon()) as document:
        image = document.image(1, soon())

    assert (document.mime_type, document.page_count) == ("image/png", 1)
    assert (image.width, image.height, image.pixels[:3]) == (40, 30, b"\x01\x02\x03")


FINE = ImageLimits(dpi=600, max_pixels=40_000_000)


def shown(
    document: ProcessDocument,
    limits: ImageLimits = FINE,
    part: Polygon = WHOLE_PAGE,
    rotation: int = 0,
) -> EncodedImage:
    """A part of the first page as a model gets it."""
    source = document.page(1, soon())
    size = (source.width, source.height)[:: -1 if rotation % 180 else 1]
    page = Page(1, *size, rotation, PageSource.OCR, ())
    return DocumentImages(document, soon()).encoded(page, part, limits)


def picture(image: EncodedImage) -> Image.Image:
    assert image.media_type == "image/jpeg"
    found = Image.open(io.BytesIO(image.data), formats=["JPEG"])
    assert found.size == (image.width, image.height)
    return found.convert("RGB")


def has_ink(image: Image.Image) -> bool:
    darkest, _ = image.convert("L").getextrema()
    return darkest < 100


def test_a_pdf_page_for_a_model_from_end_to_end(loader: ProcessLoader) -> None:
    # The text stands at 100 points from the left and the top of 595 x 842.
    top, bottom = Polygon.from_box(0, 0, 1, 0.15), Polygon.from_box(0, 0.85, 1, 1)
    with loader.open(pdf(), soon()) as document:
        page = document.page(1, soon())
        whole = shown(document)
        small = shown(document, ImageLimits(dpi=72, max_pixels=40_000_000))
        parts = [shown(document, FINE, part) for part in (top, bottom)]
        turned = [shown(document, FINE, part, 180) for part in (top, bottom)]

    assert picture(whole).size == (page.width, page.height)
    assert has_ink(picture(whole))
    assert (small.height, has_ink(picture(small))) == (842, True)
    assert [each.width for each in (*parts, *turned)] == [page.width] * 4
    assert [has_ink(picture(part)) for part in parts] == [True, False]
    assert [has_ink(picture(part)) for part in turned] == [False, True]


def test_a_photo_for_a_model_from_end_to_end(loader: ProcessLoader) -> None:
    """Held upright, so that its right side in the file is its top; and laid on its side then."""
    stored = Image.new("RGB", (400, 300), (0, 0, 255))
    stored.paste((255, 0, 0), (0, 0, 100, 300))
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    stored.save(out, "JPEG", exif=exif, quality=95)
    with loader.open(out.getvalue(), soon()) as document:
        upright, turned = (picture(shown(document, rotation=turn)) for turn in (0, 90))
        right = picture(shown(document, FINE, Polygon.from_box(0.8, 0, 1, 1), 90))
        small = shown(document, ImageLimits(dpi=600, max_pixels=12_000, multiple=10))

    assert (upright.size, turned.size) == ((300, 400), (400, 300))
    assert [is_red(upright, at) for at in ((150, 10), (150, 390))] == [True, False]
    assert [is_red(turned, at) for at in ((390, 150), (10, 150))] == [True, False]
    assert (right.size, is_red(right, (40, 150))) == ((80, 300), True)
    assert (small.width, small.height) == (90, 120)


def test_what_a_model_was_shown_is_there_after_the_decoder_was_let_go(
    loader: ProcessLoader,
) -> None:
    deadline = soon()
    with loader.open(pdf(), deadline) as document:
        images = DocumentImages(document, deadline)
        source = document.page(1, deadline)
        page = Page(1, source.width, source.height, 0, PageSource.TEXT_LAYER, ())
        shown_before = images.encoded(page, WHOLE_PAGE, FINE)
        images.release()
        images.release()

        assert document._decoder is None
        assert images.encoded(page, WHOLE_PAGE, FINE) == shown_before
        assert (document.mime_type, document.page_count) == ("application/pdf", 1)
        with pytest.raises(Error, match="unreadable_document"):
            images.encoded(page, Polygon.from_box(0, 0, 1, 0.5), FINE)


class Forging:
    """`ProcessStarter` of a decoder that says of every document that it has a page, and gives it
    as the bytes and with the size that it was told. It is its own `DecoderProcess`.
    """

    def __init__(self, size: dict[str, object], data: bytes) -> None:
        self.connection, self._theirs = socket.socketpair()
        self._answers = iter([({"page_count": 1, "einvoice": None}, b""), (size, data)])
        self._thread = threading.Thread(target=self._serve)

    def start(self) -> Forging:
        self._thread.start()
        return self

    def _serve(self) -> None:
        channel = wire.Channel(self._theirs)
        for head, body in self._answers:
            channel.receive(until=soon(), max_body=1 << 20)
            channel.send(head, body, until=soon())

    def end(self) -> int | None:
        self.connection.close()
        return None

    def drop(self) -> None:
        self.end()

    def close(self) -> None:
        self._thread.join()
        self._theirs.close()


@pytest.mark.parametrize(
    ("size", "data"),
    [
        ({"width": 40, "height": 30}, b"\x89PNG\r\n\x1a\n"),
        ({"width": 40, "height": 0}, b"\xff\xd8\xff"),
        ({"width": 40, "height": "thirty"}, b"\xff\xd8\xff"),
        ({}, b"\xff\xd8\xff"),
    ],
)
def test_what_is_no_jpeg_never_reaches_a_model(size: dict[str, object], data: bytes) -> None:
    part = PagePart(1, (40, 30), 0, WHOLE_PAGE.box)
    with (
        closing(Forging(size, data)) as starter,
        ProcessLoader(LoadingLimits(), starter).open(png(), soon()) as document,
        pytest.raises(Error) as raised,
    ):
        document.encoded(part, FINE, soon())

    assert raised.value.details == {"reason": "crashed"}


def is_red(image: Image.Image, at: tuple[int, int]) -> bool:
    red, _, blue = image.getpixel(at)  # type: ignore[misc]
    return bool(red > 128 > blue)


def test_a_bare_einvoice(loader: ProcessLoader) -> None:
    with loader.open(b"\xef\xbb\xbf \n" + INVOICE_XML, soon()) as document:
        assert (document.mime_type, document.page_count) == ("application/xml", 0)
        assert document.einvoice is not None
        total = document.einvoice.raw.fields["amount_due"][0]

    assert (str(total.value), total.raw, total.source) == ("19.90", "19.90", Source.XML)


@pytest.mark.parametrize(
    ("attachments", "number"),
    [
        ({"factur-x.xml": INVOICE_XML}, "4711"),
        ({"ZUGFeRD-invoice.xml": INVOICE_XML}, "4711"),
        ({"other.xml": INVOICE_XML}, "4711"),
        ({"a.xml": INVOICE_XML, "xrechnung.xml": INVOICE_XML.replace(b"4711", b"4712")}, "4712"),
        ({"a.xml": INVOICE_XML, "b.xml": INVOICE_XML}, None),
        ({"factur-x.xml": b"<broken"}, None),
        ({"factur-x.xml": b"<order/>", "notes.txt": b"text"}, None),
        ({}, None),
    ],
)
def test_an_einvoice_inside_a_pdf(
    loader: ProcessLoader, attachments: dict[str, bytes], number: str | None
) -> None:
    with loader.open(pdf(attachments=attachments), soon()) as document:
        found = document.einvoice

    assert (found and found.raw.fields["document_number"][0].value) == number


def test_bytes_are_judged_before_a_process_starts(loader: ProcessLoader) -> None:
    small = ProcessLoader(LoadingLimits(max_bytes=10), loader._decoders._starter)

    for data, code in ((b"", "empty_document"), (png(), "payload_too_large")):
        with pytest.raises(Error) as raised:
            small.open(data, soon())
        assert raised.value.code == code
    assert raised.value.details == {"limit": 10}


def test_a_page_that_does_not_exist_is_the_callers_mistake(loader: ProcessLoader) -> None:
    with loader.open(png(), soon()) as document:
        for number in (0, 2):
            with pytest.raises(ValueError, match="no page"):
                document.image(number, soon())
            with pytest.raises(ValueError, match="no page"):
                document.encoded(PagePart(number, (40, 30), 0, WHOLE_PAGE.box), FINE, soon())


def test_a_deadline_that_has_passed_is_said(loader: ProcessLoader) -> None:
    with pytest.raises(Error) as raised:
        loader.open(png(), Deadline.after(-1))

    assert (raised.value.code, raised.value.kind) == ("inference_timeout", Kind.TIMEOUT)


def stopped(loader: ProcessLoader) -> tuple[int, ...]:
    """Stop every decoder of the loader, as if it hung; their ids."""
    children = helper(loader).children()
    for child in children:
        child.suspend()
    return tuple(child.pid for child in children)


def test_a_decoder_that_hangs_is_ended_at_the_deadline(loader: ProcessLoader) -> None:
    document = loader.open(pdf(), soon())
    (process_id,) = stopped(loader)

    # Far enough that it has not passed before the decoder is asked at all.
    with pytest.raises(Error) as raised:
        document.page(1, Deadline.after(1.0))

    assert raised.value.code == "inference_timeout"
    assert not psutil.pid_exists(process_id)


def test_a_decoder_that_hangs_is_ended_by_the_wall_clock(loader: ProcessLoader) -> None:
    # Its first request, which a decoder answers that is not stopped yet, has to come within it.
    impatient = ProcessLoader(LoadingLimits(wall_seconds=2.0), loader._decoders._starter)
    document = impatient.open(png(), soon())
    (process_id,) = stopped(loader)

    with pytest.raises(Error) as raised:
        document.page(1, soon())

    assert (raised.value.code, raised.value.details) == (
        "unreadable_document",
        {"reason": "timeout"},
    )
    assert not psutil.pid_exists(process_id)


def test_a_canceled_document_ends_a_decoder_that_is_busy(loader: ProcessLoader) -> None:
    cancellation = Cancellation()
    document = loader.open(pdf(), soon(), cancellation)
    (process_id,) = stopped(loader)
    threading.Timer(0.05, cancellation.set).start()

    with pytest.raises(Canceled):
        document.page(1, soon())

    document.close()  # it had not been asked yet where the cancel came before the question
    assert not psutil.pid_exists(process_id)


def test_a_canceled_document_does_not_wait_for_a_slot(loader: ProcessLoader) -> None:
    full = ProcessLoader(LoadingLimits(max_processes=1), loader._decoders._starter)
    cancellation = Cancellation()
    with full.open(png(), soon()):
        threading.Timer(0.05, cancellation.set).start()
        with pytest.raises(Canceled):
            full.open(png(), soon(), cancellation)
    with full.open(png(), soon()) as document:
        assert document.page_count == 1


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGSEGV, "crashed"),
        (signal.SIGABRT, "crashed"),
        (signal.SIGXCPU, "cpu_time"),
        (signal.SIGKILL, "out_of_memory"),
    ],
)
def test_a_decoder_that_dies_is_a_named_error(
    loader: ProcessLoader, number: signal.Signals, reason: str
) -> None:
    with loader.open(png(), soon()) as document:
        (child,) = helper(loader).children()
        child.send_signal(number)
        with pytest.raises(Error) as raised:
            document.image(1, soon())

        assert raised.value.details == {"reason": reason}
        with pytest.raises(Error, match="unreadable_document"):
            document.image(1, soon())
    with loader.open(png(), soon()) as next_document:
        assert next_document.page_count == 1


@pytest.fixture
def keeping() -> Iterator[ProcessLoader]:
    """A loader whose decoders read up to three documents of an owner; two of them wait for more."""
    with build_loader(LoadingLimits(documents_per_process=3, kept_processes=2)) as built:
        yield built


def decoder_of(document: ProcessDocument) -> psutil.Process:
    assert document._decoder is not None
    return psutil.Process(document._decoder.process._process_id)  # type: ignore[attr-defined]


def read_by(loader: ProcessLoader, owner: str | None, data: bytes) -> int:
    """Have a document read; the id of the process that read it."""
    with loader.open(data, soon(), owner=owner) as document:
        for number in range(document.page_count):
            document.page(number + 1, soon())
            document.image(number + 1, soon())
        return decoder_of(document).pid


def test_a_decoder_reads_so_many_documents_of_one_owner_and_no_more(keeping: ProcessLoader) -> None:
    by = [read_by(keeping, "a", data) for data in (pdf(), png(), INVOICE_XML, pdf())]

    assert by[0] == by[1] == by[2] != by[3]


def test_what_a_used_decoder_says_is_what_a_fresh_one_says(keeping: ProcessLoader) -> None:
    for text in ("Rechnung 4711", "Rechnung 4712"):
        with keeping.open(pdf(text), soon(), owner="a") as document:
            page, image = document.page(1, soon()), document.image(1, soon())
        with keeping.open(pdf(text), soon()) as document:
            assert (page, image) == (document.page(1, soon()), document.image(1, soon()))
        assert page.text_layer is not None
        assert page.text_layer.lines[0].text == text


def test_a_decoder_reads_nothing_of_others(keeping: ProcessLoader) -> None:
    first = read_by(keeping, "a", pdf())

    assert read_by(keeping, "b", pdf()) != first
    assert read_by(keeping, None, pdf()) != first
    assert read_by(keeping, "a", pdf()) == first


def test_documents_of_nobody_share_no_decoder(keeping: ProcessLoader) -> None:
    assert read_by(keeping, None, pdf()) != read_by(keeping, None, pdf())


def test_only_so_many_decoders_wait_for_another_document(keeping: ProcessLoader) -> None:
    by = {owner: read_by(keeping, owner, png()) for owner in "abc"}

    children = {child.pid for child in helper(keeping).children()}
    assert {by["b"], by["c"]} <= children
    assert by["a"] not in children


def test_a_decoder_that_grew_large_reads_no_other_document() -> None:
    limits = LoadingLimits(documents_per_process=3, kept_bytes=60_000_000)
    with build_loader(limits) as loader:
        small = read_by(loader, "a", png())
        assert read_by(loader, "a", png(4000, 3000)) == small  # 36 MB of pixels

        assert read_by(loader, "a", png()) != small


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGXCPU, signal.SIGKILL])
def test_a_document_is_not_blamed_for_a_decoder_that_others_have_used(
    keeping: ProcessLoader, number: signal.Signals
) -> None:
    read_by(keeping, "a", pdf())

    with keeping.open(pdf("Rechnung 4712"), soon(), owner="a") as document:
        child = decoder_of(document)
        child.send_signal(number)
        page = document.page(1, soon())
        image = document.image(1, soon())
        fresh = decoder_of(document)

    assert fresh.pid != child.pid
    assert page.text_layer is not None
    assert page.text_layer.lines[0].text == "Rechnung 4712"
    assert (image.width, image.height) == (page.width, page.height)


def test_an_image_for_a_model_is_asked_for_again_of_a_fresh_decoder(
    keeping: ProcessLoader,
) -> None:
    read_by(keeping, "a", png())
    with keeping.open(pdf(), soon(), owner="a") as document:
        page = document.page(1, soon())
        child = decoder_of(document)
        child.kill()
        part = PagePart(1, (page.width, page.height), 0, WHOLE_PAGE.box)
        image = document.encoded(part, FINE, soon())

        assert decoder_of(document).pid != child.pid
        assert image == shown(document)


def test_a_used_decoder_that_hangs_is_replaced(keeping: ProcessLoader) -> None:
    impatient = ProcessLoader(
        LoadingLimits(documents_per_process=3, wall_seconds=2.0), keeping._decoders._starter
    )
    read_by(impatient, "a", png())
    with impatient.open(png(), soon(), owner="a") as document:
        child = decoder_of(document)
        child.suspend()

        assert document.image(1, soon()).width == 40
    assert not psutil.pid_exists(child.pid)


def test_the_verdict_on_a_broken_document_is_a_fresh_decoders(keeping: ProcessLoader) -> None:
    first = read_by(keeping, "a", pdf())

    with pytest.raises(Error) as raised:
        keeping.open(b"%PDF-1.7\n", soon(), owner="a")

    assert raised.value.details == {"reason": "damaged"}
    # Neither of the two that have seen it reads anything else.
    assert read_by(keeping, "a", pdf()) != first
    assert len(helper(keeping).children()) == 1


def test_a_decoder_that_dies_while_it_waits_is_not_missed(keeping: ProcessLoader) -> None:
    waiting = psutil.Process(read_by(keeping, "a", pdf()))
    waiting.kill()

    assert read_by(keeping, "a", pdf()) != waiting.pid
    assert not psutil.pid_exists(waiting.pid)


def test_a_decoder_waits_so_long_for_another_document_and_no_longer() -> None:
    limits = LoadingLimits(documents_per_process=3, kept_seconds=0.3)
    with build_loader(limits) as loader:
        waiting = psutil.Process(read_by(loader, "a", pdf()))
        deadline = soon()
        while waiting.status() != psutil.STATUS_ZOMBIE:
            assert not deadline.passed
            time.sleep(0.02)

        assert read_by(loader, "a", pdf()) != waiting.pid
        assert not psutil.pid_exists(waiting.pid)


def test_a_document_in_hand_may_wait_longer_than_a_decoder_without_one() -> None:
    limits = LoadingLimits(documents_per_process=3, kept_seconds=0.2)
    with build_loader(limits) as loader:
        first = read_by(loader, "a", pdf())
        with loader.open(pdf(), soon(), owner="a") as document:
            assert decoder_of(document).pid == first
            time.sleep(0.5)
            assert document.page(1, soon()).number == 1
            assert decoder_of(document).pid == first


def test_a_canceled_documents_decoder_reads_no_other(keeping: ProcessLoader) -> None:
    cancellation = Cancellation()
    with keeping.open(pdf(), soon(), cancellation, "a") as document:
        first = decoder_of(document).pid
        cancellation.set()

    assert read_by(keeping, "a", pdf()) != first


def test_closing_the_loader_ends_decoders_that_wait() -> None:
    loader = build_loader(LoadingLimits(documents_per_process=3))
    waiting = psutil.Process(read_by(loader, "a", pdf()))

    loader.close()

    assert psutil.wait_procs([waiting], timeout=PATIENCE_S)[0] == [waiting]


def test_the_helper_that_forks_is_replaced_when_it_dies() -> None:
    with build_loader(LoadingLimits()) as loader:
        first = helper(loader)
        orphan = loader.open(png(), soon())
        (child,) = first.children()
        first.kill()
        gone, _ = psutil.wait_procs([child], timeout=PATIENCE_S)
        assert gone == [child]

        with pytest.raises(Error) as raised:
            orphan.image(1, soon())
        assert (raised.value.code, raised.value.retryable) == ("inference_unavailable", True)
        with loader.open(png(), soon()) as document:
            assert document.image(1, soon()).width == 40
        assert helper(loader).pid != first.pid


def test_the_helper_that_forks_is_replaced_when_it_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "_END_SECONDS", 0.2)
    with build_loader(LoadingLimits()) as loader:
        first = helper(loader)
        orphan = loader.open(png(), soon())
        (child,) = first.children()
        first.suspend()
        # Not before: until then it has the time that a busy machine needs.
        loader._decoders._starter._helper._control.settimeout(0.2)  # type: ignore[attr-defined]

        with loader.open(png(), soon()) as document:
            orphan.close()
            assert document.image(1, soon()).width == 40
        gone, _ = psutil.wait_procs([first, child], timeout=PATIENCE_S)
        assert len(gone) == 2


def test_who_closes_a_document_does_not_wait_for_its_decoder(loader: ProcessLoader) -> None:
    document = loader.open(png(), soon())
    program = helper(loader)
    (child,) = program.children()
    program.suspend()

    document.close()
    assert child.is_running()

    program.resume()
    with loader.open(png(), soon()) as following:
        assert not child.is_running()
        assert following.page_count == 1
    assert helper(loader).pid == program.pid


def test_closing_the_loader_ends_all_processes() -> None:
    loader = build_loader(LoadingLimits())
    document = loader.open(png(), soon())
    (child,) = helper(loader).children()

    loader.close()

    # A helper that needs longer than it is given is killed, and its decoders end after it.
    assert psutil.wait_procs([child], timeout=PATIENCE_S)[0] == [child]
    with pytest.raises(Error):
        document.image(1, soon())
    document.close()


def test_no_more_documents_than_allowed_are_open_at_once(loader: ProcessLoader) -> None:
    single = ProcessLoader(LoadingLimits(max_processes=1), loader._decoders._starter)
    first = single.open(png(), soon())

    with pytest.raises(Error) as raised:
        single.open(png(), Deadline.after(0.01))
    assert raised.value.code == "inference_timeout"

    threading.Timer(0.05, first.close).start()
    with single.open(png(), soon()) as second:
        assert second.page_count == 1


def test_a_failed_opening_gives_its_slot_back(loader: ProcessLoader) -> None:
    single = ProcessLoader(LoadingLimits(max_processes=1), loader._decoders._starter)

    for _ in range(3):
        with pytest.raises(Error, match="unreadable_document"):
            single.open(b"%PDF-1.7\n", soon())
    single.open(png(), soon()).close()


def test_many_threads_at_once(loader: ProcessLoader) -> None:
    results: list[tuple[int, int]] = []

    def work(side: int) -> None:
        for _ in range(5):
            with loader.open(png(side, side + 1), soon()) as document:
                image = document.image(1, soon())
                results.append((image.width, image.height))

    threads = [threading.Thread(target=work, args=(side,)) for side in range(10, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == sorted((side, side + 1) for side in range(10, 16) for _ in range(5))


def test_decoders_know_nothing_of_the_environment(loader: ProcessLoader) -> None:
    with loader.open(png(), soon()):
        (child,) = helper(loader).children()
        environment = child.environ()
        limits = child.rlimit(psutil.RLIMIT_AS), child.rlimit(psutil.RLIMIT_CORE)

    assert not environment.keys() & (os.environ.keys() - {"LC_ALL", "OMP_NUM_THREADS"})
    assert limits == ((1_500_000_000, 1_500_000_000), (0, 0))


def test_it_works_from_the_root_folder_and_a_thread() -> None:
    """The root of a file system may hold a folder `lib` that is not ours."""
    program = (
        "import sys, threading\n"
        f"sys.path.append({str(Path(lib.__file__).parents[1])!r})\n"
        "from lib.domain.deadline import Deadline\n"
        "from lib.loading.limits import LoadingLimits\n"
        "from lib.loading.loader import build_loader\n"
        "def work():\n"
        "    with build_loader(LoadingLimits()) as loader:\n"
        f"        with loader.open({png()!r}, Deadline.after(60)) as document:\n"
        "            print(document.page_count)\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd="/", capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == ("1\n", "")


def test_the_decoding_libraries_stay_out_of_the_server() -> None:
    program = (
        "import sys; import lib.loading.loader, lib.loading.page_images; "
        "print({'PIL', 'pypdfium2', 'lxml', 'pillow_heif', 'cv2'} & sys.modules.keys())"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == ("set()\n", "")


@pytest.mark.slow
def test_fresh_interpreters_do_the_same() -> None:
    limits = LoadingLimits()
    loader = ProcessLoader(limits, SpawningStarter(limits))

    with loader.open(pdf(), soon()) as document:
        assert document.image(1, soon()).width == document.page(1, soon()).width
    with pytest.raises(Error) as raised:
        loader.open(b"%PDF-1.7\n", soon())
    assert raised.value.details == {"reason": "damaged"}


@pytest.mark.parametrize(
    "build", [ForkingStarter, pytest.param(SpawningStarter, marks=pytest.mark.slow)]
)
def test_decoders_wait_for_the_next_question_though_new_sockets_would_not(
    build: Callable[[LoadingLimits], ProcessStarter],
) -> None:
    limits = LoadingLimits()
    socket.setdefaulttimeout(2.0)  # as Celery does, for the process, while it leaves a broker
    try:
        with ProcessLoader(limits, build(limits)) as loader, loader.open(pdf(), soon()) as document:
            time.sleep(0.1)
            assert document.image(1, soon()).width == document.page(1, soon()).width
    finally:
        socket.setdefaulttimeout(None)


@pytest.mark.slow
@pytest.mark.parametrize(("by_each", "owner", "waiting"), [(1, None, 0), (50, "a", 1)])
def test_five_hundred_documents_leave_nothing_behind(
    by_each: int, owner: str | None, waiting: int
) -> None:
    # In a process of its own: what other tests have left at work in this one takes memory as well.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as own:
        own.submit(leave_nothing_behind, by_each, owner, waiting).result(10 * PATIENCE_S)


def leave_nothing_behind(by_each: int, owner: str | None, waiting: int) -> None:
    documents = [pdf(attachments={"factur-x.xml": INVOICE_XML}), png(300, 200)]
    if not waiting:
        documents.append(b"%PDF-1.7\n")  # after which a decoder is not used again
    with build_loader(LoadingLimits(documents_per_process=by_each)) as loader:
        server, own = helper(loader), psutil.Process()

        def run(count: int) -> None:
            for number in range(count):
                try:
                    with loader.open(
                        documents[number % len(documents)], soon(), owner=owner
                    ) as document:
                        document.image(1, soon())
                except Error as error:
                    assert error.code == "unreadable_document"

        run(30)
        gc.collect()
        before = own.num_fds(), server.num_fds(), own.num_threads()
        memory, helper_memory = own.memory_info().rss, server.memory_info().rss
        run(500)

        after = own.num_fds(), server.num_fds(), own.num_threads()
        # Fewer where a decoder was still being ended before.
        assert all(now <= then for now, then in zip(after, before, strict=True))
        ended = Deadline.after(PATIENCE_S)
        while len(server.children()) > waiting and not ended.passed:
            time.sleep(0.01)
        assert len(server.children()) == waiting
        assert own.memory_info().rss - memory < 10_000_000
        assert server.memory_info().rss - helper_memory < 2_000_000


def test_a_server_that_is_killed_leaves_no_process_behind() -> None:
    program = (
        "import psutil, sys, time\n"
        f"sys.path.append({str(Path(lib.__file__).parents[1])!r})\n"
        "from lib.domain.deadline import Deadline\n"
        "from lib.loading.limits import LoadingLimits\n"
        "from lib.loading.loader import build_loader\n"
        f"document = build_loader(LoadingLimits()).open({png()!r}, Deadline.after(60))\n"
        "found = psutil.Process().children(recursive=True)\n"
        "print(*(process.pid for process in found), flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        numbers = [int(number) for number in server.stdout.readline().split()]
        processes = [psutil.Process(number) for number in numbers]
        server.kill()

    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)

    assert len(numbers) == 2
    assert alive == []
