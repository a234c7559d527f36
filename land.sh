set -e
# usage: land.sh MESSAGE ; lands the difference origin/main..HEAD of the clone
cd /tmp/cfinish/wt; git fetch -q; git diff --binary origin/main HEAD > /tmp/cfinish/land.patch
cd /work/main
[ "$(git rev-parse HEAD)" = "$(git -C /tmp/cfinish/wt rev-parse origin/main)" ] || { echo moved; exit 1; }
git diff --cached --quiet || { echo "index not clean"; git diff --cached --stat; exit 1; }
git apply --check --cached /tmp/cfinish/land.patch
git apply --cached /tmp/cfinish/land.patch
git commit -qm "$1"
# working tree
patch -p1 --no-backup-if-mismatch < /tmp/cfinish/land.patch
git status --short | head -30
