#!/bin/sh
# Make the README's transcripts anew: a first block, and a first fine-tuning that takes a false alarm back.
#
#   docs/transcript.sh [FOLDER [SECTION]] > transcript.txt 2>&1
#
# Ends before SECTION, if one is named. Works in FOLDER, the checkout unless told, where ./state must not be in use. Needs
# `make setup`, curl, and 127.0.0.1 ports 8080, 8081 and 8443; nothing outside this machine is contacted. What is printed
# after a `$` is what is run.
set -eu
. "$(cd "$(dirname "$0")" && pwd)/show.sh"

section "The first block"
background '.venv/bin/python docs/demo/site.py state/demo &' https://localhost:8443/
background '.venv/bin/sluice run --config docs/demo/sluice.toml --mode enforce &' http://127.0.0.1:8081/-/ready
show 'export https_proxy=http://127.0.0.1:8080 CURL_CA_BUNDLE=state/ca/mitmproxy-ca-cert.pem; unset no_proxy NO_PROXY'
show 'curl -s "https://localhost:8443/orders?page=2"'
show 'curl -s -H "Accept: application/json" "https://localhost:8443/orders?page=2%27+OR+%271%27=%271" | tee state/demo/blocked'
show 'event=$(sed -n '"'"'s/.*"event": "\([0-9a-f]*\)".*/\1/p'"'"' state/demo/blocked)'
show '.venv/bin/sluice explain $event'

section "The first fine-tuning"
show 'for page in $(seq 60); do curl -s "https://localhost:8443/orders?page=$page"; done | wc -l'
show 'tail -2 docs/demo/report.sh'
show 'sh docs/demo/report.sh orders name'
show 'for table in orders returns invoices stock; do for column in name city day price; do
  sh docs/demo/report.sh $table $column; done; done > state/demo/blocked'
show 'for event in $(sed -n '"'"'s/.*"event": "\([0-9a-f]*\)".*/\1/p'"'"' state/demo/blocked); do
  .venv/bin/sluice label $event benign; done | tail -1'
show '.venv/bin/sluice finetune run'
sleep 3 # the proxy notices the release by itself
show 'sh docs/demo/report.sh customers name'
show 'curl -s -H "Accept: application/json" "https://localhost:8443/orders?page=2%27+OR+%271%27=%271"'
show '.venv/bin/sluice model ls'
