"""The model server that the settings ask for: its client, its card, and whether it is ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apps.api_cpu.settings import CONFIGS, Settings
from lib.inference.addresses import AddressBook
from lib.inference.client import InferenceClient, Snapshot
from lib.inference.secret import Secret
from lib.kie.extractor import Extractor
from lib.kie.models.card_files import load_cards
from lib.kie.models.model_extractor import ModelReader
from lib.pipelines.field_reading import ModelStation

if TYPE_CHECKING:
    from lib.inference.http_client import HttpInferenceClient

_MOCK_MODEL = "mock-chat"
_FEWEST_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Inference:
    """A model station, whether somebody answers for it, what ends its connections, its counts."""

    station: ModelStation
    is_ready: Callable[[], bool]
    close: Callable[[], None]
    snapshot: Callable[[], Snapshot]


def build_inference(settings: Settings, rules: Extractor) -> Inference | None:
    """The model that is asked over `rules`, or None where none is.

    Raises `Error` for a wrong card or prompt, also where no model is asked.
    """
    cards = load_cards(CONFIGS / "models", CONFIGS / "prompts")
    if settings.backend == "cpu":
        return None
    client = build_client(settings)
    model = settings.vllm_model or _MOCK_MODEL
    station = ModelStation(
        backend=settings.backend,
        reader=ModelReader(cards, client, model, rules),
        cascade_below=settings.cascade_below if settings.cascade else None,
        falls_back=settings.fallback_backend is not None,
    )
    return Inference(station, lambda: serves(client, model), client.close, client.snapshot)


def build_client(settings: Settings) -> HttpInferenceClient:
    """The client; it probes the servers from now on."""
    # With libcurl, which a start without a model need not wait for.
    from lib.inference.connection import Timeouts  # noqa: PLC0415
    from lib.inference.http_client import ClientSettings, HttpInferenceClient  # noqa: PLC0415

    timeouts = Timeouts(
        connect_s=settings.vllm_connect_timeout_s,
        read_s=settings.vllm_read_timeout_s,
        write_s=settings.vllm_write_timeout_s,
        pool_s=settings.vllm_pool_timeout_s,
    )
    client = HttpInferenceClient(
        AddressBook(settings.vllm_base_url),
        Secret(settings.inference_key),
        ClientSettings(timeouts=timeouts, max_connections=_connections(settings)),
    )
    client.start()
    return client


def _connections(settings: Settings) -> int:
    """For each document that may be read at once, which asks one thing at a time; some more, since
    what was given up holds its place until it is closed.
    """
    return max(_FEWEST_CONNECTIONS, settings.concurrency + settings.job_threads)


def serves(client: InferenceClient, model: str) -> bool:
    """Whether some server is well and, as far as it says, has the model. Reads only memory."""
    return any(
        server.is_well and (not server.models or model in server.models)
        for server in client.snapshot().upstreams
    )
