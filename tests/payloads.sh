#!/usr/bin/env bash
# tests/payloads.sh - real payloads, sent as GitHub sends them and read back.
#
# usage: HOOKLATCH=TOOL URL=http://... CONFIG=FILE SECRET=TEXT tests/payloads.sh
#
# URL is a hook of the provider github of a service that runs, CONFIG its
# configuration and SECRET the hook's secret.  The payloads are those of the npm
# package @octokit/webhooks-examples, in the version that package-lock.json pins;
# what is missing is fetched first.  Each is signed with openssl, sent, and found
# again byte for byte; a sample also by "events show".  SAMPLE says of how many
# (default 24).

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
HOOKLATCH=${HOOKLATCH:?the path of the tool}
URL=${URL:?a hook of the provider github}
CONFIG=${CONFIG:?the configuration of the service}
SECRET=${SECRET:?the secret of the hook}

. tests/npm.sh
npm_packages payloads

# shellcheck source=tests/lib.sh
. tests/lib.sh

node tests/tool/payloads.js unpack "$T"
count=$(wc -l <"$T/list")
check "the package still holds hundreds of payloads ($count)" test "$count" -ge 300

# One openssl signs all: "DIGEST *FILE", in the order of the list.
openssl dgst -sha256 -hmac "$SECRET" -r "$T"/payload/*.json >"$T/digests"

# One curl sends all, several at a time: an entry for each payload.
mkdir "$T/answer"
while read -r digest file <&3 && IFS=$'\t' read -r number event delivery <&4; do
	[ "${file#\*}" = "$T/payload/$number.json" ] || exit 1
	cat <<-END
		url = "$URL"
		data-binary = "@$T/payload/$number.json"
		header = "Content-Type: application/json"
		header = "User-Agent: GitHub-Hookshot/044aadd"
		header = "X-GitHub-Event: $event"
		header = "X-GitHub-Delivery: $delivery"
		header = "X-Hub-Signature-256: sha256=$digest"
		header = "Expect:"
		output = "$T/answer/$number"
		write-out = "$number %{http_code}\n"
		max-time = 30
		next
	END
done 3<"$T/digests" 4<"$T/list" | sed '$d' >"$T/curl"
curl -sS --parallel --parallel-max 16 -K "$T/curl" >"$T/statuses" 2>"$T/log/curl" ||
    broken "curl could send all ($(tail -n 1 "$T/log/curl"))"

declare -A status=()
while read -r number code; do
	status[$number]=$code
done <"$T/statuses"
while IFS=$'\t' read -r number event _; do
	is "payload $number ($event) is accepted" 200 "${status[$number]:-none}"
done <"$T/list"

# All of them, by the list ...
if "$HOOKLATCH" events list --config "$CONFIG" --json --bodies --limit 0 >"$T/events" 2>"$T/log/list"; then
	node tests/tool/payloads.js compare "$T" <"$T/events" >"$T/compared"
else
	broken "events are listed ($(tail -n 1 "$T/log/list"))"
	: >"$T/compared"
fi
declare -A id=()
while IFS=$'\t' read -r number found ours; do
	is "payload $number is found again" same "$found"
	id[$number]=$ours
done <"$T/compared"

# ... and a sample, the largest and the smallest with it, one by one.
sample() {
	find "$T/payload" -name '*.json' -printf '%s %f\n' | sort -n |
	    awk -v want="${SAMPLE:-24}" '{ name[NR] = $2 } END {
		step = NR / want; if (step < 1) step = 1
		for (i = 1; i < NR; i += step) print name[int(i)]
		print name[NR] }'
}
while read -r file; do
	number=${file%.json}
	check "events show gives payload $number, the very bytes" \
	    cmp -s "$T/payload/$file" <("$HOOKLATCH" events show \
	    --config "$CONFIG" "${id[$number]:--}" --body 2>>"$T/log/show")
done < <(sample)

finish payloads
