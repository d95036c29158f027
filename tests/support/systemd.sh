#!/bin/sh
# A systemd of one's own as the first process of its own namespaces, so that a unit is run as on a machine that boots, and nothing outside is
# touched: /opt is empty, /run and the control groups are new. Whoever started this goes, and all of it goes.
#
#   systemd.sh PROGRAM FOLDER USER    FOLDER (an office) is copied to /opt/office, PROGRAM to /opt/duban; the unit is what it writes itself
set -eu
if [ "${1:-}" != inside ]; then
    exec unshare --mount --pid --fork --uts --ipc --cgroup --kill-child sh "$0" inside "$@"
fi
program=$2 folder=$3 user=$4
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /opt
cp "$program" /opt/duban
cp -r "$folder" /opt/office
mkdir -p /opt/office/data /opt/office/mails /run/units
chown -R "$user" /opt/office/data /opt/office/mails
cd /opt/office
/opt/duban unit --user "$user" >/run/units/duban.service
# What its text says of the service, around another command.
like() { # name, command
    sed -e 's/^Type=.*/Type=oneshot/' -e "s|^ExecStart=.*|ExecStart=$2|" -e '/^Restart/d' /run/units/duban.service
    printf '[Service]\nStandardOutput=file:/opt/office/data/%s\nStandardError=inherit\n' "$1"
}
like backup '/opt/duban backup /opt/office/data/copy.db --json' >/run/units/backup.service
like probe '/bin/sh /opt/office/probe.sh' >/run/units/probe.service
# What a machine has, and this one does not need.
for target in sysinit basic shutdown multi-user network-online; do
    printf '[Unit]\nDefaultDependencies=no\n' >"/run/units/$target.target"
done
export SYSTEMD_UNIT_PATH=/run/units container=other
exec /usr/lib/systemd/systemd --system --unit=duban.service --log-target=null --show-status=no --default-standard-output=null
