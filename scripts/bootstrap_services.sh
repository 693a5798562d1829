#!/usr/bin/env bash
# Redis, RabbitMQ and PostgreSQL from Debian's packages, as the tests and development need them.
#   scripts/bootstrap_services.sh install                  apt-get them; starts no service of the system
#   scripts/bootstrap_services.sh missing                  names those that are not installed
#   scripts/bootstrap_services.sh run NAME FOLDER [PORT]   redis | rabbitmq | postgres in the foreground on
#                                                          127.0.0.1 with its data in FOLDER, which is made
#   scripts/bootstrap_services.sh url NAME PORT            where it is, as CELERY_BROKER_URL or JOBS_DB_PATH
# Everything that `run` starts is in its process group: kill -- -PID ends all of it.
set -euo pipefail

say_usage() { sed -n '2,7p' "$0" >&2; exit 2; }

postgres_bin() { # the newest version's folder of programs, or nothing
    { compgen -G '/usr/lib/postgresql/*/bin/postgres' || true; } | sort -V | tail -n 1 | xargs -r dirname
}

is_installed() { # name
    case $1 in
        redis) command -v redis-server >/dev/null ;;
        rabbitmq) [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && command -v epmd >/dev/null ;;
        postgres) [ -n "$(postgres_bin)" ] ;;
        *) say_usage ;;
    esac
}

missing() {
    local name
    for name in redis rabbitmq postgres; do
        is_installed "$name" || echo "$name"
    done
}

install_packages() {
    local packages=() name policy=/usr/sbin/policy-rc.d ours=
    for name in $(missing); do
        case $name in postgres) packages+=(postgresql) ;; *) packages+=("$name-server") ;; esac
    done
    if [ ${#packages[@]} -eq 0 ]; then return; fi
    # Debian starts a service with its package, unless this file forbids it.
    if [ ! -e $policy ]; then
        ours=$policy
        trap 'rm -f "$ours"' EXIT
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
    fi
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold "${packages[@]}"
}

free_port() { # none that the kernel may give to any connection before it is taken
    local port
    while port=$((RANDOM % 22000 + 10000)); (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

run_redis() { # folder port
    # As docs/operations.md asks of a broker: what was accepted survives a kill, and nothing is evicted.
    exec redis-server --bind 127.0.0.1 --port "$2" --dir "$1" --save '' --appendonly yes \
        --appendfsync everysec --maxmemory-policy noeviction --daemonize no
}

run_rabbitmq() { # folder port
    local distribution names
    distribution=$(free_port)
    names=$(free_port)
    mkdir -p "$1/home"
    printf 'listeners.tcp.1 = 127.0.0.1:%s\nlog.console = true\nlog.console.level = warning\nlog.file = false\n' \
        "$2" >"$1/rabbitmq.conf"
    echo '[].' >"$1/enabled_plugins"
    export HOME=$1/home RABBITMQ_NODENAME=peer@localhost RABBITMQ_DIST_PORT=$distribution ERL_EPMD_PORT=$names
    export RABBITMQ_MNESIA_BASE=$1/mnesia RABBITMQ_LOG_BASE=$1/log RABBITMQ_PID_FILE=$1/pid
    export RABBITMQ_CONFIG_FILE=$1/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$1/enabled_plugins
    export RABBITMQ_CONF_ENV_FILE=/dev/null
    # The node would start a name server for the whole machine that outlives it, so it finds ours;
    # one scheduler that does not spin is enough for tests.
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-start_epmd false -erl_epmd_port $distribution -kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"
    epmd -port "$names" -address 127.0.0.1 &
    # The node asks for it once, and ends without it.
    until (: <"/dev/tcp/127.0.0.1/$names") 2>/dev/null; do kill -0 $!; sleep 0.05; done
    exec /usr/lib/rabbitmq/bin/rabbitmq-server
}

run_postgres() { # folder port
    local programs as=()
    programs=$(postgres_bin)
    echo ocr >"$1/password"
    if [ "$(id -u)" = 0 ]; then
        # It refuses to run as root.
        as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
        chown postgres:postgres "$1" "$1/password"
    fi
    if [ ! -e "$1/data/PG_VERSION" ]; then
        "${as[@]}" "$programs/initdb" --pgdata "$1/data" --username ocr --pwfile "$1/password" \
            --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8 --no-sync >"$1/initdb.log"
    fi
    exec "${as[@]}" "$programs/postgres" -D "$1/data" -c listen_addresses=127.0.0.1 -c port="$2" \
        -c unix_socket_directories= -c max_connections=200
}

run() { # name folder [port]
    is_installed "$1" || { echo "$1 is not installed: scripts/bootstrap_services.sh install" >&2; exit 3; }
    mkdir -p "$2"
    local folder
    folder=$(cd "$2" && pwd)
    cd "$folder"
    "run_$1" "$folder" "${3:-$(free_port)}"
}

url() { # name port
    case $1 in
        redis) echo "redis://127.0.0.1:$2/0" ;;
        rabbitmq) echo "amqp://guest:guest@127.0.0.1:$2//" ;;
        postgres) echo "postgresql://ocr:ocr@127.0.0.1:$2/postgres" ;;
        *) say_usage ;;
    esac
}

case "${1:-} $#" in
    "install 1") install_packages ;;
    "missing 1") missing ;;
    "run 3" | "run 4") run "${@:2}" ;;
    "url 3") url "$2" "$3" ;;
    *) say_usage ;;
esac
