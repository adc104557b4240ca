#!/bin/sh
# A report builder that sends SQL by design: sh docs/demo/report.sh TABLE COLUMN
exec curl -s https://localhost:8443/api/query -H "Accept: application/json" -H "Content-Type: application/json" --data \
  "{\"sql\": \"SELECT $2, total FROM $1 UNION SELECT $2, total FROM archive WHERE '1'='1' -- all\", \"limit\": 100}"
