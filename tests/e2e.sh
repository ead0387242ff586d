#!/usr/bin/env bash
# tests/e2e.sh FRONT - requests by curl, as a provider or an attacker sends them,
# through one web server and the files that ship for it, to the inbox and back.
# The same promises for every FRONT (tests/fronts.sh, tests/container.sh).
#
# Every secret of the configuration holds the word "canary"; at the end nothing
# that was logged, stored, answered or stood in an argument list may hold it.

. "$(dirname "$0")/lib.sh"
. tests/fronts.sh

FRONT=${1:?usage: tests/e2e.sh FRONT}
STAGE=e2e-$FRONT
mkdir -p "$T/sent" "$T/secrets" "$T/app"
: >"$T/answers"

# --- the configuration -----------------------------------------------------------

discord_key() {
	openssl genpkey -algorithm ed25519 -out "$T/discord.pem" 2>/dev/null
	openssl pkey -in "$T/discord.pem" -pubout -outform DER | tail -c 32 |
	    od -An -v -tx1 | tr -d ' \n'
}

configure() {
	local discord fingerprint
	discord=$(discord_key)
	certificates
	fingerprint=$(openssl x509 -in "$T/tls/client.pem" -noout -fingerprint -sha1 |
	    sed 's/.*=//')
	printf 'canary-github-old\n' >"$T/secrets/github-old"
	conf_write <<-END
	{
		"inbox": "sqlite:@T@/courier/inbox.db",
		"courier": "unix:@T@/courier/courier.sock",
		"volatile": true, // the tests' folder may be memory
		"health": "/hooks/health",
		"users": { "handler": "@USER@" },
		"hooks": {
			"/hooks/github": { "provider": "github", "secret":
				["plain:canary-github", "file:@T@/secrets/github-old"] },
			"/hooks/small": { "provider": "github", "secret": "plain:canary-github", "body": 1000 },
			"/hooks/slow": { "provider": "github", "secret": "plain:canary-github", "deadline": "1s" },
			"/hooks/guide": { "provider": "secret-header", "secret": "plain:canary-guide" },
			"/hooks/open": { "auth": "none" },
			"/hooks/once": { "provider": "github", "secret": "plain:canary-github", "replay": "refuse" },
			"/hooks/denied": { "provider": "secret-header", "secret": "plain:canary-guide",
				"from": ["192.0.2.0/24", "2001:db8::/32"], "body": 1000 },
			"/hooks/allowed": { "provider": "secret-header", "secret": "plain:canary-guide",
				"from": ["192.0.2.0/24", "127.0.0.0/8"] },
			"/hooks/cert": { "provider": "secret-header", "secret": "plain:canary-guide",
				"client_cert": "verified" },
			"/hooks/fingerprint": { "provider": "secret-header", "secret": "plain:canary-guide",
				"client_cert": "$fingerprint" },
			"/hooks/basic": { "provider": "basic", "secret": "plain:user:canary-basic" },
			"/hooks/bearer": { "provider": "bearer", "secret": "plain:canary-bearer" },
			"/hooks/gitlab": { "provider": "gitlab", "secret": "plain:canary-gitlab" },
			"/hooks/monitoring": { "provider": "google-cloud-monitoring", "secret": "plain:canary-query" },
			"/hooks/slack": { "provider": "slack", "secret": "plain:canary-slack" },
			"/hooks/stripe": { "provider": "stripe", "secret": "plain:canary-stripe" },
			"/hooks/shopify": { "provider": "shopify", "secret": "plain:canary-shopify" },
			"/hooks/twilio": { "provider": "twilio", "secret": "plain:canary-twilio",
				"url": "https://hooks.example.com/hooks/twilio" },
			"/hooks/meta": { "provider": "meta", "secret": "plain:canary-meta",
				"verify_token": "plain:canary-verify" },
			"/hooks/dropbox": { "provider": "dropbox", "secret": "plain:canary-dropbox" },
			"/hooks/zoom": { "provider": "zoom", "secret": "plain:canary-zoom" },
			"/hooks/x": { "provider": "x", "secret": "plain:canary-x" },
			"/hooks/twitch": { "provider": "twitch", "secret": "plain:canary-twitch" },
			"/hooks/discord": { "provider": "discord", "public_key": "$discord" },
			"/hooks/pass": { "provider": "github", "secret": "plain:canary-github", "pass": "@app" },
			"/hooks/fail": { "provider": "github", "secret": "plain:canary-github", "pass": "@app" }
		}
	}
	END
	chmod 644 "$T/hooklatch.json"
}

# --- how a front is run ------------------------------------------------------------
# tests/container.sh gives its own versions of these.

serving_start() {
	courier_start && front_start "$FRONT"
}

serving_stop() {
	front_stop
	courier_stop TERM || broken "the courier stops when it is told"
}

hooklatch() {
	"$T/bin/hooklatch" "$@"
}

courier_pid() {
	echo "${PID[courier]:-}"
}

# Where the configuration is, as "hooklatch" above sees it.
CONF=$T/hooklatch.json

# --- requests ----------------------------------------------------------------------

