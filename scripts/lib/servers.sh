# shellcheck shell=bash
# Private instances of PostgreSQL and RabbitMQ in a temporary folder. Sourced by scripts/test and scripts/servers.
#
#   servers_open      make the folder
#   start_postgres    start PostgreSQL and export GATELOG_TEST_POSTGRES_*
#   start_rabbitmq    start RabbitMQ and export GATELOG_TEST_BROKER*
#   run_group CMD…    run a command in a process group of its own, so that a signal to the script can end all of it
#   stop_all          end what was started here, by process id, and remove the folder
#
# Both servers listen on 127.0.0.1 only, on ports the kernel names free, with random passwords. No server, folder or
# name of the machine's own installation is used. Needs $repo, the root of the repository, and $python.

: "${repo:?}"
servers_dir=
postgres_bin=
rabbitmq_bin=
rabbitmq_pid=
epmd_pid=
group_pid=

note() {
    if [[ -t 2 ]]; then
        printf '\033[2m%s\033[0m\n' "$*" >&2
    else
        printf '%s\n' "$*" >&2
    fi
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Debian keeps the server programs of each version apart and off the PATH; take the newest.
find_postgres() {
    postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin/pg_ctl | sort -V | tail -n 1)
    [[ -x $postgres_bin ]] || postgres_bin=$(command -v pg_ctl) || return 1
    postgres_bin=$(dirname "$(readlink -f "$postgres_bin")")
}

# Debian's rabbitmq-server on the PATH is a wrapper that switches to the system's user and folders; take the real one.
find_rabbitmq() {
    if [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]]; then
        rabbitmq_bin=/usr/lib/rabbitmq/bin
    else
        rabbitmq_bin=$(dirname "$(readlink -f "$(command -v rabbitmq-server)")") || return 1
    fi
    [[ -x $rabbitmq_bin/rabbitmqctl ]] && command -v epmd >/dev/null
}

# free_ports N: N different free ports. All are held at once while asking, so that none comes twice.
free_ports() {
    "${python:?}" - "$1" <<'PY'
import socket, sys

held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in held))
PY
}

# Letters and digits, safe in a URL and in a shell.
random_word() {
    od -An -N20 -tx1 /dev/urandom | tr -d ' \n'
}

# wait_until SECONDS CMD…: whether CMD succeeded in time.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

ended() {
    ! kill -0 "$1" 2>/dev/null
}

port_open() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1")
}

servers_open() {
    servers_dir=$(mktemp -d "${TMPDIR:-/tmp}/gatelog.XXXXXX")
    # PostgreSQL refuses to run as root; its user must be able to pass through to its own folder.
    chmod 711 "$servers_dir"
    export GATELOG_TEST_REQUIRE_SERVERS=1
}

