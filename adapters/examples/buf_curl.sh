#!/usr/bin/env bash
# Talks to a running service with nothing but buf, a certificate and person tokens: a check that a provider in any
# language needs no more than protos/. Run from the root of the repository, in development.
#   adapters/examples/buf_curl.sh [HOST:PORT] [CREDENTIALS]
# Needs buf and exchange-adapter on the PATH. Ends with 0 when every answer is the one told here.
set -euo pipefail
target=${1:-localhost:8443}
credentials=${2:-data/operator}

# ask SERVICE/RPC [REQUEST] [TOKEN]
ask() {
  local words=(--schema protos --protocol grpc)
  words+=(--cacert "$credentials/ca.pem" --cert "$credentials/client.pem" --key "$credentials/client.key")
  [ -z "${3:-}" ] || words+=(--header "x-exchange-person: $3")
  buf curl "${words[@]}" --data "${2:-{\}}" "https://$target/exchange.v1.$1"
}

token_of() { # PROFESSIONAL TASK ROLE
  exchange-adapter token --credentials "$credentials" --professional "$1" --task "$2" --role "$3"
}

echo "1. The newest checkpoint: a certificate is enough."
ask LedgerService/GetCheckpoint

echo "2. A plan that does not exist is refused as a plan of others would be."
plan='{"claim": {"purpose": "PURPOSE_WMO_ONDERZOEK", "legalBasis": "WMO-2.3.2",
                 "necessity": {"text": "Nodig voor het onderzoek na een melding"}},
       "planId": "00000000-0000-4000-8000-000000000000", "fields": ["goals.own_words"]}'
code=0
ask PlanService/GetPlan "$plan" "$(token_of wt-014 college:WMO regisseur)" || code=$?
# buf gives the gRPC code times eight: PERMISSION_DENIED is 7.
[ "$code" -eq 56 ] || { echo "expected a refusal (56), got $code" >&2; exit 1; }

echo "3. The privacy officer finds that refusal, its rules and its task."
ask AuditService/ListDecisions '{"claim": {"purpose": "PURPOSE_AUDIT", "legalBasis": "FG-AUDIT-39"}, "outcomes": ["DENY"],
  "fields": ["decisions.disclosure.task", "decisions.disclosure.outcome", "decisions.disclosure.rules"]}' \
  "$(token_of fg-1 fg privacy-officer)"

echo "4. Without a person token nothing about people is asked."
code=0
ask AuditService/ListDecisions '{}' || code=$?
# UNAUTHENTICATED is 16.
[ "$code" -eq 128 ] || { echo "expected to be turned away (128), got $code" >&2; exit 1; }
echo "all as told"