URL=
# req METHOD PATH [CURL ARGUMENT...]: STATUS, and the answer in $T/head, $T/body
req() {
	local method=(-X "$1") target=$2
	shift 2
	[ "${method[1]}" != HEAD ] || method=(--head)
	: >"$T/head"
	: >"$T/body"
	STATUS=$(curl -sS -o "$T/body" -D "$T/head" -w '%{http_code}' --max-time 60 \
	    --path-as-is -H 'Expect:' "${method[@]}" "$@" "$URL$target" \
	    2>>"$T/log/curl") || STATUS=000
	# An answer 100 comes before the real one.
	cat "$T/head" "$T/body" >>"$T/answers"
}

# head_of NAME: a header of the answer; all of them when it came more than once
head_of() {
	tr -d '\r' <"$T/head" | sed -nE "s/^$1: *//Ip" | paste -sd,
}

# status PROMISE WANTED: of the request before
status() {
	is "$1" "$2" "$STATUS"
}

# post PATH FILE [CURL ARGUMENT...]: JSON
post() {
	local target=$1 file=$2
	shift 2
	req POST "$target" -H 'Content-Type: application/json' \
	    --data-binary "@$file" "$@"
}

# push PATH FILE [CURL ARGUMENT...]: as GitHub signs it, under the id $ID; what
# was taken is kept to be compared with the inbox
KEY=canary-github
push() {
	local target=$1 file=$2
	shift 2
	post "$target" "$file" -H 'User-Agent: GitHub-Hookshot/044aadd' \
	    -H 'X-GitHub-Event: push' -H "X-GitHub-Delivery: $ID" \
	    -H "X-Hub-Signature-256: sha256=$(hmac_hex "$KEY" "$file")" "$@"
	[ "$STATUS" != 200 ] || [ -e "$T/sent/$ID" ] || cp "$file" "$T/sent/$ID"
}

new_id() {
	ID=$(uuid)
}

# file NAME TEXT: $T/NAME holds exactly that
file() {
	printf '%s' "$2" >"$T/$1"
}

events() {
	hooklatch events list --config "$CONF" --json --limit 0 "$@" || :
}

# show ID ARGUMENT...: by our id
show() {
	hooklatch events show --config "$CONF" "$@" || :
}

# stored ID: the line of the event that came under the provider's id
stored() {
	events | grep -F "\"event_id\":\"$1\"" || :
}

stored_count() {
	stored "$1" | wc -l
}

# timed COMMAND...: how long it took is $TOOK, in ms
timed() {
	local began
	began=$(now_ms)
	"$@"
	TOOK=$(($(now_ms) - began))
}

# --- the status contract, in its order -----------------------------------------------

contract() {
	local sig big=$T/big small=$T/json over=$T/over
	file json '{"zen":"Keep it logically awesome."}'
	file broken '{"zen":'
	head -c 1001 /dev/zero | tr '\0' ' ' >"$over"
	head -c $((27262976 + 1)) /dev/zero | tr '\0' ' ' >"$big"

	req POST /hooks/none -d '{}'
	status "no such hook: 404" 404
	is "a 404 says nothing" "" "$(cat "$T/body")"
	req PUT /hooks/none -d '{}'
	status "404 comes before 405" 404
	req POST /hooks/github/ -d '{}'
	status "a hook is its path, byte for byte: no slash more" 404
	req POST /hooks/%67ithub -d '{}'
	status "nor the same encoded" 404
	req POST /hooks/../hooks/github -d '{}'
	like "nor by dot segments" '40[04]' "$STATUS"

	req PUT /hooks/github -d '{}'
	status "wrong method: 405" 405
	like "with Allow" '*POST*' "$(head_of Allow)"
	req GET /hooks/github
	status "GET where no handshake is: 405" 405
	req HEAD /hooks/github
	status "HEAD is judged as GET is" 405
	req PUT /hooks/small --data-binary "@$over"
	status "405 comes before 413" 405

	post /hooks/denied "$over"
	status "over the limit: 413, before the address is judged" 413
	post /hooks/small "$over"
	status "413 comes before 401" 413
	post /hooks/open "$big"
	status "more than 26 MiB: 413" 413

	post /hooks/denied "$small" -H 'Secret: canary-guide'
	status "an address that is not allowed: 403" 403
	file challenge '{"challenge":"x"}'
	post /hooks/denied "$T/challenge" -H 'Secret: canary-guide'
	status "403 comes before the handshake" 403
	post /hooks/denied "$small"
	status "403 comes before 401" 403

	post /hooks/github "$small"
	status "no signature: 401" 401
	is "a 401 says nothing of why" "" "$(grep -iE 'signature|secret|hmac' "$T/body" || :)"
	post /hooks/github "$small" -H 'X-Hub-Signature-256;'
	status "an empty signature: 401" 401
	KEY=other
	new_id
	push /hooks/github "$small"
	status "another secret: 401" 401
	push /hooks/github "$small" -H 'Content-Type: text/plain'
	status "401 comes before 415" 401
	push /hooks/github "$T/broken"
	status "401 comes before 400" 401
	KEY=canary-github
	sig=$(hmac_hex "$KEY" "$small")
	file flipped '{"zen":"Keep it logically awesome!"}'
	post /hooks/github "$T/flipped" -H "X-Hub-Signature-256: sha256=$sig"
	status "one flipped byte: 401" 401
	post /hooks/github "$small" -H "X-Hub-Signature-256: sha256=${sig%?}"
	status "a signature cut short: 401" 401

	new_id
	req POST /hooks/github -H 'Content-Type: text/plain' --data-binary "@$small" \
	    -H "X-Hub-Signature-256: sha256=$sig" -H "X-GitHub-Delivery: $ID"
	status "a Content-Type that the provider does not send: 415" 415
	is "what was answered 415 is not stored" 0 "$(stored_count "$ID")"
	new_id
	push /hooks/github "$T/broken"
	status "genuine, but not well-formed: 400" 400
	is "what was answered 400 is not stored" 0 "$(stored_count "$ID")"
	: >"$T/empty"
	push /hooks/github "$T/empty"
	status "an empty body is not JSON: 400" 400

	push /hooks/github "$small"
	status "a genuine push: 200" 200
	is "with an empty body" 0 "$(wc -c <"$T/body")"
	is "it is stored once" 1 "$(stored_count "$ID")"
	is "with what the provider calls it" push "$(stored "$ID" | member event_type)"
	is "under its hook" /hooks/github "$(stored "$ID" | member hook)"
	push /hooks/github "$small"
	status "a repeat of it: 200" 200
	is "a repeat is not stored again" 1 "$(stored_count "$ID")"
	is "but counted" 1 "$(stored "$ID" | member repeats)"

	new_id
	KEY=canary-github-old
	push /hooks/github "$small"
	status "the secret before is good too: rotation" 200
	KEY=canary-github
}

