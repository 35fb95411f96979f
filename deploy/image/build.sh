#!/bin/sh
# Builds deploy/Containerfile without a registry: Debian's packages make its base, buildah runs its steps in a chroot.
# pip fetches from where it does on this machine, and trusts whom it trusts here. Arguments go to buildah, as in
# --build-arg TORCH_INDEX=URL. Where something is missing, it says so and ends with 0.
set -eu
cd "$(dirname "$0")/../.."
here=$PWD/.build/image
[ "$(id -u)" = 0 ] || { echo "make image is skipped: it needs root, for chroot and mmdebstrap"; exit 0; }
for program in mmdebstrap buildah; do
    command -v $program >/dev/null || { echo "make image is skipped: there is no $program"; exit 0; }
done
export BUILDAH_ISOLATION=chroot
buildah() { command buildah --storage-driver vfs --root "$here/storage" --runroot "$here/run" "$@"; }
mkdir -p "$here"

if [ ! -s "$here/base.tar" ]; then
    echo "== Making the base of Debian's packages"
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3-dev,python3-venv,python-is-python3 \
        bookworm "$here/base.tar.new" --format=tar
    mv "$here/base.tar.new" "$here/base.tar"
fi

trap 'rm -f "$here/pip.conf"' EXIT
install -m 600 /dev/null "$here/pip.conf" # there may be passwords in it
keys='cert|client-cert|proxy|timeout|index-url|extra-index-url|find-links|trusted-host'
{
    echo '[global]'
    .venv/bin/pip config list |
        sed -nE "s/^.*\.($keys)='(.*)'\$/\1 = \2/; s/\\\\n/ /g; /^($keys) = /p" | sort -u -t= -k1,1
} >"$here/pip.conf"
for word in $(cat "$here/pip.conf"); do # folders of packages; the files of a mirror lie beside its index
    folder=${word#file://}
    folder=${folder%/simple}
    case $folder in /*) [ ! -d "$folder" ] || set -- "$@" --volume "$folder:$folder:ro" ;; esac
done
set -- "$@" --secret "id=pip,src=$here/pip.conf"
trusted=/etc/ssl/certs/ca-certificates.crt
[ ! -f $trusted ] || set -- "$@" --secret "id=ca,src=$trusted"

echo "== Building the image"
buildah rm --all >/dev/null
rm -f "$here/rootfs"
printf 'FROM scratch\nADD base.tar /\n' | buildah build --quiet --tag localhost/base --file - "$here"
buildah build --format docker --build-arg BASE=localhost/base --file deploy/Containerfile --tag localhost/torch-serving "$@" .
buildah inspect --type image localhost/torch-serving >"$here/image.json"
ln -s "$(buildah mount "$(buildah from localhost/torch-serving)")" "$here/rootfs"
du --summarize --human-readable "$here/rootfs/"
