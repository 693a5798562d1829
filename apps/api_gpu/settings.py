"""Every environment variable of the inference service, typed; a wrong one stops the start."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from apps.tracing.tracer import posted_to


class SettingsError(Exception):
    """The settings are wrong; the text is one line without any value, which may be a secret."""


class Settings(BaseModel):
    """Named as in the environment, in small letters."""

    # The fork's environment has pydantic, but not what the orchestrator reads its settings with.
    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8001, ge=0, le=65535)
    vllm_model: str = Field(default="Snowflake/snowflake-arctic-tilt-v1.3", min_length=1)
    vllm_api_key: SecretStr | None = Field(default=None, min_length=8)
    tilt_model_path: str | None = None
    tilt_revision: str | None = None
    tilt_gpu_memory_utilization: float = Field(default=0.8, gt=0, lt=1)
    tilt_max_num_seqs: int = Field(default=16, ge=1, le=256)
    tilt_max_tokens: int | None = Field(default=None, ge=1024)
    tilt_max_pages: int = Field(default=50, ge=1, le=250)
    tilt_queue: int = Field(default=32, ge=1, le=1000)
    tilt_decoders: int = Field(default=4, ge=1, le=64)
    tilt_max_body_mb: int = Field(default=64, ge=1, le=1024)
    tilt_body_timeout_s: float = Field(default=30.0, gt=0)
    tilt_request_timeout_s: float = Field(default=300.0, gt=0)
    tilt_probe_interval_s: float = Field(default=20.0, gt=0)
    tilt_probe_timeout_s: float = Field(default=60.0, gt=0)
    tilt_shutdown_grace_s: int = Field(default=30, ge=0)
    # As the orchestrator's; the SDK's other `OTEL_*` variables are read by the SDK itself.
    otel_exporter_otlp_endpoint: str | None = None
    otel_exporter_otlp_traces_endpoint: str | None = None
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = "http/protobuf"
    otel_exporter_otlp_traces_protocol: Literal["http/protobuf"] = "http/protobuf"
    otel_traces_exporter: Literal["otlp", "none"] = "otlp"
    otel_sdk_disabled: bool = False

    @property
    def traces_endpoint(self) -> str | None:
        """The URL that spans are posted to; None for no traces."""
        return posted_to(
            self.otel_exporter_otlp_endpoint,
            self.otel_exporter_otlp_traces_endpoint,
            is_off=self.otel_sdk_disabled or self.otel_traces_exporter == "none",
        )

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.vllm_api_key is None and not _is_loopback(self.host):
            raise ValueError("VLLM_API_KEY is missing, and HOST is not a loopback address")
        key = self.vllm_api_key.get_secret_value() if self.vllm_api_key else ""
        if not all("!" <= character <= "~" for character in key):
            raise ValueError("VLLM_API_KEY has a character that a header cannot carry")
        return self


def load_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`; `SettingsError` names what is wrong or misspelt.

    Variables of others are left alone; only `TILT_` is ours alone. An empty one counts as unset.
    """
    known = {name.upper(): name for name in Settings.model_fields}
    given: dict[str, Any] = {}
    for name, value in environment.items():
        if name in known and value:
            given[known[name]] = value
        elif name.startswith("TILT_") and name not in known:
            raise SettingsError(f"{name} is not a setting; docs/gpu.md lists them")
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        raise SettingsError("; ".join(_line(problem) for problem in problems)) from None


def _line(problem: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]).upper()
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