# --- providers ------------------------------------------------------------------------

# genuine NAME STATUS ARGUMENT...: and the same with one byte more is refused
genuine() {
	local name=$1 wanted=$2
	shift 2
	req POST "/hooks/$name" "$@"
	status "$name: a genuine request" "$wanted"
}

forged() {
	local name=$1
	shift
	req POST "/hooks/$name" "$@"
	status "$name: a forged request" 401
}

providers() {
	local now sig json='Content-Type: application/json'
	now=$(date +%s)

	# The documented vector of GitHub is text; the key is the point here.
	file payload '{"id":"evt_'"$RANDOM$RANDOM"'","type":"charge.succeeded"}'

	file signed "$now.$(cat "$T/payload")"
	sig=$(hmac_hex canary-stripe "$T/signed")
	genuine stripe 200 -H "$json" -H "Stripe-Signature: t=$now,v1=$sig" --data-binary "@$T/payload"
	forged stripe -H "$json" -H "Stripe-Signature: t=$((now + 1)),v1=$sig" --data-binary "@$T/payload"
	file signed "$((now - 301)).$(cat "$T/payload")"
	sig=$(hmac_hex canary-stripe "$T/signed")
	req POST /hooks/stripe -H "$json" -H "Stripe-Signature: t=$((now - 301)),v1=$sig" --data-binary "@$T/payload"
	status "stripe: a stale time" 401

	file signed "v0:$now:$(cat "$T/payload")"
	sig=$(hmac_hex canary-slack "$T/signed")
	genuine slack 200 -H "$json" -H "X-Slack-Request-Timestamp: $now" -H "X-Slack-Signature: v0=$sig" --data-binary "@$T/payload"
	forged slack -H "$json" -H "X-Slack-Request-Timestamp: $((now + 2))" -H "X-Slack-Signature: v0=$sig" --data-binary "@$T/payload"

	sig=$(hmac_base64 canary-shopify "$T/payload")
	genuine shopify 200 -H "$json" -H "X-Shopify-Hmac-Sha256: $sig" -H "X-Shopify-Webhook-Id: $(uuid)" --data-binary "@$T/payload"
	forged shopify -H "$json" -H "X-Shopify-Hmac-Sha256: A$sig" --data-binary "@$T/payload"

	genuine gitlab 200 -H "$json" -H 'X-Gitlab-Token: canary-gitlab' -H 'X-Gitlab-Event: Push Hook' --data-binary "@$T/payload"
	forged gitlab -H "$json" -H 'X-Gitlab-Token: canary-gitla' --data-binary "@$T/payload"

	# Twilio signs its URL as it knows it, then the fields sorted by name.
	file signed 'https://hooks.example.com/hooks/twilioBodyhello worldFrom+15005550006'
	sig=$(openssl dgst -sha1 -hmac canary-twilio -binary <"$T/signed" | base64)
	genuine twilio 204 -H "X-Twilio-Signature: $sig" --data-urlencode 'From=+15005550006' --data-urlencode 'Body=hello world'
	forged twilio -H "X-Twilio-Signature: $sig" --data-urlencode 'From=+15005550007' --data-urlencode 'Body=hello world'

	file signed "$now$(cat "$T/payload")"
	sig=$(openssl pkeyutl -sign -inkey "$T/discord.pem" -rawin -in "$T/signed" | od -An -v -tx1 | tr -d ' \n')
	genuine discord 200 -H "$json" -H "X-Signature-Timestamp: $now" -H "X-Signature-Ed25519: $sig" --data-binary "@$T/payload"
	forged discord -H "$json" -H "X-Signature-Timestamp: $((now + 1))" -H "X-Signature-Ed25519: $sig" --data-binary "@$T/payload"

	genuine bearer 200 -H 'Authorization: Bearer canary-bearer' --data-binary "@$T/payload"
	forged bearer -H 'Authorization: Bearer canary-beare' --data-binary "@$T/payload"

	genuine monitoring?auth_token=canary-query 200 -H "$json" --data-binary "@$T/payload"
	forged monitoring?auth_token=wrong -H "$json" --data-binary "@$T/payload"

	genuine basic 200 -u user:canary-basic --data-binary "@$T/payload"
	forged basic -u user:canary --data-binary "@$T/payload"
	like "Basic: 401 asks for it" 'Basic realm=*' "$(head_of WWW-Authenticate)"
	forged basic --data-binary "@$T/payload"
	like "also when nothing was sent" 'Basic realm=*' "$(head_of WWW-Authenticate)"
}

