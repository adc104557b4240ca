#!/bin/sh
# Make the README's transcripts anew: a first block, and a first fine-tuning that takes a false alarm back.
#
#   docs/transcript.sh > transcript.txt
#
# Needs `make setup`, curl, and 127.0.0.1 ports 8080, 8081 and 8443; nothing outside this machine is contacted.
# Writes ./state, which must not have been in use. What is printed after a `$` is what is run.
set -eu
cd "$(dirname "$0")/.."
if test -e state/sluice.db; then
    echo "docs/transcript.sh: ./state has been in use; move it away first" >&2
    exit 2
fi

show() { # print a command, then run it
    printf '$ %s\n' "$1"
    eval "$1"
}

background() { # the same for one that goes on, until curl gets an answer from URL
    printf '$ %s\n' "$1"
    eval "$1"
    jobs="$! $jobs"
    tries=0
    until env -u https_proxy curl --silent --insecure --fail --output /dev/null "$2"; do
        tries=$((tries + 1))
        test $tries -lt 300 || exit 1
        sleep 0.2
    done
    sleep 1
}

jobs=
trap 'for job in $jobs; do kill "$job" 2>/dev/null; done; wait' EXIT

echo "== The first block"
background '.venv/bin/python docs/demo/site.py state/demo &' https://localhost:8443/
background '.venv/bin/sluice run --config docs/demo/sluice.toml --mode enforce &' http://127.0.0.1:8081/-/ready
show 'export https_proxy=http://127.0.0.1:8080 no_proxy= CURL_CA_BUNDLE=state/ca/mitmproxy-ca-cert.pem'
show 'curl -s "https://localhost:8443/orders?page=2"'
show 'curl -s -H "Accept: application/json" "https://localhost:8443/orders?page=2%27+OR+%271%27=%271" | tee blocked'
show 'event=$(sed -n '"'"'s/.*"event": "\([0-9a-f]*\)".*/\1/p'"'"' blocked)'
show '.venv/bin/sluice explain $event'

echo
echo "== The first fine-tuning"
cat > state/demo/report <<'REPORT'
curl -s -G -H "Accept: application/json" https://localhost:8443/reports --data-urlencode \
  "query=SELECT name, total FROM $1 WHERE region = '$2' UNION SELECT name, total FROM archive WHERE 1=1"
REPORT
show 'cat state/demo/report'
show 'sh state/demo/report orders north'
show 'for table in orders returns invoices stock; do for region in north south east west; do
  sh state/demo/report $table $region; done; done > blocked'
show 'for event in $(sed -n '"'"'s/.*"event": "\([0-9a-f]*\)".*/\1/p'"'"' blocked); do
  .venv/bin/sluice label $event benign; done | tail -1'
show '.venv/bin/sluice finetune run'
sleep 3 # the proxy notices the release by itself
show 'sh state/demo/report customers north'
show 'curl -s -H "Accept: application/json" "https://localhost:8443/orders?page=2%27+OR+%271%27=%271"'
show '.venv/bin/sluice model ls'
rm -f blocked
