# shellcheck shell=bash
# What the peers of the tests share: an environment of their own, and a process while a suite asks it.
# Sourced by bootstrap_s3_peer.sh and bootstrap_vllm_peer.sh, never run. They set where the peer is
# kept, its environment there and how long it may take to start; `SCRIPT serve PORT` is the peer in the foreground.
set -euo pipefail
: "${home:?}" "${venv:?}" "${ready_within_s:?}"

is_built() { # stamp of what it is built from
    [ "$(cat "$home/built" 2>/dev/null)" = "$1" ]
}

new_environment() {
    echo "Building the peer in $home" >&2
    rm -rf "$home/built" "$venv"
    mkdir -p "$home"
    "${PYTHON:-python3.11}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
}

end_peer() {
    [ -z "${peer:-}" ] || kill -9 -- "-$peer" 2>/dev/null || true
}

# Serves on a free port, waits until the path answers, runs the tests of the marker, and ends the peer.
run_suite() { # script, path of its health check, variable that tells the tests its URL, marker, folder of tests
    local port url log=$home/serve.log waited=0
    # None that the kernel may give to any connection before the peer has it.
    while port=$((RANDOM % 22000 + 10000)); (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    url=http://127.0.0.1:$port
    trap end_peer EXIT
    setsid "$1" serve "$port" >"$log" 2>&1 &
    peer=$!
    until "$venv/bin/python" -c "import urllib.request as u; u.urlopen('$url$2', timeout=2)" 2>/dev/null; do
        waited=$((waited + 1))
        if [ "$waited" -gt "$ready_within_s" ] || ! kill -0 "$peer" 2>/dev/null; then
            tail -n 30 "$log" >&2
            echo "The peer did not start; its log is $log" >&2
            exit 1
        fi
        sleep 1
    done
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    env "$3=$url" .venv/bin/python -m pytest -q -m "$4" "$5"
}