# --- "is this URL yours?" ---------------------------------------------------------------

handshakes() {
	local now sig long text json='Content-Type: application/json'
	now=$(date +%s)

	# The guide's own.
	file challenge '{"challenge":"x"}'
	req POST /hooks/guide -H 'Secret: canary-guide' -d '{"challenge":"x"}'
	status "the guide's challenge: 200" 200
	is "is echoed" x "$(cat "$T/body")"
	is "with nosniff" nosniff "$(head_of X-Content-Type-Options)"
	like "as plain text" 'text/plain*' "$(head_of Content-Type)"
	req POST /hooks/guide -H 'Secret: wrong' -d '{"challenge":"x"}'
	status "a wrong secret gets no echo: 401" 401
	is "not a byte of it" "" "$(grep -x x "$T/body" || :)"
	req POST /hooks/guide -d '{"challenge":"x"}'
	status "no secret gets no echo" 401
	req POST /hooks/guide -H 'Secret: canary-guide' -d '{"other":"x"}'
	status "other JSON: 200" 200
	req POST /hooks/guide -H 'Secret: canary-guide' -d '{"other":'
	status "broken JSON: 400" 400
	req PUT /hooks/guide -H 'Secret: canary-guide' -d '{"other":"x"}'
	status "PUT: 405" 405

	# Safe to look at.
	text='<script>alert(1)</script>'
	req GET "/hooks/dropbox?challenge=%3Cscript%3Ealert(1)%3C/script%3E"
	status "dropbox: the challenge is answered" 200
	is "markup goes back as it came" "$text" "$(cat "$T/body")"
	like "but as plain text" 'text/plain*' "$(head_of Content-Type)"
	is "that no browser guesses at" nosniff "$(head_of X-Content-Type-Options)"
	req HEAD "/hooks/dropbox?challenge=abc"
	status "HEAD asks what GET asks" 200
	is "and gets no body" 0 "$(grep -c abc "$T/body" || :)"
	long=$(printf '%01024d' 0)
	req GET "/hooks/dropbox?challenge=$long"
	status "1 KB is echoed" 200
	is "whole" "$long" "$(cat "$T/body")"
	refused_echo "more than 1 KB" "$long"0
	refused_echo "a byte that is not ASCII" 'caf%C3%A9'
	refused_echo "a line end" 'a%0d%0aSet-Cookie:%20a=b'
	refused_echo "a NUL" 'a%00b'
	req POST /hooks/guide -H 'Secret: canary-guide' -d '{"challenge":"caf\u00e9"}'
	like "a challenge in JSON that is not ASCII is refused" '4[0-9][0-9]' "$STATUS"
	req POST /hooks/guide -H 'Secret: canary-guide' -d "{\"challenge\":\"${long}0\"}"
	like "and one over 1 KB" '4[0-9][0-9]' "$STATUS"

	# Verify tokens.
	req GET '/hooks/meta?hub.mode=subscribe&hub.verify_token=canary-verify&hub.challenge=1158201444'
	status "meta: subscribe with the token" 200
	is "the challenge comes back" 1158201444 "$(cat "$T/body")"
	req GET '/hooks/meta?hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1158201444'
	status "meta: a wrong token" 403
	is "gets nothing back" "" "$(grep 1158201444 "$T/body" || :)"

	# Signed ones are verified first.
	file payload '{"token":"t","challenge":"3eZbrw1aB","type":"url_verification"}'
	file signed "v0:$now:$(cat "$T/payload")"
	sig=$(hmac_hex canary-slack "$T/signed")
	post /hooks/slack "$T/payload" -H "X-Slack-Request-Timestamp: $now" -H "X-Slack-Signature: v0=$sig"
	status "slack: a signed challenge" 200
	is "is answered" 3eZbrw1aB "$(cat "$T/body")"
	post /hooks/slack "$T/payload" -H "X-Slack-Request-Timestamp: $now" -H "X-Slack-Signature: v0=${sig/[0-9]/a}0"
	status "slack: forged, it is 401" 401
	post /hooks/slack "$T/payload"
	status "slack: unsigned, it is 401" 401

	file payload '{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}'
	file signed "v0:$now:$(cat "$T/payload")"
	sig=$(hmac_hex canary-zoom "$T/signed")
	post /hooks/zoom "$T/payload" -H "x-zm-request-timestamp: $now" -H "x-zm-signature: v0=$sig"
	status "zoom: the validation" 200
	file plain qgg8vlvZRS6UYooatFL8Aw
	like "zoom: its token, and the token signed" \
	    "*plainToken*qgg8vlvZRS6UYooatFL8Aw*encryptedToken*$(hmac_hex canary-zoom "$T/plain")*" "$(cat "$T/body")"
	like "as JSON" 'application/json*' "$(head_of Content-Type)"

	req GET '/hooks/x?crc_token=challenge&nonce=1'
	status "x: the CRC" 200
	file plain challenge
	like "x: the token signed" "*response_token*sha256=$(hmac_base64 canary-x "$T/plain")*" "$(tr -d '\\' <"$T/body")"

	file payload '{"challenge":"pogchamp-kappa-360noscope-vohiyo","subscription":{"id":"f1c2"}}'
	file signed "e76c6bd42019-07-19T14:56:51Z"
	text=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	file signed "e76c6bd4$text$(cat "$T/payload")"
	sig=$(hmac_hex canary-twitch "$T/signed")
	post /hooks/twitch "$T/payload" -H 'Twitch-Eventsub-Message-Id: e76c6bd4' \
	    -H "Twitch-Eventsub-Message-Timestamp: $text" \
	    -H 'Twitch-Eventsub-Message-Type: webhook_callback_verification' \
	    -H "Twitch-Eventsub-Message-Signature: sha256=$sig"
	status "twitch: the verification" 200
	is "twitch: the challenge alone" pogchamp-kappa-360noscope-vohiyo "$(cat "$T/body")"

	file payload '{"id":"1","type":1}'
	file signed "$now$(cat "$T/payload")"
	sig=$(openssl pkeyutl -sign -inkey "$T/discord.pem" -rawin -in "$T/signed" | od -An -v -tx1 | tr -d ' \n')
	post /hooks/discord "$T/payload" -H "X-Signature-Timestamp: $now" -H "X-Signature-Ed25519: $sig"
	status "discord: PING" 200
	is "discord: PONG" '{"type":1}' "$(tr -d ' \n' <"$T/body")"
	post /hooks/discord "$T/payload" -H "X-Signature-Timestamp: $now" -H "X-Signature-Ed25519: $(tr 0-9a-f 1-9a-f0 <<<"$sig")"
	status "discord: it probes with a bad signature, and wants 401" 401
}

