#!/usr/bin/env bash
# Starts a GPU pod on a volume that bootstrap_gpu.sh has prepared, and stays until the pod is to end.
#   VLLM_MODEL=Qwen/Qwen2.5-VL-7B-Instruct VLLM_API_KEY=... scripts/start_all.sh
# The model's card says what is started: `vllm serve` for a chat model, `python -m apps.api_gpu` for Arctic-TILT.
# Environment, beside pod_environment.sh:
#   PORT (8001), HOST (0.0.0.0)         where the model is served
#   VLLM_SERVE_ARGS                     more options for `vllm serve`, split at spaces
#   WITH_API=1, API_PORT (8000)         the orchestrator beside it, API_HOST (127.0.0.1)
#   READY_TIMEOUT_S (600)               time to the first answer
#   IDLE_STOP_MINUTES (0 = never)       stop the pod after so long without a request
#   STOP_COMMAND                        how; default: runpodctl where the pod has it, else the script just ends
#   STOP_GRACE_S (40)                   from SIGTERM to SIGKILL
# Ends with 0 when it was asked to stop or nobody used the pod, else not with 0: whichever part dies, all end.
# shellcheck disable=SC2329 # functions are called by name: traps, "serve_$DIALECT", what wait_ready and launch are given
set -euo pipefail
. "$(dirname "$0")/pod_environment.sh"

: "${VLLM_MODEL:?set VLLM_MODEL to the model to serve}"
: "${VLLM_API_KEY:?set VLLM_API_KEY: whoever reaches the port could use the GPU}"
export VLLM_API_KEY VLLM_MODEL
PORT="${PORT:-8001}"
HOST="${HOST:-0.0.0.0}"
API_PORT="${API_PORT:-8000}"
READY_TIMEOUT_S="${READY_TIMEOUT_S:-600}"
IDLE_STOP_MINUTES="${IDLE_STOP_MINUTES:-0}"
STOP_GRACE_S="${STOP_GRACE_S:-40}"
IDLE_POLL_S="${IDLE_POLL_S:-30}"
TAIL_LINES=40

declare -A NAMES=()  # process group -> what it is
declare -A LOG_OF=() # what it is -> its log
STOPPING=0

end_all() { # what still runs, politely and then not; a group each, since vLLM has children
    trap '' TERM INT HUP
    local group tries=$((STOP_GRACE_S * 10))
    for group in "${!NAMES[@]}"; do kill -TERM -- "-$group" 2>/dev/null || true; done
    for group in "${!NAMES[@]}"; do
        while kill -0 -- "-$group" 2>/dev/null && [ "$tries" -gt 0 ]; do
            sleep 0.1
            tries=$((tries - 1))
        done
        kill -KILL -- "-$group" 2>/dev/null || true
    done
}

asked_to_stop() {
    STOPPING=1
    say "asked to stop"
    exit 0
}

show_tail() { # name
    say "the last lines of ${LOG_OF[$1]}:"
    tail -n "$TAIL_LINES" "${LOG_OF[$1]}" | sed 's/^/    | /' >&2
}

launch() { # name, command...: in a process group of its own, with a log of its own on the volume
    local name=$1
    shift
    TZ=UTC printf -v "LOG_OF[$name]" '%s/%(%Y%m%dT%H%M%SZ)T-%s.log' "$LOGS" -1 "$name"
    say "starting $name, log ${LOG_OF[$name]}"
    set -m
    "$@" >>"${LOG_OF[$name]}" 2>&1 </dev/null &
    set +m
    NAMES[$!]=$name
    LAUNCHED=$!
}

wait_ready() { # name, a command that succeeds once it is ready
    local name=$1 until=$((SECONDS + READY_TIMEOUT_S)) why="$LOGS/.probe" process
    shift
    while ! "$@" >"$why" 2>&1; do
        for process in "${!NAMES[@]}"; do
            kill -0 "$process" 2>/dev/null && continue
            show_tail "${NAMES[$process]}"
            fail "${NAMES[$process]} ended before $name was ready"
        done
        if [ "$SECONDS" -ge "$until" ]; then
            show_tail "$name"
            tail -n 1 "$why" >&2
            fail "$name was not ready after $READY_TIMEOUT_S s"
        fi
        sleep 0.5
    done
    say "$name is ready"
}

probe() { "$TOOLS_VENV/bin/python" "$REPOSITORY/scripts/pod_probe.py" "$@"; }

serve_chat() {
    local options=(--host "$HOST" --port "$PORT" --served-model-name "$VLLM_MODEL" --max-model-len "$CONTEXT_TOKENS"
        --limit-mm-per-prompt "{\"image\": $PAGES}")
    local more=()
    read -ra more <<<"${VLLM_SERVE_ARGS:-}"
    # What the cache holds is what is served: nothing is fetched at start.
    launch model env HF_HUB_OFFLINE=1 "$VLLM_VENV/bin/vllm" serve "$VLLM_MODEL" --revision "$REVISION" \
        "${options[@]}" ${more[@]+"${more[@]}"}
}

