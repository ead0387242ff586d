#!/usr/bin/env bash
# tests/keys.sh - keys that are fetched, secrets that a handshake brings, requests that
# are set aside: serve, with the providers' files as they ship, in a network of its own
# where their hosts are a web server of ours.
#
# All other names lead to a trap that counts who comes.  Of keys a second lasts 20 ms
# here (key_source.h); the programs are otherwise those that ship.

if [ -z "${KEYS_INSIDE:-}" ]; then
	if unshare -n -m true 2>/dev/null; then
		KEYS_INSIDE=1 exec unshare -n -m --propagation private "$0" "$@"
	fi
	. "$(dirname "$0")/lib.sh"
	skip "keys are fetched from their hosts" "no network of its own can be made here (unshare -n -m)"
	finish keys
fi

. "$(dirname "$0")/lib.sh"
. tests/load.sh

ip link set lo up
programs
tool trap
san=()
[[ $BUILD != *san* ]] || san=(SAN=1)
variant "$BUILD" quick "hooklatch.fcgi hooklatch-courier" KEY_SECOND=20
cp "$BUILD"/quick/hooklatch.fcgi "$BUILD"/quick/hooklatch-courier "$T/bin/"

# --- a world of its own ------------------------------------------------------------

GOOGLE=www.googleapis.com SNS=sns.eu-west-1.amazonaws.com EBAY=api.ebay.com
ADOBE=static.adobeioevents.com KICK=api.kick.com PAYPAL=api.paypal.com
HOSTS="$GOOGLE $SNS $EBAY $ADOBE $KICK $PAYPAL keys.acme.example slow.acme.example"
FOREIGN="evil.example sns.eu-west-1.amazonaws.com.evil.example evil-amazonaws.com
    s3.eu-west-1.amazonaws.com sns.s3.amazonaws.com sns.s3-eu-west-1.amazonaws.com
    sns.a.b.amazonaws.com api.paypal.com.evil.example
    evilpaypal.com moved.example"
{
	echo "127.0.0.1 localhost"
	for name in $HOSTS; do
		echo "127.0.0.1 $name"
	done
	for name in $FOREIGN; do
		echo "127.0.0.2 $name"
	done
} >"$T/hosts"
mount --bind "$T/hosts" /etc/hosts
start trap "$T/bin/trap" "$T/trapped" 127.0.0.2:443 127.0.0.2:80 127.0.0.2:8443 \
    127.0.0.1:80 127.0.0.1:8443
trapped() {
	grep -c '' "$T/trapped" 2>/dev/null || :
}
check "the trap is set" within 5 eval '(exec 3<>/dev/tcp/127.0.0.2/443) 2>/dev/null'
within 2 test -s "$T/trapped" || :
is "and counts who comes" 1 "$(trapped)"
: >"$T/trapped"

