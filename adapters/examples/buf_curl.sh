#!/usr/bin/env bash
# Talks to a running service with nothing but buf, a certificate and person tokens: a check that a provider in any
# language needs no more than protos/. Run from the root of the repository, in development.
#   adapters/examples/buf_curl.sh [HOST:PORT] [CREDENTIALS]
# Needs buf, exchange-adapter and openssl (3.0 or newer) on the PATH. Ends with 0 when every answer is the one told here.
set -euo pipefail
target=${1:-localhost:8443}
credentials=${2:-data/operator}

# ask SERVICE/RPC [REQUEST] [TOKEN] [SIGNATURE]
ask() {
  local words=(--schema protos --protocol grpc)
  words+=(--cacert "$credentials/ca.pem" --cert "$credentials/client.pem" --key "$credentials/client.key")
  [ -z "${3:-}" ] || words+=(--header "x-exchange-person: $3")
  [ -z "${4:-}" ] || words+=(--header "x-exchange-signature: $4")
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
echo "5. A command is signed over the very bytes that are sent: those that buf makes of the same JSON."
wijkteam="$(token_of wt-014 college:WMO regisseur)"
notice='{"requestId": "'$(cat /proc/sys/kernel/random/uuid)'",
  "claim": {"purpose": "PURPOSE_WMO_ONDERZOEK", "legalBasis": "WMO-2.3.2",
            "necessity": {"text": "Nodig om toestemming te kunnen vragen"}},
  "noticeId": "buf-curl", "version": '$((RANDOM * 30 + RANDOM % 30 + 1))', "sha256": "'$(openssl rand -base64 32)'", "language": "nl",
  "level": "B1", "withdrawalChannels": ["https://mijn.voorbeeld.nl/toestemming"],
  "startTime": "2026-01-01T00:00:00Z", "endTime": "2030-01-01T00:00:00Z"}'
signed=$(mktemp -d)
trap 'rm -rf "$signed"' EXIT
printf '%s' "$notice" | buf convert protos --type exchange.v1.RegisterNoticeRequest --from '-#format=json' --to "$signed/request.binpb"
oin=$(sed -n 's/.*"oin": "\([0-9]*\)".*/\1/p' "$credentials/organisation.json")
rq=$( (printf 'exchange.v1 request\n/exchange.v1.ConsentService/RegisterNotice\nwt-014\n'; cat "$signed/request.binpb") \
  | openssl dgst -sha256 -r | cut -c -64)
printf 'exchange.v1 command\n%s\ncollege:WMO\n%s\n' "$oin" "$rq" > "$signed/statement"
signature=$(openssl pkeyutl -sign -rawin -inkey "$credentials/signing.key" -in "$signed/statement" | openssl base64 -A)
ask ConsentService/RegisterNotice "$notice" "$wijkteam" "$signature"

echo "6. The same command under a signature of something else is turned away, and nothing was recorded."
code=0
ask ConsentService/RegisterNotice "${notice/buf-curl/other}" "$wijkteam" "$signature" || code=$?
[ "$code" -eq 128 ] || { echo "expected to be turned away (128), got $code" >&2; exit 1; }
echo "all as told"