serve_tilt() {
    launch model env HF_HUB_OFFLINE=1 PYTHONPATH="$REPOSITORY" HOST="$HOST" PORT="$PORT" \
        TILT_REVISION="$REVISION" "$TILT_VENV/bin/python" -m apps.api_gpu
}

serve_api() { # keys and artifacts of the orchestrator lie on the volume too
    launch api env PYTHONPATH="$REPOSITORY" INFERENCE_BACKEND=vllm VLLM_BASE_URL="http://127.0.0.1:$PORT" \
        HOST="${API_HOST:-127.0.0.1}" PORT="$API_PORT" DATA_ROOT="${DATA_ROOT:-$WORKSPACE/data}" \
        "$VLLM_VENV/bin/python" -c "from apps.api_cpu.cli import main; main()" serve
}

api_is_ready() {
    "$TOOLS_VENV/bin/python" - "http://127.0.0.1:$API_PORT/v1/health" <<'PYTHON'
import json, sys, urllib.request
health = json.load(urllib.request.urlopen(sys.argv[1], timeout=5))
sys.exit(0 if health["inference"]["ready"] else "the orchestrator does not reach the model yet")
PYTHON
}

until_idle() { # returns when nothing has run and nothing was done for IDLE_STOP_MINUTES
    local seen="" now running since=$SECONDS patience
    patience=$(awk "BEGIN {print int($IDLE_STOP_MINUTES * 60)}")
    while [ $((SECONDS - since)) -lt "$patience" ]; do
        sleep "$IDLE_POLL_S"
        now=$(probe activity --url "http://127.0.0.1:$PORT" 2>/dev/null) || continue
        running=${now%% *}
        if [ "$running" != 0 ] || [ "$now" != "$seen" ]; then
            since=$SECONDS
            seen=$now
        fi
    done
}

stop_pod() {
    say "nobody has used the pod for $IDLE_STOP_MINUTES minutes: stopping it"
    STOPPING=1
    end_all
    if [ -n "${STOP_COMMAND:-}" ]; then
        bash -c "$STOP_COMMAND"
    elif [ -n "${RUNPOD_POD_ID:-}" ] && command -v runpodctl >/dev/null; then
        # A container that only ends is started again by RunPod, and goes on costing.
        runpodctl stop pod "$RUNPOD_POD_ID"
    fi
    exit 0
}

mkdir -p "$LOGS" || fail "$LOGS cannot be written: is the network volume mounted at $WORKSPACE?"
[ -x "$TOOLS_VENV/bin/python" ] || fail "$WORKSPACE is not prepared: run scripts/bootstrap_gpu.sh"
WITH_API="${WITH_API:-0}" bash "$REPOSITORY/scripts/bootstrap_gpu.sh" --check || fail "$WORKSPACE is not prepared: run scripts/bootstrap_gpu.sh"
read_card
CHECKED=$SECONDS
say "checked: card $CARD_ID, dialect $DIALECT, revision ${REVISION:0:12}, pinned by $PINNED_BY"

# From here on there is something to clean up, and so no $(...): bash cannot run a trap inside of one.
trap end_all EXIT
trap asked_to_stop TERM INT HUP
"serve_$DIALECT"
wait_ready model probe ready --timeout 10 --url "http://127.0.0.1:$PORT" --model "$VLLM_MODEL" --dialect "$DIALECT"
MODEL_READY=$SECONDS
if [ "${WITH_API:-0}" = 1 ]; then
    serve_api
    wait_ready api api_is_ready
fi
READY=$SECONDS
say "ready after $READY s: $VLLM_MODEL on port $PORT"
TZ=UTC printf '{"at": "%(%FT%TZ)T", "model": "%s", "seconds": %d, "checks": %d, "model_ready": %d, "api_ready": %d}\n' \
    -1 "$VLLM_MODEL" "$READY" "$CHECKED" $((MODEL_READY - CHECKED)) $((READY - MODEL_READY)) >>"$LOGS/starts.jsonl"

if [ "$IDLE_STOP_MINUTES" != 0 ]; then
    launch idle until_idle
    IDLE=$LAUNCHED
fi
status=0
wait -n -p ended || status=$?
[ "$STOPPING" = 0 ] || exit 0
[ "$ended" != "${IDLE:-none}" ] || stop_pod
# vLLM ends with 0 when its engine has died.
say "${NAMES[$ended]} ended with status $status"
show_tail "${NAMES[$ended]}"
[ "$status" != 0 ] || status=1
exit "$status"
