# What docs/transcript.sh and docs/tutorial.sh share: run them, not this.
#
# Works in FOLDER ($1), the checkout unless told, and ends before SECTION ($2), if one is named. What is printed after a
# `$` is what is run.
root=$(cd "$(dirname "$0")/.." && pwd)
cd "${1:-$root}"
for taken in state/sluice.db ${leave:-}; do
    if test -e "$taken"; then
        echo "$(basename "$0"): ./$taken is in use; name an empty folder" >&2
        exit 2
    fi
done
test -e .venv || ln -s "$root/.venv" .venv
test -e docs || { mkdir docs && cp -r "$root/docs/demo" docs/demo; }

show() { # print a command, then run it
    printf '$ %s\n' "$1"
    eval "$1"
}

background() { # the same for one that goes on, until curl gets an answer from URL
    printf '$ %s\n' "$1"
    eval "$1"
    jobs="$! $jobs"
    until curl --silent --insecure --fail --output /dev/null "$2"; do
        kill -0 $! || exit 1 # it ended: its last line says why
        sleep 0.2
    done
    sleep 1
}

section() { # the title of the next section, or the end
    printf '\n== %s\n' "$1"
    test "$1" != "$last" || exit 0
}

last=${2:-}
jobs=
trap 'for job in $jobs; do kill "$job" 2>/dev/null || true; done; wait' EXIT
