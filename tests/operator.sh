#!/usr/bin/env bash
# tests/operator.sh - the tool in the hands of an operator: a signed sample of every
# provider is taken and a forged one is not, curl can send what "sign" prints, and
# "events", "check" and "providers" say what is so.

. "$(dirname "$0")/lib.sh"

programs
free_port
mkdir "$T/state" "$T/runtime"
if as_root; then
	chown hooklatch-courier:hooklatch-courier "$T/state"
fi
export RUNTIME_DIRECTORY=$T/runtime STATE_DIRECTORY=$T/state
H=$T/bin/hooklatch
URL=http://127.0.0.1:$PORT
CONF=$T/hooklatch.json

# --- a hook of every provider -----------------------------------------------------

openssl genpkey -algorithm ed25519 -out "$T/ed25519.pem" 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out "$T/p256.pem"
for key in ed25519 p256; do
	openssl pkey -in "$T/$key.pem" -pubout -out "$T/$key.pub"
done

# secret_of ID: as that provider's secrets look
secret_of() {
	case $1 in
	basic | google-cloud-monitoring) printf 'user:%s' "$2" ;;
	svix | standard-webhooks) printf 'whsec_%s' "$(printf '%s' "$2-long-enough-to-be-a-key" | base64 -w 0)" ;;
	*) printf '%s' "$2" ;;
	esac
}

# key_of ID: the private key, where the provider signs with one
key_of() {
	case $1 in
	discord) echo "$T/ed25519" ;;
	sendgrid) echo "$T/p256" ;;
	esac
}

# One of each way to prove and to ask; that every provider's examples can be signed
# anew is tests/unit/test_providers.c's to show.
IDS="basic bearer bitbucket discord dropbox gitea github gitlab
    google-cloud-monitoring linear mailgun meta secret-header sendgrid shopify
    slack square standard-webhooks stripe svix telegram twilio twitch typeform
    websub whatsapp x zoom"
check "there are providers" test "$("$H" providers --json | wc -l)" -ge 200
mkdir "$T/secret" "$T/wrong"
{
	printf '{ "hooks": {\n'
	between=
	for id in $IDS; do
		secret_of "$id" right >"$T/secret/$id"
		secret_of "$id" other >"$T/wrong/$id"
		printf '%s"/hooks/%s": { "provider": "%s"' "$between" "$id" "$id"
		if [ -n "$(key_of "$id")" ]; then
			printf ', "public_key": "file:%s.pub"' "$(key_of "$id")"
		else
			printf ', "secret": "file:%s"' "$T/secret/$id"
		fi
		for needed in $("$H" providers "$id" --json | sed -E 's/.*"needs":\[([^]]*)\].*/\1/; s/[",]/ /g'); do
			case $needed in
			verify_token) printf ', "verify_token": "plain:token"' ;;
			url) printf ', "url": "%s/hooks/%s"' "$URL" "$id" ;;
			topic) printf ', "topic": "https://example.com/feed"' ;;
			esac
		done
		printf ' }'
		between=$',\n'
	done
	printf '\n} }\n'
} >"$CONF"
chmod 644 "$T"/secret/* "$T"/*.pub "$CONF"
check "the file is accepted" "$H" check --config "$CONF" >"$T/log/check" 2>&1

start serve "$H" serve --config "$CONF" --listen "127.0.0.1:$PORT"
if ! within 20 grep -qF "serving $URL/" "$T/log/serve"; then
	broken "serve says that it serves"
	why serve check
	finish operator
fi
kept

# status COMMAND...: its exit status, the rest in $T/out and $T/log/tool
status() {
	STATUS=0
	"$@" >"$T/out" 2>>"$T/log/tool" || STATUS=$?
}

for id in $IDS; do
	key=$(key_of "$id")
	status "$H" send --hook "/hooks/$id" --config "$CONF" --url "$URL/hooks/$id" \
	    ${key:+--private-key "$key.pem"}
	is "$id: a signed sample is taken" "0 2" "$STATUS $(head -c 1 "$T/out")"
	if [ -n "$key" ]; then
		if [ "$id" = discord ]; then
			openssl genpkey -algorithm ed25519 -out "$T/other.pem" 2>/dev/null
		else
			openssl ecparam -name prime256v1 -genkey -noout -out "$T/other.pem"
		fi
		status "$H" send "$id" --private-key "$T/other.pem" --url "$URL/hooks/$id"
	else
		status "$H" send "$id" --secret "file:$T/wrong/$id" --url "$URL/hooks/$id" \
		    --param verify_token=token --param topic=https://example.com/feed
	fi
	case $id in
	websub) # its specification wants a 2xx, and the event thrown away
		is "$id: signed with another key it is not kept" 1 \
		    "$("$H" events list --config "$CONF" --provider "$id" --json | wc -l)" ;;
	*)
		is "$id: signed with another key it is not" "77 401" "$STATUS $(head -n 1 "$T/out")" ;;
	esac
	# What is printed for a shell is what is sent.
	status "$H" sign --hook "/hooks/$id" --config "$CONF" --curl "$URL/hooks/$id" \
	    ${key:+--private-key "$key.pem"}
	is "$id: the line of curl is taken, too" 2 \
	    "$(sed "s#^curl #curl -o $T/body -w %{http_code} #" "$T/out" | bash | head -c 1)"
done

status "$H" send --hook /hooks/stripe --config "$CONF" --url "$URL/hooks/stripe" --age 4000
is "a signature of an hour ago is refused" "77 401" "$STATUS $(head -n 1 "$T/out")"
status "$H" send github --url "$URL/hooks/github"
is "without a secret it asks for one" 64 "$STATUS"
status "$H" send github --secret plain:x --url "$URL/hooks/github"
is "a secret is no argument" 64 "$STATUS"
status "$H" send githib --secret "file:$T/secret/github"
is "an unknown provider is a wrong command line" 64 "$STATUS"
check "and the nearest is named" grep -qF 'did you mean "github"' "$T/log/tool"
free_port
status "$H" send github --secret "file:$T/secret/github" --url "http://127.0.0.1:$PORT/"
is "nobody listens: 69" 69 "$STATUS"

# --- events --------------------------------------------------------------------------

events() {
	"$H" events "$@" --config "$CONF"
}

head -c 300000 /dev/urandom | base64 -w 0 | sed 's/.*/{"x":"&"}/' >"$T/large.json"
status "$H" send --hook /hooks/github --config "$CONF" --url "$URL/hooks/github" \
    --body "$T/large.json" --id large-1 --type push
