#!/usr/bin/env bash
# An independent client (schemathesis) makes requests of all kinds from the served OpenAPI document, once as a program of the office and
# once as a person. It fails on an answer of 500 or more, and on one that the document does not tell of. It takes a minute or two; a slow
# machine gets more.
#   tests/api_client.sh BINARY FOLDER   (the folder that `duban demo --folder` made; its database is acted upon)
set -euo pipefail
binary=$(realpath "$1")
folder=$(realpath "$2")
work=$(mktemp -d)
cd "$work"

digest() { printf %s "$1" | sha256sum | cut -d' ' -f1; }
# The clerk of the sample's congress office.
person=曾海敏
printf 'tokens: { %s: "%s" }\noffice_tokens: [%s]\n' "$(digest person)" "$person" "$(digest office)" >duban.yaml
printf '[parameters]\n"path.item" = "2024-001"\n"path.report" = "ledger"\n"path.import" = "suggestions"\n"query.as" = "%s"\n' "$person" >schemathesis.toml

"$binary" serve --database "$folder/demo.db" --port 0 --json >ready.json 2>serve.log &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 300); do
  [ -s ready.json ] && break
  kill -0 "$server" || break
  sleep 0.1
done
grep -q '"address"' ready.json || { cat ready.json serve.log; exit 1; }
address=$(python3 -c 'import json; print(json.load(open("ready.json"))["address"])')

try() {
  local token=$1 most=$2
  shift 2
  # What a schema allows may still be refused by a rule, so acceptance is not asked for.
  timeout "$most" python3 -m schemathesis.cli --config-file schemathesis.toml run "http://$address/api/v1/openapi.json" \
    --header "Authorization: Bearer $token" --request-timeout 60 --seed 1 --no-shrink --exclude-checks positive_data_acceptance --warnings off "$@"
}
try office 420 --phases coverage,fuzzing --max-examples 8
try person 240 --phases fuzzing --max-examples 12
kill -0 "$server"