# as_postgres CMD…: PostgreSQL's programs refuse root, so root becomes the user that the package made.
as_postgres() {
    if ((EUID == 0)); then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

start_postgres() {
    local dir=$servers_dir/postgres password port attempt
    find_postgres || fail "PostgreSQL is not installed"
    password=$(random_word)
    mkdir -m 700 "$dir"
    (umask 077 && printf '%s\n' "$password" >"$dir/password")
    ((EUID != 0)) || chown -R postgres: "$dir"
    note "starting PostgreSQL ($("$postgres_bin/postgres" --version | grep -o '[0-9.]*' | head -n 1))"
    # The folder of the caller may be closed to the user that root became.
    cd "$servers_dir" || return
    as_postgres "$postgres_bin/initdb" --pgdata="$dir/data" --username=gatelog --pwfile="$dir/password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$servers_dir/initdb.log" 2>&1 ||
        { cat "$servers_dir/initdb.log" >&2 && fail "initdb failed"; }
    write_postgres_ctl "$dir"
    for attempt in 1 2 3; do
        port=$(free_ports 1)
        write_postgres_conf "$dir" "$port" | as_postgres tee "$dir/data/postgresql.conf" >/dev/null
        if "$servers_dir/pg_ctl" start >"$servers_dir/pg_ctl.log" 2>&1; then
            break
        fi
        ((attempt < 3)) || { cat "$servers_dir/pg_ctl.log" "$dir/log" >&2 && fail "PostgreSQL does not start"; }
    done
    cd "$repo" || return
    export GATELOG_TEST_POSTGRES_URL="postgres://gatelog:$password@127.0.0.1:$port/postgres"
    export GATELOG_TEST_POSTGRES_CTL="$servers_dir/pg_ctl"
}

# write_postgres_conf DIR PORT: with the lines of $postgres_settings at the end, where the last value of a key counts.
write_postgres_conf() {
    cat <<CONF
listen_addresses = '127.0.0.1'
port = $2
unix_socket_directories = '$1'
# Every test opens pools of its own.
max_connections = 400
shared_buffers = 128MB
# In a container /dev/shm may be small or closed.
dynamic_shared_memory_type = mmap
# The data is thrown away: a crash of the server is tested here, a power failure is not.
fsync = off
full_page_writes = off
timezone = 'UTC'
log_min_messages = warning
${postgres_settings-}
CONF
}

# A pg_ctl for this instance: start, stop, restart, status, each with pg_ctl's further arguments.
write_postgres_ctl() {
    local become=
    ((EUID != 0)) || become='runuser -u postgres -- '
    cat >"$servers_dir/pg_ctl" <<CTL
#!/bin/sh
# pg_ctl for the private server of $servers_dir
cd / || exit
action=\$1
shift
exec $become'$postgres_bin/pg_ctl' "\$action" --pgdata='$1/data' --log='$1/log' --silent --wait "\$@" </dev/null
CTL
    chmod 755 "$servers_dir/pg_ctl"
}

stop_postgres() {
    [[ -e $servers_dir/postgres/data/postmaster.pid ]] || return 0
    # `immediate`: nothing in it is needed any more.
    "$servers_dir/pg_ctl" stop --mode=immediate >/dev/null 2>&1 || true
}

start_rabbitmq() {
    local dir=$servers_dir/rabbitmq password admin_password port dist_port epmd_port attempt user
    find_rabbitmq || fail "RabbitMQ is not installed"
    password=$(random_word)
    admin_password=$(random_word)
    mkdir -m 700 "$dir" "$dir/home" "$dir/secrets"
    for user in auth-service api-service audit-collector orders-api; do
        printf '%s' "$password" >"$dir/secrets/$user-broker-password"
    done
    printf '%s' "$admin_password" >"$dir/secrets/admin-broker-password"
    # Tests take a prefix of their own each.
    "$repo/deploy/rabbitmq/definitions" '[a-z0-9]+' "$dir/secrets" admin orders-api >"$dir/definitions.json"
    printf '[].\n' | tee "$dir/enabled_plugins" >"$dir/advanced.config"
    : >"$dir/env.conf"

    note "starting RabbitMQ (${rabbitmq_bin%/bin})"
    for attempt in 1 2 3; do
        read -r port dist_port epmd_port <<<"$(free_ports 3)"
        write_rabbitmq_conf "$dir" "$port" >"$dir/rabbitmq.conf"
        write_rabbitmq_env "$dir" "$dist_port" "$epmd_port"
        # Erlang's name server would otherwise be started as a daemon that outlives us.
        setsid "$dir/run" epmd -address 127.0.0.1 -port "$epmd_port" >"$dir/epmd.log" 2>&1 </dev/null &
        epmd_pid=$!
        wait_until 10 port_open "$epmd_port" || fail "epmd does not start: $(<"$dir/epmd.log")"
        setsid "$dir/run" "$rabbitmq_bin/rabbitmq-server" >"$dir/server.log" 2>&1 </dev/null &
        rabbitmq_pid=$!
        wait_until 90 rabbitmq_settled "$port" || true
        if ! ended "$rabbitmq_pid" && "$servers_dir/rabbitmqctl" --quiet await_startup --timeout 60; then
            break
        fi
        stop_rabbitmq
        ((attempt < 3)) || { tail -n 40 "$dir/server.log" >&2 && fail "RabbitMQ does not start"; }
    done
    export GATELOG_TEST_BROKER="127.0.0.1:$port"
    export GATELOG_TEST_BROKER_ADMIN_URL="amqp://admin:$admin_password@127.0.0.1:$port/%2f"
    export GATELOG_TEST_BROKER_PASSWORD="$password"
    export GATELOG_TEST_BROKER_CTL="$servers_dir/rabbitmqctl"
}

# Up, or gone: in both cases there is nothing more to wait for.
rabbitmq_settled() {
    ended "$rabbitmq_pid" || port_open "$1"
}

# write_rabbitmq_conf DIR PORT: the production file, then what differs here; the last value of a key counts.
write_rabbitmq_conf() {
    grep -v '^load_definitions' "$repo/deploy/rabbitmq/rabbitmq.conf"
    cat <<CONF
load_definitions = $1/definitions.json
listeners.tcp.1 = 127.0.0.1:$2
disk_free_limit.absolute = 50MB
CONF
}

# write_rabbitmq_env DIR DIST_PORT EPMD_PORT: `run`, which starts a program in this instance's environment and in no
# other, and `rabbitmqctl`.
write_rabbitmq_env() {
    local loopback='-kernel inet_dist_use_interface {127,0,0,1}'
    cat >"$1/run" <<RUN
#!/bin/sh
# Starts a program in the environment of the private broker of $servers_dir
cd '$1' || exit
exec env -i PATH="\$PATH" LANG=C.UTF-8 HOME='$1/home' \\
    ERL_EPMD_PORT=$3 ERL_EPMD_ADDRESS=127.0.0.1 \\
    RABBITMQ_NODENAME=gatelog-${servers_dir##*.}@localhost RABBITMQ_DIST_PORT=$2 \\
    RABBITMQ_MNESIA_BASE='$1/mnesia' RABBITMQ_LOG_BASE='$1/log' RABBITMQ_PID_FILE='$1/pid' \\
    RABBITMQ_CONFIG_FILE='$1/rabbitmq.conf' RABBITMQ_ADVANCED_CONFIG_FILE='$1/advanced.config' \\
    RABBITMQ_CONF_ENV_FILE='$1/env.conf' RABBITMQ_ENABLED_PLUGINS_FILE='$1/enabled_plugins' \\
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='$loopback' RABBITMQ_CTL_ERL_ARGS='$loopback' \\
    RABBITMQ_CTL_DIST_PORT_MIN=0 RABBITMQ_CTL_DIST_PORT_MAX=0 RUNNING_UNDER_SYSTEMD=true \\
    "\$@"
RUN
    cat >"$servers_dir/rabbitmqctl" <<CTL
#!/bin/sh
# rabbitmqctl for the private broker of $servers_dir
exec '$1/run' '$rabbitmq_bin/rabbitmqctl' "\$@" </dev/null
CTL
    chmod 755 "$1/run" "$servers_dir/rabbitmqctl"
}

stop_rabbitmq() {
    stop_group "$rabbitmq_pid" 10
    stop_group "$epmd_pid" 5
    rabbitmq_pid=
    epmd_pid=
}

# stop_group PID SECONDS: ask the process group that we made, then insist.
stop_group() {
    [[ -n $1 ]] || return 0
    kill -TERM -- "-$1" 2>/dev/null || return 0
    wait_until "$2" group_ended "$1" || kill -KILL -- "-$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

group_ended() {
    ! kill -0 -- "-$1" 2>/dev/null
}

# Background jobs of a script ignore SIGINT and read nothing; the command shall behave as in the foreground.
run_group() {
    local status=0
    env --default-signal=INT,QUIT setsid "$@" <&0 &
    group_pid=$!
    wait "$group_pid" || status=$?
    group_pid=
    return "$status"
}

stop_all() {
    local status=$?
    trap '' INT TERM HUP
    stop_group "$group_pid" 10
    group_pid=
    stop_rabbitmq
    if [[ -n $servers_dir ]]; then
        stop_postgres
        rm -rf -- "$servers_dir"
        servers_dir=
    fi
    return "$status"
}