is "a large body is taken" 0 "$STATUS"
status "$H" send --hook /hooks/github --config "$CONF" --url "$URL/hooks/github" \
    --body "$T/large.json" --id large-1 --type push
is "and again" 0 "$STATUS"

events_hold() {		# the same with the service and without it
	local id
	is "$1: all are listed" "$("$H" events list --config "$CONF" --json --limit 0 | wc -l)" \
	    "$(events list --json --limit 0 | member id | sort -u | wc -l)"
	is "$1: --limit" 3 "$(events list --json --limit 3 | wc -l)"
	is "$1: --hook" '"/hooks/github"' "$(events list --json --limit 0 --hook /hooks/github |
	    grep -o '"hook":"[^"]*"' | cut -d: -f2 | sort -u)"
	is "$1: --provider" 3 "$(events list --json --limit 0 --provider github | wc -l)"
	is "$1: --event-id, and the repeat is counted" "1 1" \
	    "$(events list --json --event-id large-1 | wc -l) $(events list --json --event-id large-1 | member repeats)"
	is "$1: --type and --hook" large-1 "$(events list --json --type push --hook /hooks/github --limit 1 | member event_id)"
	is "$1: --since an hour ago holds all" "$(events list --json --limit 0 | wc -l)" \
	    "$(events list --json --limit 0 --since '1h ago' | wc -l)"
	is "$1: --until an hour ago holds none" 0 "$(events list --json --limit 0 --until 1h | wc -l)"
	is "$1: the newest first" "$(events list --json --limit 0 | member received_at | sort -r | xargs)" \
	    "$(events list --json --limit 0 | member received_at | xargs)"
	id=$(events list --json --event-id large-1 | member id)
	events show "$id" --body >"$T/shown"
	check "$1: --body gives the very bytes" cmp -s "$T/shown" "$T/large.json"
	is "$1: --json of one has its body" "$(base64 -w 0 <"$T/large.json" | sha256sum)" \
	    "$(events show "$id" --json | member body_base64 | tr -d '\n' | sha256sum)"
	is "$1: list --bodies has it, too" "$(base64 -w 0 <"$T/large.json" | sha256sum)" \
	    "$(events list --event-id large-1 --json --bodies | member body_base64 | tr -d '\n' | sha256sum)"
	status events show 00000000-0000-7000-8000-000000000000
	is "$1: what is not there: 66" 66 "$STATUS"
	check "$1: the table names its columns" grep -qE '^RECEIVED +ID +HOOK' <(events list)
	is "$1: and has 20 lines" 21 "$(events list | wc -l)"
}

events_hold served
status events list --since yesterday
is "a time that is none: 64" 64 "$STATUS"

start tail "$H" events tail --config "$CONF" --json --limit 1
check "tail begins with the last" within 10 grep -qF large-1 "$T/log/tail"
"$H" send --hook /hooks/github --config "$CONF" --url "$URL/hooks/github" --id tail-2 --type ping >/dev/null
check "and shows what comes" within 10 grep -qF tail-2 "$T/log/tail"
is "each once" 1 "$(grep -cF large-1 "$T/log/tail")"
stop tail TERM 5 || :
"$H" send --hook /hooks/gitea --config "$CONF" --url "$URL/hooks/gitea" >/dev/null

