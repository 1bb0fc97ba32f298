#!/bin/sh
# Runs a command where there is no network, not even this machine's own, and the disk is read-only but for one folder.
#
# Usage: unshare --map-root-user --net --mount alone.sh FOLDER COMMAND...
set -eu
folder=$1
shift
mount --bind "$folder" "$folder"
awk '{ print $5 }' /proc/self/mountinfo | while read -r place; do
    # Some of the system's own places cannot be changed so; the tests look whether the disk was.
    [ "$place" = "$folder" ] || mount -o remount,bind,ro "$place" 2>/dev/null || true
done
cd "$folder"
exec "$@"
