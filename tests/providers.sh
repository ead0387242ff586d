#!/usr/bin/env bash
# tests/providers.sh - providers' files in the hands of an operator: what is told of
# them, files of one's own without a build, and requests of every algorithm that sign
# and send make, genuine and spoiled, sent to a service.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tests/npm.sh
npm_packages providers

# shellcheck source=tests/lib.sh
. tests/lib.sh
. tests/load.sh

programs
H=$T/bin/hooklatch
mkdir -p "$T/own" "$T/wrong" "$T/keys" "$T/b"

# --- what is told ---------------------------------------------------------------------

"$H" providers --json >"$T/all"
between "there are 200 providers and more" 200 2000 "$(wc -l <"$T/all")"
is "the table has a line for each, and one above them" "$(($(wc -l <"$T/all") + 1))" \
    "$("$H" providers | wc -l)"
is "each line is an object" "$(wc -l <"$T/all")" "$(node -e '
	const lines = require("fs").readFileSync(0, "utf8").trim().split("\n");
	console.log(lines.filter((l) => JSON.parse(l).docs.startsWith("https://")).length)' <"$T/all")"
"$H" providers --match ed25519 --match public_key >"$T/said"
check "a filter leaves some" test "$(wc -l <"$T/said")" -ge 4
check "and they fit" eval '! tail -n +2 "$T/said" | grep -v ed25519'
check "a filter that nothing fits says so" eval '! "$H" providers --match no-such-word 2>/dev/null'
for id in stripe pubsub amazon-sns asana telegram; do
	"$H" providers "$id" >"$T/said"
	for fact in set-up docs needs proof weak 'in the configuration' 'curl ' 'hooklatch sign'; do
		[ "$id $fact" != "stripe weak" ] || continue
		check "providers $id says: $fact" grep -q "^ *$fact" "$T/said"
	done
done
like "what fetches keys says from where" '*fetched from https://www.googleapis.com/oauth2/v3/certs*' \
    "$("$H" providers pubsub | tr -s ' \n' ' ')"
like "what brings its secret says how" '*hooklatch capture open asana*' "$("$H" providers asana)"
like "a name that is nearly right is put right" '*did you mean "stripe"*' \
    "$("$H" providers strpe 2>&1 || :)"

# --- the schema, for editors -------------------------------------------------------------