# refused_echo WHAT TEXT: an unsigned challenge that is not to be echoed
refused_echo() {
	req GET "/hooks/dropbox?challenge=$2"
	like "$1 is refused" '4[0-9][0-9]' "$STATUS"
	is "and nothing of it comes back ($1)" "" "$(grep -aE 'Set-Cookie|caf|0000' "$T/head" "$T/body" || :)"
}

# --- bodies and headers -------------------------------------------------------------------

bodies() {
	# What a provider may send: UTF-8, escapes, white space around, a newline.
	printf ' {"a":"\xc3\xa9\xf0\x9f\x8e\x89","b":"\\u00e9\\/","c":[1.0,1e2, 1E+2]}\r\n' >"$T/odd"
	new_id
	push /hooks/github "$T/odd"
	status "odd but good JSON is taken" 200
	new_id
	push /hooks/github "$T/odd" -H 'Transfer-Encoding: chunked'
	status "chunked" 200

	{
		printf '{"pad":"'
		head -c 1048564 /dev/zero | tr '\0' 'm'
		printf '"}'
	} >"$T/1m"
	new_id
	push /hooks/github "$T/1m"
	status "1 MB" 200
	new_id
	push /hooks/github "$T/1m" -H 'Transfer-Encoding: chunked'
	status "1 MB chunked" 200
	{
		printf '{"pad":"'
		head -c 26214390 /dev/zero | tr '\0' 'M'
		printf '"}'
	} >"$T/25m"
	is "GitHub's largest is 25 MiB" 26214400 "$(wc -c <"$T/25m")"
	new_id
	push /hooks/github "$T/25m"
	status "25 MB" 200
	new_id
	KEY=other
	push /hooks/github "$T/25m"
	status "25 MB that are forged" 401
	KEY=canary-github
	new_id
	{
		printf '{"pad":"'
		head -c 990 /dev/zero | tr '\0' 's'
		printf '"}'
	} >"$T/limit"
	push /hooks/small "$T/limit"
	status "a body of exactly the limit" 200
	new_id
	printf ' ' >>"$T/limit"
	push /hooks/small "$T/limit"
	status "one byte more" 413
	push /hooks/small "$T/limit" -H 'Transfer-Encoding: chunked'
	status "one byte more, chunked" 413
	push /hooks/small "$T/json"
	status "and the next request is served" 200

	# Bytes that are no text, where a hook takes any.
	head -c 70000 /dev/urandom >"$T/bytes"
	new_id
	req POST /hooks/open -H 'Content-Type: application/octet-stream' --data-binary "@$T/bytes"
	status "a hook without authentication takes any bytes" 200
	show "$(events | grep -F '"hook":"/hooks/open"' | member id | head -n 1)" --body >"$T/shown"
	check "and they are read back byte for byte" cmp -s "$T/bytes" "$T/shown"
}

