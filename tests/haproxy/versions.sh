#!/bin/sh
# versions.sh SUITE…: runs the tests with the HAProxy of other suites of Debian, as in: versions.sh trixie forky
# Their packages are unpacked below .build/haproxy; nothing is installed. experimental takes what it lacks from sid.
set -eu
cd "$(dirname "$0")/../.."
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' | head -n 1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
only='--no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances'

fetch() {
    mkdir -p "$at/lists/partial" "$at/archives/partial" "$at/etc/apt.conf.d" "$at/etc/preferences.d" "$at/debs"
    for suite in "$1" $([ "$1" != experimental ] || echo sid); do
        echo "deb [signed-by=$keys] $mirror $suite main"
    done >"$at/sources.list"
    : >"$at/status"
    cat >"$at/apt.conf" <<CONF
Dir::Etc "$at/etc"; Dir::Etc::SourceList "$at/sources.list"; Dir::State::Lists "$at/lists"; Dir::State::Status "$at/status";
Dir::Cache "$at"; APT::Default-Release "$1"; APT::Sandbox::User "root"; Acquire::Languages "none"; $APT_OPTIONS
CONF
    export APT_CONFIG="$at/apt.conf"
    apt-get update -qq
    # the loader and all libraries are those of the suite
    wanted=$(apt-cache depends --recurse $only haproxy | grep -E '^lib|^haproxy$' | sort -u)
    (cd "$at/debs" && apt-get download -qq $wanted && for deb in *.deb; do dpkg -x "$deb" "$at/root"; done)
    rm -r "$at/debs" "$at/lists"
    unset APT_CONFIG
}

APT_OPTIONS=${APT_OPTIONS:-}
for suite in "$@"; do
    at=$PWD/.build/haproxy/$suite
    [ -x "$at/bin/haproxy" ] || {
        fetch "$suite"
        mkdir -p "$at/bin"
        lib=$at/root/usr/lib/x86_64-linux-gnu
        printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$at/root/usr/lib64/ld-linux-x86-64.so.2" \
            "$lib:$lib/systemd" "$at/root/usr/sbin/haproxy" >"$at/bin/haproxy"
        chmod +x "$at/bin/haproxy"
    }
    "$at/bin/haproxy" -v | head -n 1
    PATH=$at/bin:$PATH .venv/bin/pytest -n 0 -q tests/haproxy
done
