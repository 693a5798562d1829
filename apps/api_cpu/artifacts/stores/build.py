"""Which artifact store the settings ask for."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from pydantic import SecretStr

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.artifacts.stores.spool import Limits, Spool
from apps.api_cpu.artifacts.stores.spooling import SpoolingStore
from apps.api_cpu.settings import Settings
from lib.errors import Error, Kind

if TYPE_CHECKING:
    from apps.api_cpu.artifacts.stores.s3 import Bucket, S3ArtifactStore

# Who waits for a write is answered soon, and it is spooled; nobody waits for the spool's uploads.
_WITHIN_S = 5.0
_PATIENT_WITHIN_S = 60.0
_MIB = 1024 * 1024


def check_artifact_store(settings: Settings) -> None:
    """Refuse a start with a bucket that cannot be used as it is set up. For each program, first.

    Raises `storage_unavailable` with a line for who starts it. That the bucket is away is no
    reason: artifacts wait for it. Nothing is written to one that has not been checked.
    """
    if settings.s3_bucket is None:
        return
    from apps.api_cpu.artifacts.stores.s3 import StoreRefused  # noqa: PLC0415

    try:
        _in_bucket(settings, _WITHIN_S).check()
    except StoreRefused as refused:
        message = f"The artifact store cannot be used: {refused}"
        raise Error("storage_unavailable", Kind.UNAVAILABLE, message) from None
    except Error:
        logs.warning("the object store is away: artifacts will wait for it")


def build_artifact_store(settings: Settings, opened: ExitStack) -> ArtifactStore:
    """The store that the settings ask for; what must be closed again is put on `opened`.

    Raises `storage_unavailable` when a folder cannot be written.
    """
    overwrite = settings.s3_allow_overwrite
    if settings.s3_bucket is None:
        return LocalArtifactStore(settings.artifacts_folder, allow_overwrite=overwrite)
    limits = Limits(settings.spool_max_mb * _MIB, settings.spool_max_files)
    store = SpoolingStore(
        _in_bucket(settings, _WITHIN_S),
        Spool(settings.spool_folder, limits, allow_overwrite=overwrite),
        _in_bucket(settings, _PATIENT_WITHIN_S),
    )
    store.start()
    opened.callback(store.stop)
    return store


def bucket_of(settings: Settings) -> Bucket:
    """The bucket that the settings name, for those that name one."""
    # Imported here: who keeps artifacts in files need not wait for boto3.
    from apps.api_cpu.artifacts.stores.s3 import Bucket  # noqa: PLC0415

    prefix = settings.s3_prefix.rstrip("/")
    return Bucket(
        name=settings.s3_bucket or "",
        endpoint_url=settings.s3_endpoint_url or "",
        access_key_id=_text(settings.aws_access_key_id),
        secret_access_key=_text(settings.aws_secret_access_key),
        prefix=f"{prefix}/" if prefix else "",
        region=settings.s3_region,
    )


def _in_bucket(settings: Settings, within_s: float) -> S3ArtifactStore:
    from apps.api_cpu.artifacts.stores.s3 import S3ArtifactStore  # noqa: PLC0415

    return S3ArtifactStore(
        bucket_of(settings), allow_overwrite=settings.s3_allow_overwrite, within_s=within_s
    )


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
