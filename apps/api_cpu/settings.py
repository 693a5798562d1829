"""Every environment variable, typed: what it may be, and why a start is refused.

Longer than other files: nobody should have to look for a variable in two places.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from rapidfuzz import fuzz, process

from apps.tracing.tracer import posted_to
from lib.inference.addresses import AddressBook
from lib.inference.secret import Secret
from lib.processes.affinity import usable_cores


def _configs_folder() -> Path:
    """Beside the code in a checkout; in the working directory where the package is installed."""
    beside = Path(__file__).resolve().parents[2] / "configs"
    return beside if beside.is_dir() else Path.cwd() / "configs"


CONFIGS = _configs_folder()
DEFAULTS_FILE = CONFIGS / "default.yaml"

_OWN_PREFIXES = (
    "OCR_",
    "AUTH_",
    "DUPLICATES_",
    "BATCH_",
    "API_KEY_",
    "CORS_",
    "EXTRACT_",
    "HSTS_",
    "INFERENCE_",
    "JOB_",
    "METRICS_",
    "RESULT_",
    "JOBS_",
    "RETENTION_",
    "S3_",
    "SHUTDOWN_",
    "SPOOL_",
    "SYNC_",
    "VENDOR_",
)
# OpenTelemetry's own variables: more than we read ourselves, and alike among themselves.
_OF_OTHERS = ("OTEL_",)
# Kubernetes adds variables named after every service of a namespace, such as OCR_PORT_8000_TCP.
_SERVICE_LINK = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT(_\d+_(TCP|UDP)(_\w+)?)?$")
_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_HOST_NAME = re.compile(r"[a-z0-9._-]+")
# Documents that wait for a model at once, of requests and of jobs: a GPU answers many together
# almost as fast as one.
_WAITING_FOR_MODEL = 32
_JOBS_WAITING_FOR_MODEL = 16
# A client that polls twenty jobs a second is not stopped; one that loops is.
_REQUESTS_PER_MINUTE = 1200
# One server's interpreter cannot keep more of them busy.
_MOST_READERS = 4
# A document that takes long, or hangs, must leave one for the others.
_FEWEST_READERS = 2
_RETENTION = "retention_days_"
_NEAR_MISS_MIN_LENGTH = 8
_NEAR_MISS_SCORE = 88.0


def _location(value: object) -> object:
    """A file's path, or a `postgresql://` URL kept as a secret, since it may hold a password."""
    if not isinstance(value, str):
        return value
    if "://" not in value:
        return Path(value)
    try:
        parts = urlsplit(value)
        complete = bool(parts.hostname and parts.path.strip("/") and parts.port != 0)
    except ValueError:
        complete = False
    if not complete or parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError("neither a file nor postgresql://user:password@host:port/database")
    return SecretStr("postgresql" + value[len(parts.scheme) :])


DatabaseLocation = Annotated[Path | SecretStr, BeforeValidator(_location)]
"""A SQLite file of this machine, or PostgreSQL for processes of several hosts."""


def _kept(what: str) -> str:
    return f"Days after which {what} are deleted; docs/retention.md. Default: never."


class SettingsError(Exception):
    """The settings are wrong; the text is one line that says which and how to mend it."""


class Settings(BaseSettings):
    """The orchestrator's settings: environment variables over `configs/default.yaml`."""

    model_config = SettingsConfigDict(
        case_sensitive=False, env_ignore_empty=True, extra="forbid", frozen=True
    )

    host: str = Field(description="Address that the server listens on.")
    port: int = Field(ge=0, le=65535, description="TCP port; 0 picks a free one.")
    server_on_one_core: bool = Field(
        description="Whether the server's own threads keep to one of the cores, on Linux: they "
        "share one interpreter, and waking each other on several cores costs more than it brings. "
        "The processes that read documents use all cores. Not with `FIELD_READERS=0`, where the "
        "server does some of that itself."
    )
    data_root: Path = Field(
        description="Folder for everything that the server writes when no path of its own is given."
    )
    auth_db_path: DatabaseLocation | None = Field(
        description="API keys: a SQLite file, or `postgresql://user:password@host/database`. "
        "Default: `auth.sqlite3` in `DATA_ROOT`."
    )
    jobs_db_path: DatabaseLocation | None = Field(
        description="Jobs: a SQLite file, or `postgresql://user:password@host/database` for "
        "workers on several hosts; the index of extractions and the vendors are in that database "
        "too then. Default: `jobs.sqlite3` in `DATA_ROOT`."
    )
    s3_allow_overwrite: bool = Field(
        description="Let an artifact replace one of the same name, in whatever store is used."
    )
    s3_bucket: str | None = Field(
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="Bucket of Cloudflare R2 or another S3 that artifacts are kept in. Default: "
        "they are files in `DATA_ROOT/artifacts`. docs/storage.md sets one up.",
    )
    s3_endpoint_url: str | None = Field(
        description="Where the bucket's store is: `https://<account id>.r2.cloudflarestorage.com`, "
        "without the bucket. Needed with `S3_BUCKET`."
    )
    s3_prefix: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*/?$|^$",
        max_length=200,
        description="What the keys of all objects begin with, such as `production`.",
    )
    s3_region: str = Field(
        pattern=r"^[a-z0-9-]{2,30}$",
        description="Region that requests are signed for: `auto` for R2, the bucket's elsewhere.",
    )
    aws_access_key_id: SecretStr | None = Field(
        description="Id of the key to the bucket. Needed with `S3_BUCKET`."
    )
    aws_secret_access_key: SecretStr | None = Field(
        description="The key to the bucket. Needed with `S3_BUCKET`."
    )
    spool_max_mb: int = Field(
        ge=1,
        le=1_000_000,
        description="With `S3_BUCKET`: MiB of artifacts that may wait in `DATA_ROOT/spool` while "
        "the store is away; then requests get 503 before they are worked on.",
    )
    spool_max_files: int = Field(
        ge=1, le=1_000_000, description="As `SPOOL_MAX_MB`, of their number."
    )
    retention_days_extracts: int | None = Field(ge=1, le=36500, description=_kept("extractions"))
    retention_days_corrections: int | None = Field(ge=1, le=36500, description=_kept("corrections"))
    retention_days_batches: int | None = Field(ge=1, le=36500, description=_kept("runs"))
    retention_days_evals: int | None = Field(ge=1, le=36500, description=_kept("evaluations"))
    retention_days_inputs: int | None = Field(ge=1, le=36500, description=_kept("stored inputs"))
    metrics_token: SecretStr | None = Field(
        min_length=16,
        description="What `GET /metrics` asks for as a bearer token. Without it, only callers of "
        "this machine are answered, and none that a proxy passes on.",
    )
    metrics_port: int | None = Field(
        ge=0,
        le=65535,
        description="TCP port on which `ocr worker` answers `GET /metrics`; 0 picks a free one, "
        "which the log names. Default: none.",
    )
    metrics_host: str = Field(
        description="Address for `METRICS_PORT`. One that other machines reach needs "
        "`METRICS_TOKEN`."
    )
    auth_enabled: bool | None = Field(
        description="Ask for API keys. Default: on, unless `HOST` is a loopback address."
    )
    api_key_pepper: SecretStr | None = Field(
        min_length=16,
        description="Secret that API keys are hashed with, 16 characters or more. "
        "Needed when keys are asked for; changing it makes every key invalid.",
    )
    max_upload_mb: int = Field(ge=1, le=1024, description="Largest document, in MiB.")
    max_pages: int = Field(ge=1, le=2000, description="Most pages of a document.")
    batch_max_files: int = Field(
        ge=1,
        le=100_000,
        description="Most documents of a batch, members of ZIPs included.",
    )
    batch_max_upload_mb: int = Field(
        ge=1, le=1_000_000, description="Largest upload of a batch, ZIPs unpacked, in MiB."
    )
    batch_max_zip_members: int = Field(ge=1, le=100_000, description="Most documents of a ZIP.")
    batch_max_zip_ratio: float = Field(
        gt=1,
        description="A member of a ZIP that unpacks to more than so many times its size is not "
        "read.",
    )
    batch_upload_deadline_s: float = Field(
        gt=0, le=3000, description="Seconds that the upload of a batch may take to arrive."
    )
    batch_uploads_per_key: int = Field(
        ge=1,
        le=32,
        description="Uploads of batches that one key may send at once; more get 429.",
    )
    uploads_announced_per_key: int = Field(
        ge=1,
        le=1_000_000,
        description="Uploads of one key that are announced and were not sent yet (to a bucket: not "
        "used yet) at once; more get 429.",
    )
    sync_deadline_s: float = Field(
        gt=0,
        le=3600,
        description="Seconds after which a synchronous request is answered 202, and its work goes "
        "on as a job; 504 with `Prefer: wait`.",
    )
    max_connections: int = Field(
        ge=8,
        le=100_000,
        description="Connections that may be open at once; one more is told 503. Each is an open "
        "file of the process (`ulimit -n`), beside some hundred others.",
    )
    loading_timeout_s: float = Field(
        gt=0,
        le=3600,
        description="Seconds that opening a document, or one page of it, may take; then it is "
        "unreadable. 20 s of processor time are the limit besides.",
    )
    decoder_documents: int = Field(
        ge=1,
        le=1000,
        description="Documents of one key that a decoder process opens before it is replaced; "
        "1: each document gets a process of its own, which costs about 10 ms.",
    )
    ocr_page_timeout_s: float = Field(
        gt=0,
        le=3600,
        description="Seconds that the OCR of one page may take, its turn not counted; then the "
        "document is unreadable.",
    )
    body_patience_s: float = Field(
        gt=0,
        le=3600,
        description="Seconds that a request's body may keep the server waiting for its next bytes, "
        "and in all; in all one more for each 10 KiB that has come.",
    )
    rate_limit_per_minute: int | None = Field(
        ge=0,
        le=1_000_000,
        description="Requests of one API key a minute, and at once; more get 429. 0 is no limit. "
        "Default: 1200 where keys are asked for, else none.",
    )
    login_failures_per_minute: int = Field(
        ge=0,
        le=1_000_000,
        description="Wrong API keys, tokens of metrics and of uploads from one address (IPv6: /64) "
        "a minute; more get 429 instead of 401 or 404. A valid one passes all the same. 0 is no "
        "limit.",
    )
    cors_origins: str = Field(
        description="Origins of web pages that may call the API from a browser, comma-separated: "
        "`https://app.example.org`. Default: only the server's own page."
    )
    allowed_hosts: str = Field(
        description="Host names, comma-separated, that the server answers to besides `localhost` "
        "and IP addresses. Default: every name; none on loopback without keys."
    )
    hsts_seconds: int = Field(
        ge=0,
        le=2**31,
        description="Behind TLS: seconds for which browsers are told to come by https only "
        "(`Strict-Transport-Security`), such as 31536000. 0 tells them nothing.",
    )
    webhook_allow_private: bool = Field(
        description="Let a `callback_url` lead to private, loopback and link-local addresses, and "
        "be http: for receivers in the operator's own network, and for trying it out."
    )
    shutdown_grace_s: float = Field(
        ge=0,
        le=3600,
        description="Seconds that running requests have to finish after SIGTERM; then they are "
        "answered 503. The process ends within 10 seconds more.",
    )
    extract_concurrency: int | None = Field(
        ge=1,
        le=256,
        description="Extractions that run at once. Default: `OCR_WORKERS` + 1; + 32 where a "
        "model is asked, since those wait for it and keep it busy together.",
    )
    jobs_backend: Literal["local", "celery"] = Field(
        description="Who works on jobs: `local`, the server itself, and `ocr worker`s of its host; "
        "`celery`, `ocr worker`s of any number of hosts, which a broker tells of new work."
    )
    celery_broker_url: SecretStr = Field(
        description="Redis (`redis://`, `rediss://`) or RabbitMQ (`amqp://`, `amqps://`) for "
        "`JOBS_BACKEND=celery`."
    )
    jobs_max_concurrency: int | None = Field(
        ge=0,
        le=256,
        description="Documents of jobs that this process reads at once. Default: `OCR_WORKERS`; "
        "+ 16 where a model is asked. 0: none, other processes do. With `celery` the server reads "
        "none, whatever this says.",
    )
    jobs_queued_per_key: int = Field(
        ge=1,
        le=1_000_000,
        description="Documents of one key that may wait in jobs; more are answered 429.",
    )
    jobs_watched_per_key: int = Field(
        ge=1,
        le=256,
        description="Streams of events and waits for the end of a job (`?wait=`) that one key may "
        "have open; more get 429.",
    )
    jobs_keep_days: int = Field(
        ge=1,
        le=36500,
        description="Days after which a job that has ended is forgotten; its artifacts and its run "
        "stay.",
    )
    jobs_lease_s: float | None = Field(
        ge=1,
        le=600,
        description="Seconds after which a worker that gives no sign of life loses its documents "
        "to others. One that is killed on the same host is noticed at once. Default: 20; 8 with "
        "`celery`, where the others are on other hosts.",
    )
    job_deadline_s: float = Field(
        gt=0, le=24 * 3600, description="Seconds that reading one document of a job may take."
    )
    jobs_retry_for_s: float = Field(
        ge=0,
        le=7 * 24 * 3600,
        description="Seconds from its first start in which a document of a job is tried again "
        "while the inference server or the store is away.",
    )
    extract_queue: int = Field(
        ge=0, le=10_000, description="Extractions that may wait for their turn; one more gets 503."
    )
    extract_target_wait_s: float = Field(
        gt=0,
        le=3600,
        description="Seconds that an extraction may expect to wait for its turn while more come "
        "than can be read, for longer than a burst; more get 503.",
    )
    extract_per_key: int | None = Field(
        ge=1,
        le=10_000,
        description="Extractions of one key that may run and wait at once; more get 429. Default: "
        "half of `EXTRACT_QUEUE`, less while others wait too; without keys all of it.",
    )
    inference_backend: Literal["cpu", "mock", "vllm"] = Field(
        description="Who reads fields: `cpu`, inside the server; `vllm`, a model on a GPU server; "
        "`mock`, `scripts/mock_vllm.py` in its place. OCR is inside the server always."
    )
    mock_vllm: bool = Field(description="1 is the same as `INFERENCE_BACKEND=mock`.")
    vllm_base_url: str = Field(
        description="Where the inference servers are: addresses, comma-separated; `file:///...` is "
        "a file with addresses that is read again when it changes."
    )
    vllm_api_key: SecretStr | None = Field(description="Key that the inference servers ask for.")
    vllm_model: str | None = Field(
        min_length=1,
        max_length=200,
        description="Served name of the model; picks its card in `configs/models`. Needed with "
        "`vllm`; with `mock` `mock-chat` unless given.",
    )
    vllm_connect_timeout_s: float = Field(gt=0, le=600, description="Longest wait to connect.")
    vllm_read_timeout_s: float = Field(
        gt=0, le=3600, description="Longest wait for an inference server's next bytes."
    )
    vllm_write_timeout_s: float = Field(gt=0, le=600, description="Longest wait to send bytes.")
    vllm_pool_timeout_s: float = Field(
        gt=0, le=600, description="Longest wait for a free connection to an inference server."
    )
    cascade: bool = Field(
        description="Read on the CPU first, and ask the model only for what is doubtful."
    )
    cascade_below: float = Field(
        gt=0, le=1, description="With `CASCADE`: confidence below which a field is doubtful."
    )
    fallback_backend: Literal["cpu"] | None = Field(
        description="`cpu`: answer from the CPU, with a warning, while no inference server does."
    )
    vendor_memory: bool = Field(
        description="Remember, per API key, the vendors that corrections confirm or many documents "
        "repeat, and spell them so where they are read almost so."
    )
    duplicates_days: int = Field(
        ge=0,
        le=3650,
        description="Days for which what was read of a document is remembered, per API key, to "
        "say when it comes again; 0 remembers nothing.",
    )
    result_cache_hours: float = Field(
        ge=0,
        le=24,
        description="Hours for which a document that the same key sends again with the same "
        "options gets the answer that it got, without being read; 0: never. docs/result_cache.md.",
    )
    result_cache_max_answers: int = Field(
        ge=1, le=10_000_000, description="With `RESULT_CACHE_HOURS`: most answers that are known."
    )
    ocr_engine: Literal["ppocr", "paddle"] = Field(
        description="OCR engine: PP-OCR from RapidOCR's wheel, or PaddleOCR where it is installed."
    )
    ocr_runtime: Literal["auto", "openvino", "onnxruntime"] = Field(
        description="What PP-OCR runs on; `auto` takes OpenVINO where it is installed."
    )
    ocr_workers: int | None = Field(
        ge=1, le=256, description="OCR worker processes. Default: the machine's cores."
    )
    ocr_threads: int = Field(
        ge=1,
        le=16,
        description="Threads that may read a page while other OCR workers have none: at most one "
        "for each worker and page in hand. 1: a page is read by one core, whatever is idle.",
    )
    worker_memory_mb: int = Field(
        ge=100,
        le=1_000_000,
        description="MiB of resident memory after a page above which an OCR worker is replaced; it "
        "has about 190 once it has loaded. docs/operations.md says what to set on a small host.",
    )
    field_readers: int | None = Field(
        ge=0,
        le=64,
        description="Processes that find the fields of documents beside the server's own (and each "
        "`ocr worker`'s); 0: it finds them itself. Default: half of the machine's cores, at "
        "least 2 and at most 4.",
    )
    fields_timeout_s: float = Field(
        gt=0,
        le=3600,
        description="Seconds that finding the fields of one document may take, and again those of "
        "a model's answer, its turn not counted; then the document is unreadable. With "
        "`FIELD_READERS=0` nothing ends it.",
    )
    paddle_detection_model_dir: Path | None = Field(
        description="Folder of PaddleOCR's detection model; needed with `OCR_ENGINE=paddle`."
    )
    paddle_recognition_model_dir: Path | None = Field(
        description="Folder of PaddleOCR's recognition model; needed with `OCR_ENGINE=paddle`."
    )
    paddle_orientation_model_dir: Path | None = Field(
        description="Folder of PaddleOCR's orientation classifier; without it pages are upright."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        description="Least severe log record that is written."
    )
    log_format: Literal["json", "text"] | None = Field(
        description="JSON, an object a line, or text for people. "
        "Default: text where stderr is a terminal, else JSON."
    )

    otel_exporter_otlp_endpoint: str | None = Field(
        description="Where traces go: an OpenTelemetry collector's address such as "
        "`http://collector:4318`. Default: none are made. docs/traces.md; the SDK's other `OTEL_*` "
        "variables work as well."
    )
    otel_exporter_otlp_traces_endpoint: str | None = Field(
        description="The same with its path, such as `https://collector/v1/traces`; goes first."
    )
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = Field(
        description="How traces are sent."
    )
    otel_exporter_otlp_traces_protocol: Literal["http/protobuf"] = Field(
        description="As `OTEL_EXPORTER_OTLP_PROTOCOL`."
    )
    otel_traces_exporter: Literal["otlp", "none"] = Field(
        description="`none` makes no traces, whatever the endpoint says."
    )
    otel_sdk_disabled: bool = Field(description="1 is the same as `OTEL_TRACES_EXPORTER=none`.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file of defaults; nothing else."""
        # Not with the library's own sources: its reader of YAML takes 5 ms of every start, and 3 ms
        # to find out whether a variable may be JSON, which none is.
        defaults = yaml.load(DEFAULTS_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        assert isinstance(env_settings, EnvSettingsSource)
        variables = env_settings.env_vars
        said = {name: variables[name] for name in settings_cls.model_fields if name in variables}
        return init_settings, InitSettingsSource(settings_cls, defaults | said)

    @field_validator("vllm_base_url")
    @classmethod
    def _names_servers(cls, value: str) -> str:
        AddressBook(value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _names_origins(cls, value: str) -> str:
        if not all(map(_ORIGIN.fullmatch, _items(value))):
            raise ValueError("an origin is http(s)://host or http(s)://host:port, and never *")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _names_hosts(cls, value: str) -> str:
        if not all(map(_HOST_NAME.fullmatch, _items(value))):
            raise ValueError("a host name has no scheme, no port and no *")
        return value

    @field_validator("vllm_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        Secret(value.get_secret_value() if value else "")
        return value

    @field_validator("celery_broker_url")
    @classmethod
    def _names_a_broker(cls, value: SecretStr) -> SecretStr:
        scheme, separator, rest = value.get_secret_value().partition("://")
        if scheme not in {"redis", "rediss", "amqp", "amqps"} or not separator or not rest:
            raise ValueError("neither redis://host:port/number nor amqp://user:password@host//")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.mock_vllm and self.inference_backend == "vllm":
            raise ValueError("MOCK_VLLM=1 contradicts INFERENCE_BACKEND=vllm")
        if self.backend == "vllm" and self.vllm_model is None:
            raise ValueError("VLLM_MODEL is missing: it names the model that the server serves")
        if self.backend == "cpu" and (self.cascade or self.fallback_backend):
            raise ValueError("CASCADE and FALLBACK_BACKEND need INFERENCE_BACKEND=vllm or mock")
        if self.asks_for_keys and self.api_key_pepper is None:
            raise ValueError(
                "API_KEY_PEPPER is missing: API keys are asked for (HOST is not loopback, or "
                "AUTH_ENABLED=1) and cannot be checked without it"
            )
        if not is_loopback(self.metrics_host) and self.metrics_token is None:
            raise ValueError("METRICS_TOKEN is missing: METRICS_HOST is not loopback")
        self._require_whole_bucket()
        return self

    def _require_whole_bucket(self) -> None:
        """Half of what names a bucket would keep artifacts where nobody looks for them."""
        url = self.s3_endpoint_url
        if self.s3_bucket is None:
            if url is not None or self.s3_prefix:
                raise ValueError("S3_BUCKET is missing: S3_ENDPOINT_URL or S3_PREFIX is given")
            return
        needed = {
            "S3_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": self.aws_access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.aws_secret_access_key,
        }
        for name, value in needed.items():
            if value is None:
                raise ValueError(f"{name} is missing: S3_BUCKET is given and needs it")
        if re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+/?", url or "") is None:
            raise ValueError(
                "S3_ENDPOINT_URL must be http(s)://host or http(s)://host:port, without the bucket"
            )

    @property
    def backend(self) -> Literal["cpu", "mock", "vllm"]:
        """Who reads fields, `MOCK_VLLM` considered."""
        return "mock" if self.mock_vllm else self.inference_backend

    @property
    def inference_key(self) -> str:
        """The inference servers' key; empty where they ask for none."""
        return self.vllm_api_key.get_secret_value() if self.vllm_api_key else ""

    @property
    def traces_endpoint(self) -> str | None:
        """The URL that spans are posted to; None for no traces."""
        return posted_to(
            self.otel_exporter_otlp_endpoint,
            self.otel_exporter_otlp_traces_endpoint,
            is_off=self.otel_sdk_disabled or self.otel_traces_exporter == "none",
        )

    @property
    def asks_for_keys(self) -> bool:
        """Whether callers need an API key."""
        return not is_loopback(self.host) if self.auth_enabled is None else self.auth_enabled

    @property
    def page_origins(self) -> frozenset[str]:
        """Origins of other pages that may call the API, as browsers spell them."""
        ports = {"https": ":443", "http": ":80"}
        return frozenset(
            item.removesuffix(ports[item.partition(":")[0]]) for item in _items(self.cors_origins)
        )

    @property
    def host_names(self) -> frozenset[str] | None:
        """Names that the server answers to besides this machine's; None for every name."""
        is_open = self.asks_for_keys or not is_loopback(self.host)
        if is_open and not self.allowed_hosts:
            return None
        return frozenset(_items(self.allowed_hosts))

    @property
    def requests_per_minute(self) -> int:
        """Requests of one key a minute; 0 for no limit."""
        if self.rate_limit_per_minute is None:
            return _REQUESTS_PER_MINUTE if self.asks_for_keys else 0
        return self.rate_limit_per_minute

    @property
    def auth_database(self) -> Path | SecretStr:
        """The API keys."""
        return self.auth_db_path or self.data_root / "auth.sqlite3"

    @property
    def jobs_database(self) -> Path | SecretStr:
        """The jobs."""
        return self.jobs_db_path or self.data_root / "jobs.sqlite3"

    @property
    def index_database(self) -> Path | SecretStr:
        """Maps request ids and stored inputs to their artifacts and owners."""
        return self._beside_jobs("index.sqlite3")

    @property
    def duplicates_database(self) -> Path | SecretStr:
        """What was read of documents lately."""
        return self._beside_jobs("duplicates.sqlite3")

    @property
    def duplicates_window(self) -> timedelta:
        """How long a document is remembered: never longer than its extraction is kept."""
        kept = self.retention_days_extracts
        days = self.duplicates_days
        return timedelta(days=days if kept is None else min(days, kept))

    @property
    def vendors_database(self) -> Path | SecretStr:
        """The remembered vendors."""
        return self._beside_jobs("vendors.sqlite3")

    def _beside_jobs(self, file: str) -> Path | SecretStr:
        """In the jobs' own database where that is shared by several hosts, else a file."""
        shared = isinstance(self.jobs_database, SecretStr)
        return self.jobs_database if shared else self.data_root / file

    @property
    def database_files(self) -> tuple[Path, ...]:
        """Those of the databases that are files."""
        used = (
            self.auth_database, self.jobs_database, self.index_database, self.vendors_database,
            self.duplicates_database,
        )  # fmt: skip
        return tuple(place for place in used if isinstance(place, Path))

    @property
    def webhook_key_file(self) -> Path:
        """Root of the signing secrets of webhooks where there is no pepper."""
        return self.data_root / ".webhook-key"

    @property
    def retention_days(self) -> Mapping[str, int]:
        """Days that each kind of artifact, and inputs, are kept; those that are."""
        days = {
            name.removeprefix(_RETENTION): getattr(self, name)
            for name in type(self).model_fields
            if name.startswith(_RETENTION)
        }
        return {kind: count for kind, count in days.items() if count is not None}

    @property
    def artifacts_folder(self) -> Path:
        """Folder of the local artifact store."""
        return self.data_root / "artifacts"

    @property
    def artifacts_place(self) -> str:
        """Where artifacts are, for people."""
        return f"the bucket {self.s3_bucket}" if self.s3_bucket else str(self.artifacts_folder)

    @property
    def spool_folder(self) -> Path:
        """Folder of artifacts that wait for their bucket."""
        return self.data_root / "spool"

    @property
    def worker_count(self) -> int:
        """Number of OCR worker processes."""
        return self.ocr_workers or usable_cores()

    @property
    def reader_count(self) -> int:
        """Number of processes that find fields."""
        if self.field_readers is not None:
            return self.field_readers
        return min(_MOST_READERS, max(_FEWEST_READERS, usable_cores() // 2))

    @property
    def concurrency(self) -> int:
        """Number of extractions that run at once."""
        waiting = 1 if self.backend == "cpu" else _WAITING_FOR_MODEL
        return self.extract_concurrency or self.worker_count + waiting

    @property
    def lease_s(self) -> float:
        """How long a worker keeps its documents without a sign of life."""
        return self.jobs_lease_s or (8.0 if self.jobs_backend == "celery" else 20.0)

    @property
    def job_threads(self) -> int:
        """Number of documents of jobs that a process which works on jobs reads at once."""
        if self.jobs_max_concurrency is not None:
            return self.jobs_max_concurrency
        return self.worker_count + (0 if self.backend == "cpu" else _JOBS_WAITING_FOR_MODEL)

    @property
    def incoming_folder(self) -> Path:
        """Folder where uploads wait to be stored; on the disk of the local store."""
        return self.data_root / "incoming"

    @property
    def batch_upload_bytes(self) -> int:
        """Size of the largest upload of a batch in bytes."""
        return self.batch_max_upload_mb * 1024 * 1024

    @property
    def max_upload_bytes(self) -> int:
        """Size of the largest document in bytes."""
        return self.max_upload_mb * 1024 * 1024


def _items(text: str) -> list[str]:
    """What is between the commas, in lower case."""
    return [item.strip().rstrip("/").lower() for item in text.split(",") if item.strip()]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_settings(**overrides: Any) -> Settings:
    """Settings from overrides (None means: not given), environment and defaults.

    Raises `SettingsError` with one line for whatever is wrong, misspelt variables included.
    """
    if not DEFAULTS_FILE.is_file():
        raise SettingsError("configs/default.yaml is missing; start where the configs folder is")
    refuse_misspelt(os.environ)
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("; ".join(_lines(error))) from None


def variable_names() -> tuple[str, ...]:
    """The environment variables that are read."""
    return tuple(name.upper() for name in Settings.model_fields)


def refuse_misspelt(environment: Iterable[str]) -> None:
    """Raise `SettingsError` for a variable that was probably meant for us and would be ignored."""
    known = variable_names()
    for name in sorted(environment):
        upper = name.upper()
        if upper in known or upper.startswith(_OF_OTHERS):
            continue
        if _SERVICE_LINK.search(upper):
            continue
        near = process.extractOne(upper, known, scorer=fuzz.ratio, score_cutoff=_NEAR_MISS_SCORE)
        if near is not None and len(upper) >= _NEAR_MISS_MIN_LENGTH:
            raise SettingsError(f"{name} is not a setting; did you mean {near[0]}?")
        if upper.startswith(_OWN_PREFIXES):
            raise SettingsError(f"{name} is not a setting; docs/configuration.md lists them")


def _lines(error: ValidationError) -> Iterable[str]:
    """One phrase a problem, without the value: it may be a secret."""
    for problem in error.errors(include_input=False, include_url=False):
        message = problem["msg"].removeprefix("Value error, ")
        where = ".".join(str(part) for part in problem["loc"]).upper()
        yield f"{where}: {message}" if where else message