# --- check ---------------------------------------------------------------------------

check "nginx's file of serve lacks nothing" \
    grep -qF 'all that is needed is there' <("$H" check --config "$CONF" --nginx "$T/runtime"/serve-*/nginx.conf)
sed '/HTTP_PROXY/d; /client_max_body_size/d' "$T/runtime"/serve-*/nginx.conf >"$T/bad-nginx.conf"
status "$H" check --nginx "$T/bad-nginx.conf"
is "one that lacks lines: 78" 78 "$STATUS"
check "HTTP_PROXY is named" grep -qE '^wrong.*HTTP_PROXY' "$T/out"
check "and the body limit" grep -qE '^wrong.*client_max_body_size' "$T/out"
stop serve TERM 10 || broken "serve stops"
events_count=$("$H" events list --config "$CONF" --json --limit 0 --provider github | wc -l)
is "stopped: everything is still there" 4 "$events_count"

"$H" check --config "$CONF" --print >"$T/printed.json"
is "what --print prints reads back equal" "$(sha256sum <"$T/printed.json")" \
    "$("$H" check --config "$T/printed.json" --print | sha256sum)"
"$H" check --config "$CONF" --json >"$T/out"
is "--json: it is well" true "$(member ok <"$T/out")"
is "each hook stands there" "$(wc -w <<<"$IDS")" "$(grep -o '"path":"/hooks/' "$T/out" | wc -l)"
check "no secret stands there" test -z "$(grep -oE 'right|plain:token' "$T/out" || :)"
printf '{ "hooks": { "/x": { "provider": "github" } } }\n' >"$T/bad.json"
status "$H" check --config "$T/bad.json"
is "a hook without its secret: 78" 78 "$STATUS"
check "and what is missing is named, with its place" grep -qE 'bad.json:1:[0-9]+: .*secret' "$T/out"
printf '{ "hooks": { "/x": { "provider": "github", "secrt": "env:X" } } }\n' >"$T/bad.json"
status "$H" check --config "$T/bad.json" --json
is "an unknown key: 78, also as JSON" "78 false" "$STATUS $(member ok <"$T/out")"
check "the nearest is named" grep -qF 'secret' "$T/out"
status "$H" check --config "$T/nowhere.json"
is "no such file: 78" 78 "$STATUS"

# --- explain -----------------------------------------------------------------------------

cat >"$T/dump.json" <<'END'
{ "method": "POST", "target": "/a", "headers": [
    ["x-adobe-public-key1-path", "/prod/keys/pub-key-abc.pem"],
    ["x-adobe-digital-signature-1", "AAAA"] ], "body": "{\"recipientclientid\":\"x\"}" }
END
"$H" explain --provider adobe-io --param client_id=x --json "$T/dump.json" >"$T/out" || :
check "explain says which key is to be fetched, whole" grep -qF \
    'a key from https://static.adobeioevents.com/prod/keys/pub-key-abc.pem"' "$T/out"

# What a stranger sent must not steer the operator's terminal.
cat >"$T/dump.json" <<'END'
{ "reason": "\u001b[2J\u009b2J\u0007no secret matched", "request": { "method": "POST",
  "target": "/a", "headers": [["x-hub-signature-256", "sha256=00"]], "body": "{}" } }
END
"$H" explain --provider github "$T/dump.json" >"$T/out" || :
check "explain says why it was refused" grep -qF 'no secret matched)' "$T/out"
is "and nothing of it is a terminal's" 0 "$(LC_ALL=C grep -c $'[\x01-\x08\x0b-\x1f\x9b]' "$T/out")"

# --- the command line ------------------------------------------------------------------

status "$H"
is "no command: 64" 64 "$STATUS"
status "$H" dance
is "an unknown command: 64" 64 "$STATUS"
status "$H" events list --jsn
is "an unknown option: 64" 64 "$STATUS"
check "the nearest is named" grep -qF 'did you mean --json' "$T/log/tool"
status "$H" serve --listen nowhere
is "an address that is none: 64" 64 "$STATUS"
"$H" version >/dev/full 2>"$T/log/full" && STATUS=0 || STATUS=$?
is "standard output that is full: 74" 74 "$STATUS"
for word in serve check providers events send sign; do
	check "help $word" grep -qF "usage: hooklatch $word" <("$H" help "$word")
	check "$word --help" grep -qF "usage: hooklatch $word" <("$H" "$word" --help)
done

[ "$FAILED" -eq 0 ] || why serve tool
finish operator