"$H" providers --schema >"$T/schema.json"
# schema WORD...: node's verdict
schema() {
	local said
	said=$(node tests/tool/schema.js "$@" || :)
	[[ $(tail -n 1 <<<"$said") =~ ^([0-9]+)\ passed\ ([0-9]+)\ failed$ ]] || {
		broken "schema.js comes to its end: $said"
		return
	}
	grep '^not kept' <<<"$said" || :
	PASSED=$((PASSED + BASH_REMATCH[1]))
	FAILED=$((FAILED + BASH_REMATCH[2]))
}
schema "$T/schema.json" providers/*.json
wrong=0
# bend EXPRESSION: a file of ours with one thing wrong
bend() {
	wrong=$((wrong + 1))
	sed -e "$1" providers/stripe.json >"$T/wrong/$wrong.json"
	check "\"$1\" changes something" eval '! cmp -s "$T/wrong/$wrong.json" providers/stripe.json'
	check "\"$1\": the program refuses it" eval \
	    '! quietly wrong "$H" providers "$T/wrong/$wrong.json"'
}
bend 's/"signature"/"signatur"/'
bend 's/"hmac-sha256"/"hmac-md5"/'
bend 's/"window": 300/"window": "300"/'
bend 's/"proven": true/"proven": "yes"/'
bend '0,/"json"/s//"yaml"/'
bend 's/"form":/"from":/'
schema --wrong "$T/schema.json" "$T"/wrong/*.json

# --- a file for every algorithm, of one's own ---------------------------------------------

for type in ed25519 rsa; do
	openssl genpkey -algorithm "$type" -out "$T/keys/$type" 2>/dev/null
done
for curve in 256:prime256v1 384:secp384r1 521:secp521r1; do
	openssl ecparam -name "${curve#*:}" -genkey -noout -out "$T/keys/p${curve%:*}"
done
for key in "$T"/keys/*; do
	openssl pkey -in "$key" -pubout -out "$key.pub"
done
printf 'the-new-secret' >"$T/keys/new"
printf 'the-old-secret' >"$T/keys/old"
printf 'another-secret' >"$T/keys/other"

# key_of ALGORITHM: the private key that it is signed with, or nothing
key_of() {
	case $1 in
	ed25519 | jws-eddsa) echo ed25519 ;;
	ecdsa-p256* | jws-es256) echo p256 ;;
	jws-es384) echo p384 ;;
	jws-es512) echo p521 ;;
	rsa-* | jws-rs* | jws-ps*) echo rsa ;;
	esac
}
mapfile -t algorithms < <(node -e '
	const s = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
	console.log(s.properties.signature.anyOf[0].properties.algorithm.enum.join("\n"))' "$T/schema.json")
between "the schema names the algorithms" 25 60 "${#algorithms[@]}"
hooks=
for alg in "${algorithms[@]}"; do
	signs='"{time}.{body}"' form='t={time},s={sig:hex}' more='"list": ","' time=
	case $alg in
	jws-*)
		form='{sig}' signs=''
		more='"token": { "require": ["exp", "iat"], "leeway": 60 }, "also": [{ "place": "claim:body", "equals": "{sha256hex(body)}" }]'
		;;
	equal) form='{sig}' signs='' more='' ;;
	sha*) signs='"{secret}.{time}.{body}"' ;;
	esac
	case $alg in
	jws-* | equal) ;;
	*) time='"time": { "unit": "s", "window": 300 },' ;;
	esac
	proven=true
	printf '{ "name": "Of %s", "docs": "https://acme.example/", "setup": "-", "bodies": ["json"],
	"signature": { "header": "X-Signature", "form": "%s", "algorithm": "%s"%s%s },
	%s "event": { "id": "body:id", "proven": %s }, "weak": ["-"] }\n' "$alg" "$form" "$alg" \
	    "${signs:+, \"signs\": $signs}" "${more:+, $more}" "$time" "$proven" >"$T/own/of-$alg.json"
	key=$(key_of "$alg")
	if [ -n "$key" ]; then
		hooks+=", \"/$alg\": { \"provider\": \"of-$alg\", \"public_key\": \"file:$T/keys/$key.pub\" }"
	else
		hooks+=", \"/$alg\": { \"provider\": \"of-$alg\", \"secret\": [\"file:$T/keys/new\", \"file:$T/keys/old\"] }"
	fi
done
chmod 644 "$T"/keys/*
serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db", "volatile": true, "health": "/health",
	"providers": "@T@/own",
	"hooks": { ${hooks#, } }
}
END
is "files of one's own are in the list" "$(($(wc -l <"$T/all") + ${#algorithms[@]}))" \
    "$("$H" providers --dir "$T/own" --json | wc -l)"
is "... and by the configuration's directory" "$(($(wc -l <"$T/all") + ${#algorithms[@]}))" \
    "$("$H" providers --config "$T/hooklatch.json" --json | wc -l)"
check "serve starts with a hook of every algorithm" serve_start
[ "$FAILED" -eq 0 ] || { why serve wrong; finish providers; }

printf '{"id":"e-1","text":"hello, world"}' >"$T/b/body"
# send ALGORITHM OPTION...: the status, or what the tool says
send() {
	local alg=$1 key said
	shift
	key=$(key_of "$alg")
	said=$("$H" send --config "$T/hooklatch.json" --hook "/$alg" --url "http://127.0.0.1:$PORT/$alg" \
	    --body "$T/b/body" ${key:+--private-key "$T/keys/$key"} "$@" 2>"$T/b/said" | head -n 1) || :
	[ -n "$said" ] || said=$(head -n 1 "$T/b/said")
	echo "$said"
}
for alg in "${algorithms[@]}"; do
	is "$alg: sent and taken" 200 "$(send "$alg")"
	for way in flip flip-first flip-last respace longer truncate half change gone empty twice joined; do
		got=$(send "$alg" --forge "$way")
		case "$alg $way $got" in
		"equal "[flr]*" 200" | "equal flip"*" 400") kept ;;	# the body is not signed
		*) is "$alg: --forge $way" 401 "$got" ;;
		esac
	done
	case $alg in
	jws-*) is "$alg: --forge none" 401 "$(send "$alg" --forge none)" ;;
	equal) continue ;;
	esac
	is "$alg: --age 600" 401 "$(send "$alg" --age 600)"
	is "$alg: --age -600" 401 "$(send "$alg" --age -600)"
	is "$alg: --age 30s" 200 "$(send "$alg" --age 30s)"
	[ -z "$(key_of "$alg")" ] || continue
	is "$alg: --secret old, while it rotates" 200 "$(send "$alg" --secret old)"
	is "$alg: another secret" 401 "$(send "$alg" --secret "file:$T/keys/other")"
done
is "a way to forge that is none" 64 "$("$H" send --config "$T/hooklatch.json" --hook /equal \
    --forge no-such >/dev/null 2>&1; echo $?)"

# What sign prints, curl sends.
for alg in hmac-sha256 ed25519 jws-es512 rsa-pss-sha256; do
	key=$(key_of "$alg")
	"$H" sign --config "$T/hooklatch.json" --hook "/$alg" --body "$T/b/body" \
	    ${key:+--private-key "$T/keys/$key"} --curl "http://127.0.0.1:$PORT/$alg" >"$T/b/line"
	sed -i 's#^curl -sS#curl -sS -o /dev/null -w %{http_code}#' "$T/b/line"
	is "$alg: curl sends what sign prints" 200 "$(bash "$T/b/line")"
done
check "serve stops" serve_stop

# --- one file, and no build ---------------------------------------------------------------

sig=$(printf '{"n":1}' | openssl dgst -sha256 -hmac acme -r | cut -d' ' -f1)
# acme EXTRA-EXAMPLES: the file
acme() {
	cat <<-END
		{ "name": "Acme", "docs": "https://acme.example/", "setup": "Settings.", "bodies": ["json"],
		  "signature": { "header": "X-Acme", "algorithm": "hmac-sha256" },
		  "event": { "id": "body:n" $1 },
		  "examples": [
		    { "says": "one", "source": "made", "secret": "acme", "headers": { "X-Acme": "$sig" },
		      "body": "{\"n\":1}", "expect": "genuine", "id": "1" } $2 ] }
	END
}
forged='{ "says": "two", "source": "made", "secret": "acme", "headers": { "X-Acme": "'$sig'" }, "body": "{\"n\":2}", "expect": "forged" }'
absent='{ "says": "three", "source": "made", "secret": "acme", "body": "{\"n\":2}", "expect": "absent" }'
acme ', "proven": true' ", $forged, $absent" >"$T/acme.json"
check "a file that is right is found so" quietly acme "$H" providers --test "$T/acme.json"
like "and it says how much was tried" '*checks hold, 0 do not*' "$(cat "$T/log/acme")"
acme '' ", $forged, $absent" >"$T/acme-unsaid.json"
check "one that does not say whether its id is proven is not" eval \
    '! quietly unsaid "$H" providers --test "$T/acme-unsaid.json"'
like "... and it says why" '*"proven"*' "$(cat "$T/log/unsaid")"
acme ', "proven": true' ", $forged" >"$T/acme-few.json"
check "one with a single forged example is not" eval \
    '! quietly few "$H" providers --test "$T/acme-few.json"'
acme ', "proven": true' ", $absent, ${forged/forged/genuine}" >"$T/acme-lies.json"
check "one whose example is not as it says is not" eval \
    '! quietly lies "$H" providers --test "$T/acme-lies.json"'
like "shown as those that ship are" '*hmac-sha256 over body*' "$("$H" providers "$T/acme.json")"

finish providers
