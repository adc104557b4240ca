#!/bin/sh
# Make the tutorial's transcripts anew: sh docs/tutorial.sh > transcript.txt 2>&1
#
#   docs/tutorial.sh [FOLDER [SECTION]]
#
# Ends before SECTION, if one is named. Works in FOLDER, the checkout unless told, where ./state and ./sluice.toml must
# not be in use. Needs `make setup`, curl, and 127.0.0.1 ports 8080, 8081 and 8443; nothing outside this machine is
# contacted. What is printed after a `$` is what is run.
set -eu
leave=sluice.toml
. "$(cd "$(dirname "$0")" && pwd)/show.sh"

section "Watch"
background '.venv/bin/python docs/demo/site.py state/demo &' https://localhost:8443/
show 'cat > sluice.toml <<END
[proxy]
upstream_ca = "state/demo/site-ca-cert.pem"

[policy]
mode = "monitor"
budget = { wrong_blocks = "1/100" }
END'
show '.venv/bin/sluice policy check sluice.toml'
background '.venv/bin/sluice run &' http://127.0.0.1:8081/-/ready
show 'export https_proxy=http://127.0.0.1:8080 CURL_CA_BUNDLE=state/ca/mitmproxy-ca-cert.pem; unset no_proxy NO_PROXY'
show 'curl -s "https://localhost:8443/orders?page=2"'
show 'curl -s "https://localhost:8443/orders?page=2%27+OR+%271%27=%271"'
show 'curl -s http://127.0.0.1:8081/metrics | grep '"'"'action="block"'"'"' | grep -v " 0.0"'

section "Block"
show 'sed -i s/monitor/enforce/ sluice.toml'
show 'curl -s -X POST http://127.0.0.1:8081/-/reload'
echo
show 'curl -s -H "Accept: application/json" "https://localhost:8443/orders?page=2%27+OR+%271%27=%271" | tee state/demo/blocked'
show 'event=$(sed -n '"'"'s/.*"event": "\([0-9a-f]*\)".*/\1/p'"'"' state/demo/blocked)'
show '.venv/bin/sluice explain $event'

section "A false alarm"
show 'for page in $(seq 60); do curl -s "https://localhost:8443/orders?page=$page"; done | wc -l'
show 'sh docs/demo/report.sh orders name'
show 'for table in orders returns invoices stock; do for column in name city day price; do
  sh docs/demo/report.sh $table $column; done; done > state/demo/blocked'
show 'for event in $(sed -n '"'"'s/.*"event": "\([0-9a-f]*\)".*/\1/p'"'"' state/demo/blocked); do
  .venv/bin/sluice label $event benign; done | tail -1'

section "Learn"
show '.venv/bin/sluice finetune run'
sleep 3 # the proxy notices the release by itself
show 'sh docs/demo/report.sh customers name'
show 'curl -s -H "Accept: application/json" "https://localhost:8443/orders?page=2%27+OR+%271%27=%271"'
show '.venv/bin/sluice model ls'

section "Back"
show '.venv/bin/sluice model rollback'
show 'curl -s http://127.0.0.1:8081/metrics | grep ^sluice_heartbeat_total'
