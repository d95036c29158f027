#!/bin/sh
# Puts one mistake after the other back into a copy of the sources, and demands that the tests named beside it fail.
#
#   tests/defects.sh          all of tests/defects/
#   tests/defects.sh 05 14    those whose names begin so
#
# The copy and what is built of it stay in target/defects, so that a later run builds only what changed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
place=$root/target/defects
copy=$place/sources
logs=$place/logs
mkdir -p "$copy" "$logs"
export CARGO_TARGET_DIR="$place/target" CARGO_TERM_COLOR=never
# What is applied in the copy is meant for the copy, not for the repository around it.
export GIT_CEILING_DIRECTORIES="$place"

patches=""
for patch in "$root"/tests/defects/*.patch; do
    name=$(basename "$patch" .patch)
    [ $# -eq 0 ] && patches="$patches $name"
    for wanted in "$@"; do
        case $name in "$wanted"*) patches="$patches $name" ;; esac
    done
done
[ -n "$patches" ] || { echo "there is no such defect" >&2; exit 2; }

# Only what differs is copied: a file that is written anew is built anew.
(cd "$copy" && find . -type f | sed 's|^\./||') | while read -r file; do
    [ -e "$root/$file" ] || rm "$copy/$file"
done
(cd "$root" && git ls-files --cached --others --exclude-standard) | while read -r file; do
    [ -e "$root/$file" ] || continue
    cmp -s "$root/$file" "$copy/$file" && continue
    mkdir -p "$copy/$(dirname "$file")" && cp "$root/$file" "$copy/$file"
done
cd "$copy"

tests_of() { sed -n 's/^fails: //p;/^---/q' "$root/tests/defects/$1.patch"; }

# Runs tests that are built; the names of those that failed stand in a file. One that hangs is a test that cannot fail.
run() { # log, tests
    log=$1
    shift
    timeout 300 cargo test --locked --test it -- --exact "$@" >"$log" 2>&1 || true
    grep -q '^test result: ' "$log" || return 1
    sed -n '/^failures:$/,$s/^    \([a-z_0-9:]*\)$/\1/p' "$log" | sort -u >"$log.failed"
}

all=$(for name in $patches; do tests_of "$name"; done | sort -u)
echo "building, and seeing the $(echo "$all" | wc -l) tests pass without a defect"
cargo test --locked --test it --no-run >"$logs/none.build" 2>&1 || { tail -n 30 "$logs/none.build"; exit 1; }
# shellcheck disable=SC2086
run "$logs/none" $all || { tail -n 30 "$logs/none"; exit 1; }
if [ -s "$logs/none.failed" ]; then
    echo "these fail without any defect:" && cat "$logs/none.failed"
    exit 1
fi

bad=0
for name in $patches; do
    begun=$(date +%s)
    git apply "$root/tests/defects/$name.patch" || { echo "$name: does not apply"; bad=$((bad + 1)); continue; }
    tests=$(tests_of "$name")
    if ! cargo test --locked --test it --no-run >"$logs/$name.build" 2>&1; then
        verdict="DOES NOT COMPILE"
    elif ! run "$logs/$name" $tests; then
        verdict="NO RESULT"
    else
        verdict=caught
        for test in $tests; do
            grep -qx "$test" "$logs/$name.failed" || verdict="MISSED by $test"
        done
    fi
    git apply -R "$root/tests/defects/$name.patch"
    [ "$verdict" = caught ] || bad=$((bad + 1))
    printf '%-52s %4d s  %s\n' "$name" $(($(date +%s) - begun)) "$verdict"
done
if [ $bad -gt 0 ]; then
    echo "$bad not caught; what was built and said stands in target/defects/logs"
    exit 1
fi