mkdir -p "$T/tls" "$T/www" "$T/b"
(
	cd "$T/tls"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
	    -subj "/CN=the tests' CA" -keyout ca.key -out ca.pem
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=hosts \
	    -keyout hosts.key -out hosts.csr
	{
		printf 'subjectAltName='
		for name in $HOSTS; do
			printf 'DNS:%s,' "$name"
		done
		echo 'DNS:localhost'
	} >hosts.ext
	openssl x509 -req -days 2 -in hosts.csr -CA ca.pem -CAkey ca.key \
	    -CAcreateserial -extfile hosts.ext -out hosts.pem
	for key in one two three; do
		openssl genrsa -out "$key.pem" 2048
		openssl rsa -in "$key.pem" -pubout -out "$key.pub"
	done
	openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
	openssl pkey -in ec.pem -pubout -out ec.pub
	# Amazon's are of its own; the host is what is believed.
	openssl req -x509 -key one.pem -days 2 -subj /CN=sns.amazonaws.com -out sns.pem
) >"$T/log/openssl" 2>&1
chmod 644 "$T"/tls/*

# What the hosts say of how long a key holds: a minute, unless a test says otherwise.
says() {
	echo "add_header Cache-Control \"$1\" always;" >"$T/www/says.conf"
}
says "max-age=60"
for name in $HOSTS; do
	mkdir -p "$T/www/$name"
done
cat >"$T/hosts.conf" <<END
pid $T/hosts.pid;
error_log stderr;
events { }
http {
	log_format key '\$host \$request';
	access_log $T/log/asked key;
	client_body_temp_path $T/www/body;
	fastcgi_temp_path $T/www/fastcgi;
	proxy_temp_path $T/www/proxy;
	uwsgi_temp_path $T/www/uwsgi;
	scgi_temp_path $T/www/scgi;
	default_type application/json;
	server {
		listen 127.0.0.1:443 ssl;
		ssl_certificate $T/tls/hosts.pem;
		ssl_certificate_key $T/tls/hosts.key;
		root $T/www/\$host;
		include $T/www/says.conf;
		location = /moved { return 302 https://moved.example/keys; }
		location = /identity/v1/oauth2/token {
			# only who has the secret gets a token: user:app-secret
			if (\$http_authorization != "Basic YXBwOmFwcC1zZWNyZXQ=") { return 401; }
			error_page 405 =200 \$uri;
			try_files /oauth =404;
		}
		location /commerce/ {
			if (\$http_authorization != "Bearer the-grant") { return 401; }
		}
	}
	server {
		listen 127.0.0.1:443 ssl;
		server_name slow.acme.example;
		ssl_certificate $T/tls/hosts.pem;
		ssl_certificate_key $T/tls/hosts.key;
		location / {
			root $T/www/slow.acme.example;
			limit_rate 1;
		}
	}
}
END
hosts_start() {
	start hosts nginx -e stderr -c "$T/hosts.conf" -g 'daemon off; user root;'
	within 5 eval '(exec 3<>/dev/tcp/127.0.0.1/443) 2>/dev/null'
}
check "the providers' hosts are there" hosts_start
asked() {
	grep -c -- "$1" "$T/log/asked" 2>/dev/null || :
}

# --- tokens --------------------------------------------------------------------------

base64url() {
	base64 -w 0 | tr '+/' '-_' | tr -d '='
}

# jwk KID KEY: the public half of an RSA key, as a JWK
jwk() {
	printf '{"kty":"RSA","alg":"RS256","use":"sig","kid":"%s","e":"AQAB","n":"%s"}' \
	    "$1" "$(openssl rsa -in "$T/tls/$2.pem" -modulus -noout 2>/dev/null |
	    sed 's/^Modulus=//' | perl -ne 'chomp; print pack("H*", $_)' | base64url)"
}

# publish KEYS: a set where the provider has its own
publish() {
	mkdir -p "$T/www/$GOOGLE/oauth2/v3"
	printf '{"keys":[%s]}' "$1" >"$T/www/$GOOGLE/oauth2/v3/certs"
}

# jws HEADER CLAIMS KEY [DIGEST]
jws() {
	local signed
	signed=$(printf '%s' "$1" | base64url).$(printf '%s' "$2" | base64url)
	printf '%s.%s' "$signed" "$(printf '%s' "$signed" |
	    openssl dgst "${4:--sha256}" -sign "$T/tls/$3.pem" | base64url)"
}

# claims [NAME VALUE]...: those of a push, changed; VALUE - leaves it out
claims() {
	local now
	now=$(date +%s)
	declare -A c=([iss]='"https://accounts.google.com"' [aud]='"https://hook.example/push"'
		[email]='"push@acme.iam.example"' [email_verified]=true [sub]='"113"'
		[iat]=$now [exp]=$((now + 3600)))
	while [ $# -gt 0 ]; do
		c[$1]=$2
		shift 2
	done
	local name between='{'
	for name in "${!c[@]}"; do
		[ "${c[$name]}" != - ] || continue
		printf '%s"%s":%s' "$between" "$name" "${c[$name]}"
		between=,
	done
	printf '}'
}

KID1='{"alg":"RS256","typ":"JWT","kid":"k1"}'
SENT=0

# envelope ID: a push as it is delivered
envelope() {
	printf '{"message":{"data":"e30=","messageId":"%s","attributes":{}},"subscription":"projects/p/subscriptions/s"}' "$1"
}

# push_token TOKEN [PATH]: the status of a delivery with it
push_token() {
	SENT=$((SENT + 1))
	envelope "m$SENT-$RANDOM" >"$T/b/push"
	curl -s -o /dev/null -w '%{http_code}' --max-time 20 \
	    -H 'Content-Type: application/json' -H "Authorization: Bearer $1" \
	    --data-binary "@$T/b/push" "http://127.0.0.1:$PORT${2:-/push}" || :
}

serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"volatile": true,
	"health": "/health",
	"ca_file": "@T@/tls/ca.pem",
	"quarantine": "@T@/inbox/refused",
	"limits": { "deadline": "4s", "quarantine_requests": 40 },
	"providers": "@T@/own",
	"hooks": {
		"/push": { "provider": "pubsub", "audience": "https://hook.example/push",
			"email": "push@acme.iam.example" },
		"/sns": { "provider": "amazon-sns", "topic_arn": "arn:aws:sns:eu-west-1:1:t" },
		"/paypal": { "provider": "paypal", "webhook_id": "1JE4291016473214C" },
		"/ebay": { "provider": "ebay", "client_id": "app", "fetch_secret": "env:EBAY_SECRET",
			"verify_token": "plain:0123456789-0123456789-0123456789", "url": "https://hook.example/ebay" },
		"/moved": { "provider": "acme-moved" },
		"/slow": { "provider": "acme-slow" },
		"/large": { "provider": "acme-large" },
		"/none": { "provider": "acme-none" },
		"/asana": { "provider": "asana", "secret": "captured:asana" },
		"/notion": { "provider": "notion", "secret": "captured:notion" },
		"/acme": { "provider": "acme", "secret": "env:ACME_SECRET" },
		"/github": { "provider": "github", "secret": "plain:right" }
	}
}
END

# A provider of one's own is one file in that directory, and no build.
mkdir "$T/own"
cat >"$T/own/acme.json" <<'END'
{
	"name": "Acme",
	"docs": "https://acme.example/webhooks",
	"setup": "Settings > Webhooks.",
	"bodies": ["json"],
	"signature": { "header": "X-Acme", "form": "v1:{time}:{sig:base64}",
		"algorithm": "hmac-sha512", "signs": "{time}|{body}" },
	"time": { "unit": "s", "window": 300 },
	"event": { "id": "body:id", "proven": true },
	"weak": [],
	"examples": [
		{ "says": "made", "source": "made", "secret": "acme-secret", "clock": 1700000000,
		  "headers": { "X-Acme": "v1:1700000000:@SIG@" },
		  "body": "{\"id\":\"e1\"}", "expect": "genuine", "id": "e1" },
		{ "says": "another body", "source": "made", "secret": "acme-secret", "clock": 1700000000,
		  "headers": { "X-Acme": "v1:1700000000:@SIG@" },
		  "body": "{\"id\":\"e2\"}", "expect": "forged" },
		{ "says": "nothing", "source": "made", "secret": "acme-secret", "clock": 1700000000,
		  "body": "{\"id\":\"e2\"}", "expect": "absent" }
	]
}
END
sig=$(printf '1700000000|{"id":"e1"}' | openssl dgst -sha512 -hmac acme-secret -binary | base64 -w 0)
sed -i "s#@SIG@#$sig#" "$T/own/acme.json"
for name in moved slow large none; do
	host=keys.acme.example
	[ "$name" != slow ] || host=slow.acme.example
	cat >"$T/own/acme-$name.json" <<-END
		{ "name": "Acme $name", "docs": "https://acme.example/", "setup": "-",
		  "bodies": ["any"], "weak": ["the body is not signed"],
		  "signature": { "header": "Authorization", "form": "Bearer {sig}",
			"algorithm": "jws-rs256", "keys": { "url": "https://$host/$name" } } }
	END
done
{
	printf '{"keys":['
	jwk k1 one
	printf ',{"kty":"oct","k":"%*s"}]}' 70000 ' '
} >"$T/www/keys.acme.example/large"
{
	printf '{"keys":['
	jwk k1 one
	printf ']}'
} >"$T/www/slow.acme.example/slow"

publish "$(jwk k1 one)"
export EBAY_SECRET=app-secret ACME_SECRET=acme-secret
check "a provider's file of one's own is tried without a build" quietly own \
    "$T/bin/hooklatch" providers --test "$T/own/acme.json"
sed 's/{time}|{body}/{body}|{time}/' "$T/own/acme.json" >"$T/acme-wrong.json"
check "and one that is wrong is not taken" eval \
    '! quietly own "$T/bin/hooklatch" providers --test "$T/acme-wrong.json"'
check "check takes the configuration" quietly check \
    "$T/bin/hooklatch" check --config "$T/hooklatch.json"
check "serve starts" serve_start
[ "$FAILED" -eq 0 ] || { why serve check own; finish keys; }

# --- a set of keys -----------------------------------------------------------------------

good=$(jws "$KID1" "$(claims)" one)
for i in $(seq 24); do
	envelope "cold$i" >"$T/b/cold$i"
	curl -s -o /dev/null -w '%{http_code}\n' --max-time 20 \
	    -H 'Content-Type: application/json' -H "Authorization: Bearer $good" \
	    --data-binary "@$T/b/cold$i" "http://127.0.0.1:$PORT/push" >"$T/b/status$i" &
	pids[i]=$!
done
for i in $(seq 24); do
	wait "${pids[i]}" || :
done
is "24 deliveries while no key is there: all are 200" 24 \
    "$(cat "$T"/b/status* | grep -c '^200$')"
between "and the keys were asked for once by all workers" 1 1 \
    "$(asked "$GOOGLE GET /oauth2/v3/certs")"
is "an event of each is in the inbox" 24 \
    "$("$T/bin/hooklatch" events list --config "$T/hooklatch.json" --hook /push --json -n 0 | wc -l)"

# attack NAME TOKEN [PATH]
attack() {
	is "$1 is refused" 401 "$(push_token "$2" "${3:-/push}")"
}
now=$(date +%s)
pub=$(cat "$T/tls/one.pub")
hs() {	# HS256 with the public key's text as the secret
	local signed key
	signed=$(printf '%s' "$1" | base64url).$(claims | base64url)
	key=$(printf '%s' "$2" | od -An -tx1 | tr -d ' \n')
	# an empty one is as good as a block of zeros
	printf '%s.%s' "$signed" "$(printf '%s' "$signed" | openssl dgst -sha256 \
	    -mac HMAC -macopt "hexkey:${key:-00}" -binary | base64url)"
}
none='{"alg":"none","kid":"k1"}'
attack "alg none" "$(printf '%s' "$none" | base64url).$(claims | base64url)."
attack "alg none with a signature" "$(jws "$none" "$(claims)" one)"
attack "alg None" "$(printf '%s' '{"alg":"None"}' | base64url).$(claims | base64url)."
attack "HS256 with the public key (PEM)" "$(hs '{"alg":"HS256","kid":"k1"}' "$pub")"
attack "HS256 with the public key (PEM, its end)" "$(hs '{"alg":"HS256","kid":"k1"}' "$pub
")"
attack "HS256 with the JWK" "$(hs '{"alg":"HS256","kid":"k1"}' "$(jwk k1 one)")"
attack "HS256 with an empty secret" "$(hs '{"alg":"HS256","kid":"k1"}' '')"
attack "RS256 said, RS512 signed" "$(jws "$KID1" "$(claims)" one -sha512)"
attack "RS512" "$(jws '{"alg":"RS512","kid":"k1"}' "$(claims)" one -sha512)"
attack "ES256 with zero r and s" "$(printf '%s' '{"alg":"ES256","kid":"k1"}' |
    base64url).$(claims | base64url).$(head -c 64 /dev/zero | base64url)"
attack "no kid, another key" "$(jws '{"alg":"RS256"}' "$(claims)" two)"
attack "the kid of ours, another key" "$(jws "$KID1" "$(claims)" two)"
for kid in '../../../../dev/null' '/dev/null' "' OR 1=1 --" 'https://evil.example/k' '' '*' 'k1\u0000x' 'K1'; do
	attack "the kid $kid" "$(jws '{"alg":"RS256","kid":"'"$kid"'"}' "$(claims)" two)"
done
attack "a kid of 100 KB" "$(jws '{"alg":"RS256","kid":"'"$(printf '%5000s' x | tr ' ' x)"'"}' "$(claims)" two)"
attack "a kid that is no text" "$(jws '{"alg":"RS256","kid":{"a":1}}' "$(claims)" two)"
attack "jku" "$(jws '{"alg":"RS256","kid":"k9","jku":"https://evil.example/keys"}' "$(claims)" two)"
attack "jku of a host that counts" "$(jws '{"alg":"RS256","kid":"k9","jku":"https://'$GOOGLE'@evil.example/"}' "$(claims)" two)"
attack "x5u" "$(jws '{"alg":"RS256","x5u":"https://evil.example/cert"}' "$(claims)" two)"
attack "jwk" "$(jws '{"alg":"RS256","jwk":'"$(jwk k1 two)"'}' "$(claims)" two)"
attack "x5c" "$(jws '{"alg":"RS256","x5c":["'"$(openssl x509 -in "$T/tls/sns.pem" -outform DER | base64 -w 0)"'"]}' "$(claims)" two)"
attack "crit" "$(jws '{"alg":"RS256","kid":"k1","crit":["exp"]}' "$(claims)" one)"
attack "crit of b64" "$(jws '{"alg":"RS256","kid":"k1","crit":["b64"],"b64":false}' "$(claims)" one)"
attack "two algs" "$(jws '{"alg":"none","alg":"RS256","kid":"k1"}' "$(claims)" two)"
attack "an expired one" "$(jws "$KID1" "$(claims exp $((now - 4000)))" one)"
attack "one of the future" "$(jws "$KID1" "$(claims iat $((now + 4000)) exp $((now + 8000)))" one)"
attack "one that does not hold yet" "$(jws "$KID1" "$(claims nbf $((now + 4000)))" one)"
attack "no exp" "$(jws "$KID1" "$(claims exp -)" one)"
attack "exp as a text" "$(jws "$KID1" "$(claims exp '"9999999999"')" one)"
attack "exp of 1e300" "$(jws "$KID1" "$(claims exp 1e300)" one)"
attack "exp below zero" "$(jws "$KID1" "$(claims exp -1)" one)"
attack "another aud" "$(jws "$KID1" "$(claims aud '"https://other.example"')" one)"
attack "no aud" "$(jws "$KID1" "$(claims aud -)" one)"
attack "aud as a list without ours" "$(jws "$KID1" "$(claims aud '["a","b"]')" one)"
attack "another iss" "$(jws "$KID1" "$(claims iss '"https://evil.example"')" one)"
attack "no iss" "$(jws "$KID1" "$(claims iss -)" one)"
attack "another account" "$(jws "$KID1" "$(claims email '"x@evil.iam.example"')" one)"
attack "an address that is not verified" "$(jws "$KID1" "$(claims email_verified false)" one)"
attack "claims changed after signing" "${good%%.*}.$(claims aud '"x"' | base64url).${good##*.}"
attack "a signature of zeros" "${good%.*}.$(head -c 256 /dev/zero | base64url)"
attack "an empty signature" "${good%.*}."
attack "two parts" "${good%.*}"
attack "four parts" "$good.x"
attack "padded" "$good=="
attack "in plain base64" "$(printf '%s' "$good" | tr '_-' '/+')"
attack "the signature Cloud Run leaves" "${good%.*}.SIGNATURE_REMOVED_BY_GOOGLE"
is "and the genuine one still holds" 200 "$(push_token "$good")"
is "none of the attacks made a connection elsewhere" 0 "$(trapped)"
between "nor many to where the keys are" 1 12 "$(asked "$GOOGLE GET")"

# Kids that nobody knows: at most one look in 30 of our seconds, whoever sends how many.
before=$(asked "$GOOGLE GET") began=$(now_ms)
for i in $(seq 60); do
	push_token "$(jws '{"alg":"RS256","kid":"unknown'"$i"'"}' "$(claims)" two)" >>"$T/b/unknown"
done
most=$((($(now_ms) - began) / 600 + 3))
between "60 unknown kids are looked for at most every 30 seconds" 1 "$most" \
    $(($(asked "$GOOGLE GET") - before))
is "and all are refused" "$(printf '401%.0s' $(seq 60))" "$(cat "$T/b/unknown")"

# Rotation: a new key is known once its set is looked at again, the old one goes.
publish "$(jwk k1 one),$(jwk k2 two)"
two=$(jws '{"alg":"RS256","kid":"k2"}' "$(claims)" two)
holds() {
	[ "$(push_token "$1")" = 200 ]
}
refused_token() {
	[ "$(push_token "$1")" = 401 ]
}
check "a key that is new in the set is found" within 5 holds "$two"
is "the old one holds beside it" 200 "$(push_token "$good")"
publish "$(jwk k2 two)"
check "a key that is gone from the set is refused in the end" within 10 refused_token "$good"
is "and the new one holds" 200 "$(push_token "$two")"

# Outage: what is known goes on; what is not known waits, and is 503.
check "the hosts stop" stop hosts QUIT
sleep 2				# longer than the keys hold
is "an outage: known keys go on" 200 "$(push_token "$two")"
check "serve stops" serve_stop
check "serve starts without the hosts" serve_start
is "an outage, nothing known: 503" 503 "$(push_token "$two")"
is "with Retry-After" 1 "$(curl -s -o /dev/null -D - -H 'Content-Type: application/json' \
    -H "Authorization: Bearer $two" --data-binary "@$T/b/push" \
    "http://127.0.0.1:$PORT/push" | grep -ci '^retry-after:')"
check "the hosts are back" hosts_start
check "and so are we" within 10 holds "$two"

# What a host may not do to us.
is "a redirect is not followed" 503 "$(push_token "$two" /moved)"
is "... anywhere" 0 "$(trapped)"
began=$(now_ms)
is "a host that is too slow: 503" 503 "$(push_token "$two" /slow)"
is "others are answered meanwhile" 200 "$(push_token "$two")"
like "a set that is too large is not taken" '[45]0[13]' "$(push_token "$good" /large)"
is "keys that are not there: refused" 401 "$(push_token "$two" /none)"

# --- certificates by a URL of the request's ------------------------------------------------

mkdir -p "$T/www/$SNS"
cp "$T/tls/sns.pem" "$T/www/$SNS/SimpleNotificationService-0123.pem"
cp "$T/tls/sns.pem" "$T/www/$SNS/other.pem"

# sns CERT-URL [VERSION [MESSAGE [KEY]]]: a notification, signed
sns() {
	local version=${2:-2} message=${3:-hello} key=${4:-one} at digest=-sha256
	[ "$version" = 2 ] || digest=-sha1
	SENT=$((SENT + 1))
	at=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)
	printf 'Message\n%s\nMessageId\nm-%s\nTimestamp\n%s\nTopicArn\n%s\nType\n%s\n' \
	    "$message" "$SENT" "$at" arn:aws:sns:eu-west-1:1:t Notification |
	    openssl dgst "$digest" -sign "$T/tls/$key.pem" | base64 -w 0 >"$T/b/signature"
	printf '{"Type":"Notification","MessageId":"m-%s","TopicArn":"arn:aws:sns:eu-west-1:1:t","Message":"%s","Timestamp":"%s","SignatureVersion":"%s","Signature":"%s","SigningCertURL":"%s","SubscribeURL_":"https://evil.example/confirm"}' \
	    "$SENT" "$message" "$at" "$version" "$(cat "$T/b/signature")" "$1" >"$T/b/sns"
	curl -s -o /dev/null -w '%{http_code}' --max-time 20 -H 'Content-Type: text/plain' \
	    --data-binary "@$T/b/sns" "http://127.0.0.1:$PORT/sns" || :
}
cert=https://$SNS/SimpleNotificationService-0123.pem
is "SNS, version 2" 200 "$(sns "$cert")"
is "SNS, version 1" 200 "$(sns "$cert" 1)"
is "signed with another key" 401 "$(sns "$cert" 2 hello two)"
is "its certificate was fetched once" 1 "$(asked "$SNS GET /SimpleNotificationService-0123.pem")"
elsewhere=(
	"https://evil.example/SimpleNotificationService-0123.pem"
	"https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0123.pem"
	"https://evil-amazonaws.com/SimpleNotificationService-0123.pem"
	"https://s3.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem"
	"https://sns.s3.amazonaws.com/SimpleNotificationService-0123.pem"
	"https://sns.s3-eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem"
	"https://sns.a.b.amazonaws.com/SimpleNotificationService-0123.pem"
	"https://$SNS@evil.example/SimpleNotificationService-0123.pem"
	"https://$SNS:x@evil.example/SimpleNotificationService-0123.pem"
	"https://evil.example#$SNS/SimpleNotificationService-0123.pem"
	"https://evil.example?$SNS/SimpleNotificationService-0123.pem"
	"https://evil.example\\\\$SNS/SimpleNotificationService-0123.pem"
	"https://$SNS:8443/SimpleNotificationService-0123.pem"
	"http://$SNS/SimpleNotificationService-0123.pem"
	"https://$SNS/other.pem"
	"https://$SNS/x/SimpleNotificationService-0123.pem"
	"https://$SNS/../SimpleNotificationService-0123.pem"
	"https://$SNS/SimpleNotificationService-/../other.pem"
	"https://$SNS/SimpleNotificationService-0123.pem?x=y"
	"https://127.0.0.2/SimpleNotificationService-0123.pem"
	"https://[::1]/SimpleNotificationService-0123.pem"
	"file:///etc/passwd"
	"//$SNS/SimpleNotificationService-0123.pem"
	""
)
for url in "${elsewhere[@]}"; do
	is "a certificate at $url is refused" 401 "$(sns "$url")"
done
is "none of them made a connection" 0 "$(trapped)"
is "nor an odd question" "" "$(grep "$SNS" "$T/log/asked" |
    grep -v 'GET /SimpleNotificationService-0123.pem HTTP/1.1$' || :)"

# paypal CERT-URL: refused in any case, for its roots are PayPal's own
paypal() {
	printf '{"id":"WH-1","event_type":"X"}' >"$T/b/paypal"
	curl -s -o /dev/null -w '%{http_code}' --max-time 20 -H 'Content-Type: application/json' \
	    -H 'paypal-transmission-id: t1' -H "paypal-transmission-time: $(date -u +%Y-%m-%dT%H:%M:%SZ)" \
	    -H 'paypal-auth-algo: SHA256withRSA' -H "paypal-cert-url: $1" \
	    -H "paypal-transmission-sig: $(head -c 256 /dev/urandom | base64 -w 0)" \
	    --data-binary "@$T/b/paypal" "http://127.0.0.1:$PORT/paypal" || :
}
mkdir -p "$T/www/$PAYPAL/v1/notifications/certs"
cp "$T/tls/sns.pem" "$T/www/$PAYPAL/v1/notifications/certs/CERT-360caa42-fca2a594-1"
is "PayPal: a certificate that leads to none of its roots" 401 \
    "$(paypal "https://$PAYPAL/v1/notifications/certs/CERT-360caa42-fca2a594-1")"
is "... was fetched, for the host is right" 1 "$(asked "$PAYPAL GET")"
for url in "https://evil.example/v1/notifications/certs/CERT-1" \
    "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1" \
    "https://evilpaypal.com/v1/notifications/certs/CERT-1" \
    "https://$PAYPAL@evil.example/v1/notifications/certs/CERT-1" \
    "https://$PAYPAL:8443/v1/notifications/certs/CERT-1" \
    "http://$PAYPAL/v1/notifications/certs/CERT-1" \
    "https://$PAYPAL/../x"; do
	is "PayPal: a certificate at $url is refused" 401 "$(paypal "$url")"
done
is "PayPal: none of them made a connection" 0 "$(trapped)"

# Names of certificates that do not exist: at most 30 a minute are looked for.
for i in $(seq 45); do
	sns "https://$SNS/SimpleNotificationService-no$i.pem" >>"$T/b/names"
done
is "45 certificates that are not there: all refused" "$(printf '401%.0s' $(seq 45))" \
    "$(sed 's/503/401/g' "$T/b/names")"
between "of a provider's keys at most 30 a minute are looked for" 10 31 \
    "$(asked 'SimpleNotificationService-no')"

# --- with credentials -------------------------------------------------------------------------

mkdir -p "$T/www/$EBAY/identity/v1/oauth2" "$T/www/$EBAY/commerce/notification/v1/public_key"
printf '{"access_token":"the-grant","expires_in":7200,"token_type":"Application Access Token"}' \
    >"$T/www/$EBAY/oauth"
printf '{"key":"%s","algorithm":"ECDSA","digest":"SHA1"}' \
    "-----BEGIN PUBLIC KEY-----$(grep -v '^-' "$T/tls/ec.pub" | tr -d '\n')-----END PUBLIC KEY-----" \
    >"$T/www/$EBAY/commerce/notification/v1/public_key/key-1"
printf '{"metadata":{"topic":"MARKETPLACE_ACCOUNT_DELETION"},"notification":{"notificationId":"n-1"}}' \
    >"$T/b/ebay"
sig=$(openssl dgst -sha1 -sign "$T/tls/ec.pem" <"$T/b/ebay" | base64 -w 0)
header=$(printf '{"alg":"ecdsa","kid":"key-1","signature":"%s","digest":"SHA1"}' "$sig" | base64 -w 0)
is "a key that is had by OAuth" 204 "$(curl -s -o /dev/null -w '%{http_code}' --max-time 20 \
    -H 'Content-Type: application/json' -H "X-EBAY-SIGNATURE: $header" \
    --data-binary "@$T/b/ebay" "http://127.0.0.1:$PORT/ebay")"
is "the grant was asked for" 1 "$(asked "$EBAY POST /identity/v1/oauth2/token")"
is "and then the key" 1 "$(asked "$EBAY GET /commerce/notification/v1/public_key/key-1")"
bearer=0
for pid in $(descendants "${PID[serve]}"); do
	case $(tr '\0' ' ' <"/proc/$pid/cmdline") in
	*hooklatch.fcgi*)
		! tr '\0' '\n' <"/proc/$pid/environ" | grep -q app-secret || bearer=1
		;;
	esac
done
is "the handlers do not know what keys are fetched with" 0 "$bearer"

# --- secrets that a handshake brings ------------------------------------------------------------

capture() {
	"$T/bin/hooklatch" capture "$@" --config "$T/hooklatch.json"
}
# handshake SECRET [PATH]: the status and the header that comes back
handshake() {
	curl -s -o /dev/null -D "$T/b/head" -w '%{http_code}' --max-time 20 -X POST \
	    -H 'Content-Type: application/json' -H "X-Hook-Secret: $1" \
	    "http://127.0.0.1:$PORT/asana" || :
}
printf '{"events":[]}' >"$T/b/asana"
# asana SECRET: an event signed with it
asana() {
	curl -s -o /dev/null -w '%{http_code}' --max-time 20 -H 'Content-Type: application/json' \
	    -H "X-Hook-Signature: $(hmac_hex "$1" "$T/b/asana")" \
	    --data-binary "@$T/b/asana" "http://127.0.0.1:$PORT/asana" || :
}
is "no window is open: a secret is not taken" 403 "$(handshake 0123456789abcdef0123456789abcdef)"
is "and nothing signed with it holds" 401 "$(asana 0123456789abcdef0123456789abcdef)"
check "a window is opened" quietly capture capture open asana --for 60s
is "the first secret is taken" 200 "$(handshake 0123456789abcdef0123456789abcdef)"
is "and comes back" 1 "$(grep -ciF 'X-Hook-Secret: 0123456789abcdef0123456789abcdef' "$T/b/head")"
is "an event signed with it holds" 200 "$(asana 0123456789abcdef0123456789abcdef)"
is "a second one is not taken: the window is shut" 403 "$(handshake ffffffffffffffffffffffffffffffff)"
is "and does not hold" 401 "$(asana ffffffffffffffffffffffffffffffff)"
is "list says that it is there, not what it is" 1 \
    "$(capture list --json | grep '"name":"asana"' | grep -cv 0123456789abcdef)"
is "show does" 0123456789abcdef0123456789abcdef "$(capture show asana)"
is "no log has it" "" "$(grep -l 0123456789abcdef "$T/log/serve" || :)"
is "its file is the courier's alone" "600" "$(stat -c %a "$T"/inbox/inbox.db.secrets/asana)"
is "and its folder" "700" "$(stat -c %a "$T"/inbox/inbox.db.secrets)"
check "serve stops" serve_stop
is "show works without the service" 0123456789abcdef0123456789abcdef "$(capture show asana)"
check "a window needs it" eval '! quietly capture capture open asana'
check "serve starts" serve_start
is "after a restart it still holds" 200 "$(asana 0123456789abcdef0123456789abcdef)"
check "forgotten" quietly capture capture forget asana
check "it holds no longer" within 5 eval '[ "$(asana 0123456789abcdef0123456789abcdef)" = 401 ]'

# With --wait the tool says when it has come.
capture open notion --for 30s --wait >"$T/b/waits" 2>&1 &
waits=$!
check "a window is open" within 5 grep -q '^open' "$T/b/waits"
is "a token in the body is taken" 200 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' \
    --data-binary '{"verification_token":"secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}' \
    "http://127.0.0.1:$PORT/notion")"
check "and the tool that waits says so" wait "$waits"
printf '{"id":"n1","type":"page.created"}' >"$T/b/notion"
is "an event signed with it holds" 200 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' \
    -H "X-Notion-Signature: sha256=$(hmac_hex secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl "$T/b/notion")" \
    --data-binary "@$T/b/notion" "http://127.0.0.1:$PORT/notion")"

# --- a provider of one's own, and what was refused ----------------------------------------------

is "a provider of one's own is served" 200 "$("$T/bin/hooklatch" send \
    --config "$T/hooklatch.json" --hook /acme --url "http://127.0.0.1:$PORT/acme" | head -n 1)"
printf '{"a": 1}' >"$T/b/refused"
is "a forged push is refused" 401 "$(push q1 "$T/b/refused" /github wrong)"
sleep 0.3
qid=$(grep '"hook":"/github"' "$T/log/serve" | tail -n 1 | member quarantined)
check "it is set aside, and the log says as what" test -s "$T/inbox/refused/$qid.json"
is "only the courier reads it" "600" "$(stat -c %a "$T/inbox/refused/$qid.json")"
WRONG=wrong "$T/bin/hooklatch" explain --config "$T/hooklatch.json" --secret env:WRONG \
    --json "$qid" >"$T/b/explained" || :
like "explain finds that it was another secret" '*"cause":"secret"*env:WRONG*' "$(cat "$T/b/explained")"
printf '{"a":1}' >"$T/b/compact"
curl -s -o /dev/null -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' -H 'X-GitHub-Delivery: q2' \
    -H "X-Hub-Signature-256: sha256=$(hmac_hex right "$T/b/compact")" --data-binary "@$T/b/refused" \
    "http://127.0.0.1:$PORT/github"
sleep 0.3
qid=$(grep '"hook":"/github"' "$T/log/serve" | tail -n 1 | member quarantined)
like "or that the body was written anew on its way" '*"cause":"body"*' \
    "$("$T/bin/hooklatch" explain --config "$T/hooklatch.json" --json "$qid" || :)"
for i in $(seq 80); do
	push "flood$i" "$T/b/refused" /github wrong >/dev/null
done
between "a flood does not fill the disk: as many are kept as the limit says" 10 40 \
    "$(find "$T/inbox/refused" -name '*.json' | wc -l)"
is "none of it is in the inbox" 0 "$("$T/bin/hooklatch" events list --config "$T/hooklatch.json" \
    --hook /github --json -n 0 | wc -l)"
check "serve stops" serve_stop

# --- each guard bites: without it the same request makes the connection ----------------------------

# The host rule is the file's: in another file the trap is where keys are.
"$T/bin/hooklatch" providers amazon-sns >/dev/null
sed -e 's/"sns\.eu-\*\.amazonaws\.com"/"evil.example"/' providers/amazon-sns.json >"$T/own/amazon-sns.json"
check "serve starts with another rule of hosts" serve_start
: >"$T/trapped"
sns "https://evil.example/SimpleNotificationService-0123.pem" >"$T/b/bite"
check "where the rule lets it, that host is asked: the trap bites" test "$(trapped)" -ge 1
rm "$T/own/amazon-sns.json"
check "serve stops" serve_stop

# --- without an inbox, and on Cloud Run ---------------------------------------------------------

cat >"$T/hooklatch.json" <<-END
	{
		"inbox": "none",
		"courier": "unix:$T/run/courier.sock",
		"health": "/health",
		"ca_file": "$T/tls/ca.pem",
		"hooks": { "/push": { "provider": "pubsub", "audience": "https://hook.example/push",
			"email": "push@acme.iam.example" } }
	}
END
check "serve starts without an inbox" serve_start
is "keys are fetched all the same" 200 "$(push_token "$two")"
is "and an attack is refused" 401 "$(push_token "$(jws '{"alg":"RS256","kid":"k2"}' "$(claims aud '"x"')" two)")"
check "serve stops" serve_stop
sed -i 's#"email"#"token": "platform", &#' "$T/hooklatch.json"
check "\"platform\" is refused where no platform is" eval \
    '! quietly check "$T/bin/hooklatch" check --config "$T/hooklatch.json"'
export K_SERVICE=hook K_REVISION=hook-1 K_CONFIGURATION=hook
check "on Cloud Run it is taken" quietly check "$T/bin/hooklatch" check --config "$T/hooklatch.json"
check "serve starts as on Cloud Run" serve_start
before=$(asked "$GOOGLE GET")
is "a token that the platform has checked holds" 200 \
    "$(push_token "${two%.*}.SIGNATURE_REMOVED_BY_GOOGLE")"
is "for another service account it does not" 401 "$(push_token \
    "$(jws '{"alg":"RS256","kid":"k2"}' "$(claims email '"x@evil.example"')" two | sed 's/\.[^.]*$/.SIGNATURE_REMOVED_BY_GOOGLE/')")"
is "nor one that still has its signature" 401 "$(push_token "$two")"
is "no key was fetched for it" "$before" "$(asked "$GOOGLE GET")"
check "serve stops" serve_stop
unset K_SERVICE K_REVISION K_CONFIGURATION

is "in all of it nobody else was asked" "" "$(grep -v ':443$' "$T/trapped" || :)"
[ "$FAILED" -eq 0 ] || why serve hosts check capture
finish keys
