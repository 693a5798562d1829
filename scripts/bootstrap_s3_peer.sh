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

build() {
    local stamp
    stamp=$(sha256sum <"$lock")
    if [ "$(cat "$home/built" 2>/dev/null)" = "$stamp" ]; then
        return
    fi
    echo "Building the peer in $home" >&2
    rm -rf "$home/built" "$venv"
    mkdir -p "$home"
    "${PYTHON:-python3.11}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
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

end_peer() {
    [ -z "${peer:-}" ] || kill -9 -- "-$peer" 2>/dev/null || true
}

run_suite() {
    local port log=$home/serve.log waited=0
    port=$("$venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    trap end_peer EXIT
    setsid "$here/bootstrap_s3_peer.sh" serve "$port" >"$log" 2>&1 &
    peer=$!
    until "$venv/bin/python" -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$port/_localstack/health', timeout=2)" 2>/dev/null; do
        waited=$((waited + 1))
        if [ "$waited" -gt "$ready_within_s" ] || ! kill -0 "$peer" 2>/dev/null; then
            tail -n 30 "$log" >&2
            echo "The peer did not start; its log is $log" >&2
            exit 1
        fi
        sleep 1
    done
    cd "$here/.."
    S3_PEER_URL=http://127.0.0.1:$port .venv/bin/python -m pytest -q -m s3_peer tests/contract
}

case "${1:-}" in
    "") build ;;
    serve) build && serve "${2:-8002}" ;;
    test) build && run_suite ;;
    *) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac
