"""The pipeline in this process as the reader of an evaluation."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from lib.domain.deadline import Deadline
from lib.domain.extraction import Extraction, Hints
from lib.domain.task import Task
from lib.errors import Error
from lib.evaluation.evaluate import Place, Prediction
from lib.pipelines.extract import Stations, extract


class PipelineReader:
    """Runs the pipeline in this process."""

    name = "pipeline"

    def __init__(self, stations: Stations, task: Task, deadline_s: float) -> None:
        self._stations = stations
        self._task = task
        self._deadline_s = deadline_s

    def read(self, document_id: str, file_name: str, data: bytes) -> Prediction:
        """See `DocumentReader.read`."""
        hints = Hints(received_on=datetime.now(UTC).date())
        started = time.monotonic()
        deadline = Deadline.after(self._deadline_s)
        try:
            extraction = extract(data, self._task, self._stations, hints, deadline)
        except Error as error:
            return Prediction(document_id, error=error.code)
        spent_ms = (time.monotonic() - started) * 1000
        return _prediction(document_id, extraction, spent_ms)


def _prediction(document_id: str, extraction: Extraction, milliseconds: float) -> Prediction:
    reading = extraction.reading
    return Prediction(
        document_id,
        document_type=reading.document_type,
        result=reading.result,
        confidences={
            name: field.confidence
            for name, field in reading.fields.items()
            if field.value is not None
        },
        places={
            name: Place(field.page, field.polygon)
            for name, field in reading.fields.items()
            if field.page and field.polygon
        },
        pages=extraction.pages,
        page_count=extraction.page_count,
        milliseconds=milliseconds,
    )
