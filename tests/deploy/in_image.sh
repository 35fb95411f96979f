# in_image.sh ROOT MODELS USER COMMAND…: runs a command as containers do, with a read-only root, in mounts of its own.
set -eu
root=$1 models=$2 user=$3
shift 3
mkdir -p "$root/models"
mount --bind "$root" "$root"
mount --options remount,bind,ro "$root"
mount --types tmpfs tmpfs "$root/tmp"
mount --bind "$models" "$root/models"
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
exec chroot --userspec="$user" "$root" /usr/bin/env --ignore-environment "$@"