headers() {
	local sig small=$T/json
	sig=$(hmac_hex canary-github "$small")

	new_id
	post /hooks/github "$small" -H "X-GitHub-Delivery: $ID" \
	    -H "X-Hub-Signature-256: sha256=$sig" -H "X-Hub-Signature-256: sha256=$sig"
	status "a doubled signature header: 401" 401
	post /hooks/github "$small" -H "X-GitHub-Delivery: $ID" \
	    -H "X-Hub-Signature-256: sha256=00" -H "X-Hub-Signature-256: sha256=$sig"
	status "also when one of them is wrong: 401" 401
	post /hooks/github "$small" -H "X-GitHub-Delivery: $ID" -H "X_Hub_Signature_256: sha256=$sig"
	status "an underscored header is not the header: 401" 401
	is "none of these is stored" 0 "$(stored_count "$ID")"
	post /hooks/guide "$small" -H 'Secret: wrong' -H 'Secret: canary-guide'
	status "a doubled secret header: 401" 401

	new_id
	push /hooks/github "$small" -H 'Proxy: http://evil.example' -H 'X-Odd: a  b "c" \ d' \
	    -H 'HOOKLATCH-HOOK: /hooks/open' -H 'HOOKLATCH_TLS_VERIFY: SUCCESS'
	status "headers that want to be parameters change nothing" 200
	show "$(stored "$ID" | member id)" --json >"$T/shown"
	is "Proxy does not arrive" "" "$(grep -F evil.example "$T/shown" || :)"
	check "the stored headers are those that came" grep -qF 'x-github-delivery' "$T/shown"
	check "their values too" grep -qF 'a  b \"c\" \\ d' "$T/shown"
	check "the signature is kept, to be verified again" grep -qF "sha256=$sig" "$T/shown"

	# Who may send.
	post /hooks/allowed "$small" -H 'Secret: canary-guide' -H 'X-Forwarded-For: 203.0.113.9'
	status "\"from\" looks at the peer" 200
	post /hooks/denied "$small" -H 'Secret: canary-guide' -H 'X-Forwarded-For: 192.0.2.1' \
	    -H 'X-Real-IP: 192.0.2.1' -H 'Forwarded: for=192.0.2.1'
	status "and at nothing that the client says" 403
	post /hooks/cert "$small" -H 'Secret: canary-guide' -H 'HOOKLATCH-TLS-VERIFY: SUCCESS' \
	    -H 'Ssl-Client-Verify: SUCCESS'
	status "no client certificate: 403" 403
}

certificate_checks() {
	local tls small=$T/json ours
	if [ "$TLS_PORT" -eq 0 ]; then
		skip "client certificates" "TLS ends before this front"
		return
	fi
	tls="https://127.0.0.1:$TLS_PORT"
	ours=(-k --cert "$T/tls/client.pem" --key "$T/tls/client.key")
	certified() {
		STATUS=$(curl -sS -o /dev/null -w '%{http_code}' -H 'Secret: canary-guide' \
		    --max-time 20 -H "Idempotency-Key: $(uuid)" --data-binary "@$small" \
		    "${@:2}" "$tls$1" 2>>"$T/log/curl") || STATUS=000
	}
	certified /hooks/cert "${ours[@]}"
	status "a verified client certificate" 200
	certified /hooks/cert -k
	status "TLS without one: 403" 403
	certified /hooks/fingerprint -k
	status "a wanted fingerprint, and no certificate: 403" 403
	certified /hooks/fingerprint "${ours[@]}"
	case $FRONT in
	apache-*) status "Apache knows no fingerprint: 403, not a guess" 403 ;;
	*) status "the certificate with that fingerprint" 200 ;;
	esac
}

# --- repeats (promise 4) --------------------------------------------------------------------

