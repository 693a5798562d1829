"""Which artifact store the settings ask for."""

from __future__ import annotations

from contextlib import ExitStack

from pydantic import SecretStr

from apps.api_cpu import logs
from apps.api_cpu.artifacts.store import ArtifactStore
from apps.api_cpu.artifacts.stores.local import LocalArtifactStore
from apps.api_cpu.artifacts.stores.spool import Limits, Spool
from apps.api_cpu.artifacts.stores.spooling import SpoolingStore
from apps.api_cpu.settings import Settings
from lib.errors import Error, Kind

# Who waits for a write is answered soon, and it is spooled; nobody waits for the spool's uploads.
_WITHIN_S = 5.0
_PATIENT_WITHIN_S = 60.0
_MIB = 1024 * 1024


def build_artifact_store(settings: Settings, opened: ExitStack) -> ArtifactStore:
    """The store that the settings ask for; what must be closed again is put on `opened`.

    Raises `storage_unavailable` when a folder cannot be written, and, after a line in the log that
    says why, when the bucket cannot be used as it is set up. A bucket that is away is no reason.
    """
    if settings.s3_bucket is None:
        return LocalArtifactStore(
            settings.artifacts_folder, allow_overwrite=settings.s3_allow_overwrite
        )
    store = _in_bucket(settings)
    store.start()
    opened.callback(store.stop)
    return store


def _in_bucket(settings: Settings) -> SpoolingStore:
    # Imported here: who keeps artifacts in files need not wait for boto3.
    from apps.api_cpu.artifacts.stores.s3 import (  # noqa: PLC0415
        Bucket,
        S3ArtifactStore,
        StoreRefused,
    )

    prefix = settings.s3_prefix.rstrip("/")
    bucket = Bucket(
        name=settings.s3_bucket or "",
        endpoint_url=settings.s3_endpoint_url or "",
        access_key_id=_text(settings.aws_access_key_id),
        secret_access_key=_text(settings.aws_secret_access_key),
        prefix=f"{prefix}/" if prefix else "",
        region=settings.s3_region,
    )
    overwrite = settings.s3_allow_overwrite
    quick = S3ArtifactStore(bucket, allow_overwrite=overwrite, within_s=_WITHIN_S)
    patient = S3ArtifactStore(bucket, allow_overwrite=overwrite, within_s=_PATIENT_WITHIN_S)
    try:
        quick.check()
    except StoreRefused as refused:
        logs.failure(f"the artifact store cannot be used: {refused}")
        raise Error(
            "storage_unavailable", Kind.UNAVAILABLE, f"The artifact store cannot be used: {refused}"
        ) from None
    except Error:
        logs.warning("the object store is away: the server starts, and artifacts will wait")
    limits = Limits(settings.spool_max_mb * _MIB, settings.spool_max_files)
    spool = Spool(settings.spool_folder, limits, allow_overwrite=overwrite)
    return SpoolingStore(quick, spool, patient)


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
