#!/usr/bin/env bash
# A second implementation of S3 (LocalStack's, in an environment of its own): for tests only.
#   scripts/bootstrap_s3_peer.sh                build it (110 MB); a second run only checks
#   scripts/bootstrap_s3_peer.sh serve [PORT]   build, then serve on 127.0.0.1 until it is ended
#   scripts/bootstrap_s3_peer.sh test           build, serve, run the suite against it, end it
# S3_PEER_HOME is where it is kept. It fails where the peer cannot be had: nothing is skipped.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lock=$here/s3_peer/lock.txt
home=${S3_PEER_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/ocr-service/s3-peer}
venv=$home/venv
ready_within_s=120
. "$here/peer_process.sh"

build() {
    local stamp
    stamp=$(sha256sum <"$lock")
    if is_built "$stamp"; then return; fi
    new_environment
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" -r "$lock"
    echo "$stamp" >"$home/built"
}

serve() { # port
    # Its other server accepts any address; this one listens where it is told.
    export GATEWAY_SERVER=hypercorn GATEWAY_LISTEN=127.0.0.1:$1
    export S3_SKIP_SIGNATURE_VALIDATION=0 SERVICES=s3 DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 DNS_ADDRESS=0
    export HOME=$home/home FILESYSTEM_ROOT=$home/files
    mkdir -p "$HOME"
    exec "$venv/bin/python" -m localstack.runtime.main
}

case "${1:-}" in
    "") build ;;
    serve) build && serve "${2:-8002}" ;;
    test) build && run_suite "$0" /_localstack/health S3_PEER_URL s3_peer tests/contract ;;
    *) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac
