"""Every address of the server, and what it asks of a caller: what the sweeps over routes go by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from apps.api_cpu.auth.roles import Scope


class Reach(Enum):
    """Whose things a route shows or changes."""

    NOBODYS = "the same for all"
    ONE = "one thing, named by an id or a reference"
    OWN = "all of the caller's own"
    ALL = "those of every key; for admins"


@dataclass(frozen=True)
class Route:
    """`scope` None: any key; `needs_key` False: none."""

    method: str
    path: str
    reach: Reach
    scope: Scope | None = Scope.EXTRACT_RUN
    needs_key: bool = True

    @property
    def name(self) -> str:
        """As documentation writes it."""
        return f"{self.method} {self.path}"


_BATCHES = (
    "batch_extract", "batch_extract_upload", "batch_extract_rerun",
    "batch_extract_async", "batch_extract_upload_async", "batch_extract_rerun_async",
)  # fmt: skip
_EXTRACT = "/v1/extracts/{request_id}"
_DEBUG = "/v1/debug/artifacts"
_RAW = Scope.DEBUG_READ_RAW

ROUTES = (
    Route("GET", "/v1/health", Reach.NOBODYS, None, needs_key=False),
    Route("GET", "/v1/me", Reach.OWN, None),
    Route("GET", "/v1/tasks", Reach.NOBODYS),
    Route("GET", "/v1/tasks/{task_id}", Reach.NOBODYS),
    Route("POST", "/v1/extract", Reach.ONE),
    Route("POST", "/v1/extract_async", Reach.ONE),
    *(Route("POST", f"/v1/{path}", Reach.ONE) for path in _BATCHES),
    Route("GET", _EXTRACT, Reach.ONE),
    Route("DELETE", _EXTRACT, Reach.ONE),
    Route("GET", f"{_EXTRACT}/pages/{{number}}.png", Reach.ONE),
    Route("GET", f"{_EXTRACT}/words", Reach.ONE),
    Route("POST", f"{_EXTRACT}/corrections", Reach.ONE),
    Route("GET", f"{_EXTRACT}/corrections", Reach.ONE),
    Route("GET", "/v1/corrections", Reach.OWN),
    Route("GET", "/v1/vendors", Reach.OWN),
    Route("DELETE", "/v1/vendors", Reach.OWN),
    Route("DELETE", "/v1/vendors/{vendor_id}", Reach.ONE),
    Route("GET", "/v1/jobs", Reach.OWN),
    Route("GET", "/v1/jobs/{job_id}", Reach.ONE),
    Route("GET", "/v1/jobs/{job_id}/events", Reach.ONE),
    Route("POST", "/v1/jobs/{job_id}/cancel", Reach.ONE),
    Route("GET", "/v1/runs", Reach.OWN),
    Route("GET", "/v1/runs/{run_id}", Reach.ONE),
    Route("GET", "/v1/runs/{run_id}/items", Reach.ONE),
    Route("POST", "/v1/evals", Reach.ONE, Scope.DEBUG_RUN),
    Route("GET", "/v1/evals/{eval_id}", Reach.ONE, Scope.DEBUG_RUN),
    Route("GET", "/v1/webhooks/deliveries", Reach.OWN),
    Route("POST", "/v1/webhooks/deliveries/{delivery_id}/replay", Reach.ONE),
    Route("POST", "/v1/uploads", Reach.OWN),
    # Its token is what it asks for, so that a browser can send a document without the key.
    Route("PUT", "/v1/uploads/{upload_id}", Reach.ONE, None, needs_key=False),
    Route("GET", "/v1/inputs", Reach.ONE),
    Route("GET", "/v1/artifacts", Reach.ONE),
    Route("GET", _DEBUG, Reach.ALL, _RAW),
    Route("GET", f"{_DEBUG}/backup.tar.gz", Reach.ALL, _RAW),
    Route("GET", f"{_DEBUG}/{{request_id}}", Reach.ALL, _RAW),
    Route("GET", f"{_DEBUG}/{{request_id}}/raw", Reach.ALL, _RAW),
)  # fmt: skip

UNLISTED = {"/", "/openapi.json", "/metrics", "/static"}
"""What the OpenAPI document does not hold."""
EXAMPLES = {
    "task_id": "auto",
    "request_id": "nobodys",
    "number": "1",
    "vendor_id": "nobodys",
    "job_id": "nobodys",
    "run_id": "nobodys",
    "eval_id": "nobodys",
    "delivery_id": "nobodys",
    "upload_id": "0" * 32,
}
"""Values of the paths' parameters that name nothing."""