repeats() {
	local claimed n i pids=()
	file one '{"n":1}'
	file two '{"n":2}'

	new_id
	push /hooks/github "$T/one"
	claimed=$ID
	push /hooks/github "$T/two"
	status "a claimed id with other bytes: 200" 200
	is "is another event" 2 "$(stored_count "$claimed")"
	new_id
	push /hooks/github "$T/one"
	status "the same signed bytes under a new id: 200" 200
	is "are stored as well" 1 "$(stored_count "$ID")"

	new_id
	push /hooks/once "$T/one"
	status "replay: refuse: the first" 200
	push /hooks/once "$T/one"
	status "its repeat under its own id is a repeat" 200
	n=$ID
	new_id
	push /hooks/once "$T/one"
	status "the same signed bytes under another id: 401" 401
	is "and not stored" 0 "$(stored_count "$ID")"
	is "the first is there once" 1 "$(stored_count "$n")"

	# Equal bodies of a provider without ids are different events (Dropbox).
	n=$(events | grep -cF '"hook":"/hooks/dropbox"' || :)
	for i in 1 2; do
		post /hooks/dropbox "$T/one" -H "X-Dropbox-Signature: $(hmac_hex canary-dropbox "$T/one")"
		status "dropbox: notification $i" 200
	done
	is "both are stored" $((n + 2)) "$(events | grep -cF '"hook":"/hooks/dropbox"' || :)"

	# Eight senders of one event at once.
	new_id
	cp "$T/two" "$T/sent/$ID"
	for i in 1 2 3 4 5 6 7 8; do
		curl -sS -o /dev/null -w '%{http_code}\n' --max-time 60 "$URL/hooks/github" \
		    -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
		    -H "X-GitHub-Delivery: $ID" --data-binary "@$T/two" \
		    -H "X-Hub-Signature-256: sha256=$(hmac_hex canary-github "$T/two")" \
		    >"$T/sender-$i" 2>>"$T/log/curl" &
		pids+=($!)
	done
	wait "${pids[@]}" || :
	is "eight at once: all 200" "200 200 200 200 200 200 200 200" "$(cat "$T"/sender-* | xargs)"
	is "and one event" 1 "$(stored_count "$ID")"
	is "with seven repeats" 7 "$(stored "$ID" | member repeats)"
}

# --- pass -----------------------------------------------------------------------------------

# the head of the application's last request, without CR
app_head() {
	tr -d '\r' <"$T/app/$APP.head"
}

app_wait() {
	APP=$((APP + 1))
	within 10 test -e "$T/app/$APP.head"
}

pass_behind_apache() {
	new_id
	push /hooks/pass "$T/json"
	status "pass, where no nginx is in front: 503, not a false 200" 503
}

pass() {
	local ours
	APP=0
	start app "$T/bin/app" "$APP_PORT" "$T/app"
	within 10 listening "$APP_PORT"
	# That was a connection, and counts.
	APP=1

	new_id
	push '/hooks/pass?a=1&b=%2F..%20x&a=2' "$T/odd" -H 'X-Custom: kept' -H 'Cookie: c=1'
	status "pass: the application's status" 200
	check "it was asked" app_wait
	is "its body reaches the sender" "app $APP" "$(cat "$T/body")"
	is "its headers too" yes "$(head_of X-App)"
	is "method, path and query are the original" \
	    'POST /hooks/pass?a=1&b=%2F..%20x&a=2 HTTP/1.1' "$(app_head | head -n 1)"
	check "headers too" grep -qx 'X-Custom: kept' <(app_head)
	check "and the body" cmp -s "$T/odd" "$T/app/$APP.body"
	ours=$(stored "$ID" | member id)
	is "it is told the event" "X-Hooklatch-Event: $ours" "$(app_head | grep -i '^X-Hooklatch-Event')"
	is "the hook" 'X-Hooklatch-Hook: /hooks/pass' "$(app_head | grep -i '^X-Hooklatch-Hook')"
	is "the provider" 'X-Hooklatch-Provider: github' "$(app_head | grep -i '^X-Hooklatch-Provider')"
	app_head | grep -i '^X-Hooklatch-Repeat' >"$T/first-repeat" || :

	push '/hooks/pass' "$T/odd"
	status "a repeat passes again" 200
	check "and arrives" app_wait
	like "marked" 'X-Hooklatch-Repeat: ?*' "$(app_head | grep -i '^X-Hooklatch-Repeat')"
	check "otherwise than the first" test "$(cat "$T/first-repeat")" != "$(app_head | grep -i '^X-Hooklatch-Repeat')"
	is "under the same event" "X-Hooklatch-Event: $ours" "$(app_head | grep -i '^X-Hooklatch-Event')"

	new_id
	push /hooks/pass "$T/json" -H 'X-Hooklatch-Event: forged' -H 'X-Hooklatch-Hook: forged' \
	    -H 'X-Hooklatch-Provider: forged' -H 'X-Hooklatch-Repeat: forged' -H 'X_Hooklatch_Event: forged'
	status "what a client forged" 200
	check "passes" app_wait
	is "is overwritten" 0 "$(app_head | grep -c forged || :)"
	is "and stands once" 1 "$(app_head | grep -ci '^X-Hooklatch-Event' || :)"

	new_id
	push /hooks/pass "$T/1m"
	status "pass: 1 MB" 200
	check "arrives" app_wait
	check "whole" cmp -s "$T/1m" "$T/app/$APP.body"
	new_id
	push /hooks/pass "$T/1m" -H 'Transfer-Encoding: chunked'
	status "pass: 1 MB chunked" 200
	check "arrives so too" app_wait
	check "and whole" cmp -s "$T/1m" "$T/app/$APP.body"

	new_id
	push /hooks/fail "$T/json"
	status "the application's 500 reaches the sender" 500
	check "(it was asked)" app_wait
	KEY=other
	push /hooks/pass "$T/json" -H 'X-Hooklatch-Event: forged'
	status "what is not genuine does not pass" 401
	req GET '/hooks/pass'
	status "nor what is no event" 405
	KEY=canary-github
	sleep 0.2
	check "the application heard nothing of it" test ! -e "$T/app/$((APP + 1)).head"
	stop app
}

# --- the courier away, back, hanging ----------------------------------------------------------

push_ok() {
	push /hooks/github "$T/json"
	[ "$STATUS" = 200 ]
}

healthy() {
	req GET /hooks/health
	[ "$STATUS" = 200 ]
}

courier_away() {
	check "healthy" healthy
	new_id
	stop courier KILL
	timed push /hooks/github "$T/json"
	status "courier away: 503" 503
	between "at once (ms)" 0 1500 "$TOOK"
	like "with Retry-After" '[0-9]*' "$(head_of Retry-After)"
	req GET /hooks/health
	status "and health says so" 503
	req POST /hooks/github -d '{}'
	status "what is forged is still 401" 401
	check "the courier starts over its old socket" courier_start
	check "and service resumes" within 15 push_ok
	is "with the event, once" 1 "$(stored_count "$ID")"
	check "healthy again" within 5 healthy
}

courier_hangs() {
	local pid
	pid=$(courier_pid)
	new_id
	push /hooks/slow "$T/json"
	status "the hook with a deadline of 1 s works" 200
	new_id
	kill -STOP "$pid"
	timed push /hooks/slow "$T/json"
	kill -CONT "$pid"
	status "a courier that hangs: 503" 503
	between "at the deadline (ms)" 700 3000 "$TOOK"
	like "with Retry-After" '[0-9]*' "$(head_of Retry-After)"
	check "then the retry is taken" within 15 push_slow
	is "as a repeat, not a second event" 1 "$(stored_count "$ID")"
}

push_slow() {
	push /hooks/slow "$T/json"
	[ "$STATUS" = 200 ]
}

# --- afterwards --------------------------------------------------------------------------------

# Everything that was answered 200 is there, byte for byte, running or not.
read_back() {
	local n=0 missing=0 sent id ours found
	events >"$T/list"
	for sent in "$T"/sent/*; do
		id=${sent##*/}
		n=$((n + 1))
		found=no
		# An id that was claimed with other bytes has several events.
		for ours in $(grep -F "\"event_id\":\"$id\"" "$T/list" | member id); do
			! show "$ours" --body | cmp -s - "$sent" || found=yes
		done
		if [ "$found" = no ]; then
			missing=$((missing + 1))
			echo "missing or changed: $id ($1)"
		fi
	done
	between "there were enough of them" 15 1000 "$n"
	is "every event that was answered 200 is there, byte for byte ($1)" 0 "$missing"
}

arguments() {
	local name pid
	for name in "${!PID[@]}"; do
		for pid in ${PID[$name]} $(descendants "${PID[$name]}"); do
			{ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null || :
			echo
		done
	done
}

# In plain text and in base64, at each of the three places in a group of four.
canaries() {
	grep -raoE "canary-[a-z]+|Y2FuYXJ5L|NhbmFyeS|jYW5hcnkt" "$@" | sort | uniq -c | head -n 5
}

no_secret_anywhere() {
	check "(the search would find one)" test -n "$(canaries "$T/hooklatch.json")"
	arguments >"$T/arguments"
	is "no secret in an argument list" "" "$(canaries "$T/arguments" || :)"
	is "none in a log" "" "$(canaries "$T/log" || :)"
	is "none in an answer" "" "$(canaries "$T/answers" || :)"
	events --bodies >"$T/list-all"
	is "none in what is stored, as it is listed" "" "$(canaries "$T/list-all" || :)"
	[ ! -d "$T/courier" ] || is "none in the inbox's files" "" "$(canaries "$T/courier" || :)"
	is "and no signature in a log" "" \
	    "$(grep -raoE 'sha256=[0-9a-f]{64}|v1=[0-9a-f]{64}' "$T/log" | head -n 3 || :)"
	check "each request has its line in the log" grep -rqF '/hooks/github' "$T/log"
}

# --- all of it -----------------------------------------------------------------------------------

if [ -n "${E2E_HOW:-}" ]; then
	# shellcheck source=/dev/null
	. "$E2E_HOW"
fi

for tool in curl openssl; do
	command -v "$tool" >/dev/null || { broken "$tool is there"; finish "$STAGE"; }
done
programs
tool app
front_ports
configure
if ! serving_start; then
	broken "$FRONT starts"
	why handler courier web
	finish "$STAGE"
fi
URL=http://127.0.0.1:$PORT

contract
providers
handshakes
bodies
headers
certificate_checks
repeats
case $FRONT in
apache-*) pass_behind_apache ;;
*) pass ;;
esac
courier_hangs
courier_away
read_back running
no_secret_anywhere
serving_stop
read_back stopped
[ "$FAILED" -eq 0 ] || why handler courier web
finish "$STAGE"
