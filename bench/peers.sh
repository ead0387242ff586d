# shellcheck shell=bash
# bench/peers.sh - who is compared by script/bench: a row for each, what it lacks on
# this machine, how it is started, and how many events it says to have kept.
#
# Each is set up as its users would at their best, with a process or worker for each
# of WORKERS where it can have several, and listens on 127.0.0.1:$PORT for POST
# /hooks/github.  Sourced by script/bench, which gives: $R, a folder for this one
# start; $BODY_BYTES, the longest body that will come; tests/lib.sh.

# name     kind      checks    largest  what it is
# kind: null, verify, durable (what it acknowledged can be counted), memory (it cannot);
# trap: what tests/bench.sh must see caught.  checks: what it refuses, which is tried.
# shellcheck disable=SC2034 # for script/bench
PEERS='
nginx      null      -         1m       nginx alone: return 204
nullfcgi   null      -         25m      a plain libfcgi loop over epoll, nothing looked at
ceiling    null      -         25m      hooklatch, framing and a log line, nothing judged
verify     verify    sig,json  25m      hooklatch, "inbox": "none"
stdout     stdout    sig,json  25m      hooklatch, "inbox": "stdout:"
pass       verify    sig,json  25m      hooklatch, "pass" to an application: nginx, return 204
classic    verify    sig,json  25m      a pool of blocking libfcgi processes, OpenSSL, json-c
njs        verify    sig,json  25m      njs in nginx
php        verify    sig,json  25m      PHP-FPM behind nginx
node       verify    sig,json  25m      Node http, cluster, no web server in front
webhook    verify    sig       25m      adnanh/webhook, runs /bin/true
flask      verify    sig,json  25m      Flask on gunicorn
functions  verify    sig,json  25m      functions-framework of Google, on Node
durable    durable   sig,json  25m      hooklatch, committed before the 200
onecommit  durable   sig,json  25m      hooklatch, one commit for each event
flaskdb    durable   sig,json  25m      Flask on gunicorn, SQLite, one commit for each event
xadd       xadd      -         100k     Redis alone, XADD, appendfsync always: no HTTP, no signature
redis      durable   sig,json  1m       hooklatch, Redis as the inbox, appendfsync always
redisone   durable   sig,json  1m       hooklatch, Redis as the inbox, one publish for each event
nats       durable   sig,json  100k     hooklatch, NATS JetStream as the inbox, which it does not sync
natsone    durable   sig,json  100k     hooklatch, NATS JetStream as the inbox, one publish for each event
kafka      memory    sig,json  100k     hooklatch, Kafka (a mock, in memory) as the inbox
kafkaone   memory    sig,json  100k     hooklatch, Kafka (a mock, in memory), one publish for each event
pubsub     memory    sig,json  1m       hooklatch, Pub/Sub (an emulator, in memory) as the inbox
pubsubone  memory    sig,json  1m       hooklatch, Pub/Sub (an emulator, in memory), one publish for each event
pubsubnode memory    sig,json  1m       Node and the client of Google, Pub/Sub (an emulator), a publish for each request
pubsubwait memory    sig,json  1m       the same, its client gathering for up to 10 ms
trusting   trap      sig       25m      checks nothing and is said to
forgetful  trapcount sig,json  25m      keeps nothing and is said to
'

# Why the longest bodies of some are shorter.
why_not() { # why_not NAME
	case $1 in
	nginx) echo "it answers before so long a body is there, and wrk sends no second one" ;;
	xadd) echo "redis-benchmark takes the value as an argument, 128 KiB" ;;
	redis*) echo "a longer body is not put into a stream" ;;
	nats*) echo "max_payload of nats-server is 1 MiB" ;;
	pubsub*) echo "a message of the emulator is not as long" ;;
	kafka*) echo "message.max.bytes of Kafka is 1 MB" ;;
	esac
}

# lacks NAME: what is missing for it, or nothing
lacks() {
	local need
	for need in nginx curl openssl; do
		command -v "$need" >/dev/null || echo "$need"
	done
	case $1 in
	njs) [ -e /usr/lib/nginx/modules/ngx_http_js_module.so ] || echo libnginx-mod-http-js ;;
	php) [ -n "$(php_fpm)" ] || echo php-fpm ;;
	node) command -v node >/dev/null || echo nodejs ;;
	functions)
		command -v node >/dev/null || echo nodejs
		[ -d node_modules/@google-cloud/functions-framework ] ||
		    echo "functions-framework (npm ci)"
		;;
	webhook) command -v webhook >/dev/null || echo webhook ;;
	flask | flaskdb)
		command -v gunicorn >/dev/null || echo gunicorn
		/usr/bin/python3 -c 'import flask' 2>/dev/null || echo python3-flask
		;;&
	durable | onecommit | flaskdb) command -v sqlite3 >/dev/null || echo sqlite3 ;;
	xadd | redis | redisone)
		command -v redis-server >/dev/null || echo redis-server
		command -v redis-benchmark >/dev/null || echo redis-tools
		;;
	pubsubnode | pubsubwait)
		emulator_missing
		[ -d node_modules/@google-cloud/pubsub ] || echo "@google-cloud/pubsub (npm ci)"
		;;
	pubsub*) emulator_missing ;;
	nats | natsone) command -v nats-server >/dev/null || echo nats-server ;;
	esac
	case $1 in
	redis*) holds hiredis || echo "libhiredis-dev, when the courier is built" ;;
	nats*) holds nats || echo "libnats-dev, when the courier is built" ;;
	kafka*) holds rdkafka || echo "librdkafka-dev, when the courier is built" ;;
	esac
}

holds() {
	[[ $(ldd "$BUILD/hooklatch-courier" 2>/dev/null) == *"lib$1"* ]]
}

php_fpm() {
	local found
	for found in php-fpm /usr/sbin/php-fpm[0-9]*; do
		! command -v "$found" || return 0
	done
}

# version_of NAME: for the page
version_of() {
	case $1 in
	nginx) nginx -v 2>&1 | sed 's#.*/##' ;;
	njs) dpkg-query -W -f '${Version}' libnginx-mod-http-js ;;
	php) "$(php_fpm)" -v | awk 'NR == 1 { print $2 }' ;;
	node) node --version ;;
	functions) node -p 'require("./node_modules/@google-cloud/functions-framework/package.json").version' ;;
	webhook) webhook -version | awk '{ print $NF }' ;;
	flask) dpkg-query -W -f '${Version} ' python3-flask gunicorn | xargs ;;
	durable) sqlite3 --version | awk '{ print "SQLite", $1 }' ;;
	xadd) redis-server --version | sed -E 's/.* v=([^ ]+).*/\1/' ;;
	nats) nats-server --version | sed 's/.* //' ;;
	esac
}

# variants NAME: how it is loaded, besides by HTTP
variants() {
	echo -
	case $1 in
	durable | onecommit) echo busy alone ;;
	flaskdb | xadd) echo busy ;;
	redis | redisone | nats | natsone | kafka | kafkaone | pubsub | pubsubone) echo alone ;;
	esac
}

# warm_up NAME: seconds that are not counted; Java compiles what it has run often enough
warm_up() {
	case $1 in
	pubsub*) echo 30 ;;
	*) echo 1 ;;
	esac
}

# --- nginx ------------------------------------------------------------------------------

# nginx_start SERVER [HTTP [MAIN]]: text for the server block, the http block, the top.
# The files that ship are beside it, with the socket of this start in them.
nginx_start() {
	local user='' temp
	for temp in nginx/*.conf; do
		sed -e "s#/run/hooklatch/fcgi.sock#$R/fcgi.sock#" \
		    -e "s#http://127.0.0.1:3000#http://app#" "$temp" >"$R/${temp##*/}"
	done
	! as_root || user="user www-data;"
	{
		echo "worker_processes $WORKERS; daemon off; pid $R/nginx.pid; $user ${3:-}"
		echo "error_log $R/nginx.log; worker_rlimit_nofile 16384;"
		echo "events { worker_connections ${NGINX_CONNECTIONS:-4096}; }"
		echo "http { access_log off; keepalive_requests 1000000;"
		echo "client_max_body_size 27m; client_body_buffer_size 64k;"
		for temp in client_body proxy fastcgi uwsgi scgi; do
			echo "${temp}_temp_path $R/t_$temp;"
		done
		echo "${2:-}"
		echo "server { listen 127.0.0.1:$PORT backlog=4096; $1 } }"
	} >"$R/nginx.conf"
	start nginx nginx -e "$R/nginx.log" -c "$R/nginx.conf"
}

# Any FastCGI program, without kept connections.
nginx_fastcgi() {
	nginx_start "location / { fastcgi_pass unix:$R/fcgi.sock;
		fastcgi_param REQUEST_METHOD \$request_method;
		fastcgi_param CONTENT_TYPE \$content_type;
		fastcgi_param CONTENT_LENGTH \$content_length; ${1:-} }"
}

nginx_hooklatch() {
	nginx_start "include hooklatch.conf; ${1:-}" "include hooklatch-upstream.conf; ${2:-}"
}

# --- hooklatch --------------------------------------------------------------------------

# conf INBOX [KEYS [KEYS OF THE HOOK]]: worker_memory and inbox_bytes for the longest
# bodies, the rest as it comes
conf() {
	cat >"$R/hooklatch.json" <<-END
	{
		"inbox": "$1", ${2:-}
		"courier": "unix:$R/courier.sock",
		"log": "file:$R/hooklatch.log",
		"limits": { "worker_memory": "512m"$INBOX_BYTES },
		"hooks": { "/hooks/github": { "provider": "github", "secret": "env:BENCH_SECRET" ${3:-} }$(more_hooks) }
	}
	END
}
INBOX_BYTES=''

# MORE_HOOKS: how many others there are
more_hooks() {
	seq -f ', "/hooks/%.0f": { "provider": "github", "secret": "env:BENCH_SECRET" }' 1 "${MORE_HOOKS:-0}"
}

pool_start() { # pool_start PROGRAM
	start pool "$1" -c "$R/hooklatch.json" -l "unix:$R/fcgi.sock" -w "$WORKERS"
}

# kept_start INBOX COURIER [KEYS]
kept_start() {
	mkdir "$R/inbox"
	! as_root || chown hooklatch-courier "$R/inbox"
	conf "$1" "${3:-}"
	start courier "$T/bin/$2" -c "$R/hooklatch.json"
	within 20 test -S "$R/courier.sock" || return 1
	pool_start "$T/bin/hooklatch.fcgi"
	nginx_hooklatch
}

# --- engines ----------------------------------------------------------------------------

redis_start() {
	free_port
	ENGINE=$PORT
	start engine redis-server --port "$ENGINE" --bind 127.0.0.1 --dir "$R" --save '' \
	    --appendonly yes --appendfsync always
	within 10 redis-cli -p "$ENGINE" PING
}

# Its topic is projects/p/topics/hooks.
topic_start() {
	local server=$PORT
	free_port
	export PUBSUB_EMULATOR_HOST=127.0.0.1:$PORT
	start engine "$(emulator_program)" --host=127.0.0.1 --port="$PORT"
	PORT=$server
	within 40 curl -sf -X PUT -H 'Content-Type: application/json' -d '{}' \
	    "http://$PUBSUB_EMULATOR_HOST/v1/projects/p/topics/hooks"
}

# engine_start NAME COURIER: its server, then the courier that puts into it
engine_start() {
	local weak='"durability": "engine-default",' url server=$PORT
	case $1 in
	redis*)
		redis_start || return 1
		url=redis://127.0.0.1:$ENGINE/0/S weak=
		;;
	nats*)
		free_port
		ENGINE=nats://127.0.0.1:$PORT
		echo "listen: 127.0.0.1:$PORT, jetstream { store_dir: \"$R/nats\" }" >"$R/nats.conf"
		start engine nats-server -c "$R/nats.conf"
		within 10 "$T/bin/nats" "$ENGINE" S make S || return 1
		url=$ENGINE/S/S
		;;
	kafka*)
		start engine "$T/bin/kafka" serve "$R/kafka"
		within 10 test -s "$R/kafka" || return 1
		url=kafka://$(cat "$R/kafka")/events
		;;
	pubsub*)
		topic_start || return 1
		url=pubsub:projects/p/topics/hooks weak=
		;;
	esac
	PORT=$server
	kept_start "$url" "$2" "$weak"
}

# --- each -------------------------------------------------------------------------------

# peer_build NAME...: what must be compiled for them
peer_build() {
	local name targets=("$BUILD/hooklatch.fcgi" "$BUILD/hooklatch-courier")
	targets+=("$BUILD/tests/putter")
	for name; do
		case $name in
		nullfcgi | trusting) targets+=("$BUILD/bench/null_fcgi") ;;
		ceiling) targets+=("$BUILD/bench/ceiling") ;;
		classic) targets+=("$BUILD/bench/classic_fcgi") ;;
		onecommit | *one) targets+=("$BUILD/bench/one-commit") ;;
		esac
		case $name in
		nats*) targets+=("$BUILD/bench/nats") ;;
		kafka*) targets+=("$BUILD/bench/kafka") ;;
		esac
	done
	mkdir -p "$BUILD"
	mapfile -t targets < <(printf '%s\n' "${targets[@]}" | sort -u)
	flock "$BUILD/lock" make -s -j"$(nproc)" BUILD="$BUILD" "${targets[@]}" >&2
	cp "${targets[@]}" "$T/bin/"
}

# peer_start NAME
peer_start() {
	case $1 in
	nginx)
		nginx_start 'location / { return 204; }'
		;;
	nullfcgi | trusting)
		start fcgi "$T/bin/null_fcgi" "$R/fcgi.sock" "$WORKERS"
		nginx_hooklatch
		;;
	ceiling)
		conf none
		pool_start "$T/bin/ceiling"
		nginx_hooklatch
		;;
	verify | forgetful)
		conf none
		pool_start "$T/bin/hooklatch.fcgi"
		nginx_hooklatch
		;;
	stdout)
		conf stdout:
		mkfifo "$R/pipe"
		start reader sh -c 'exec wc -l <"$0" >"$1"' "$R/pipe" "$R/lines"
		start pool sh -c 'exec "$@" >"$0"' "$R/pipe" "$T/bin/hooklatch.fcgi" \
		    -c "$R/hooklatch.json" -l "unix:$R/fcgi.sock" -w "$WORKERS"
		nginx_hooklatch
		;;
	pass)
		conf none '' ', "pass": "@app"'
		pool_start "$T/bin/hooklatch.fcgi"
		nginx_hooklatch 'include hooklatch-pass.conf;' \
		    "upstream app { server unix:$R/app.sock; keepalive 64; }
		    server { listen unix:$R/app.sock; return 204; }"
		;;
	classic)
		start fcgi "$T/bin/classic_fcgi" "$R/fcgi.sock" $((2 * WORKERS))
		nginx_fastcgi
		;;
	njs)
		cp bench/peers/push.njs "$R/"
		# njs has a body only where nginx holds all of it in one buffer.
		nginx_start "location / { js_content push.push; client_body_in_single_buffer on;
			client_body_buffer_size $((BODY_BYTES > 65536 ? BODY_BYTES : 65536)); }" \
		    "js_path $R; js_import push from push.njs;" \
		    "load_module /usr/lib/nginx/modules/ngx_http_js_module.so; env BENCH_SECRET;"
		;;
	php)
		php_start
		;;
	node)
		start node node bench/peers/push_node.js "$PORT" "$WORKERS"
		;;
	webhook)
		start webhook webhook -template -hooks bench/peers/webhook.json \
		    -ip 127.0.0.1 -port "$PORT"
		;;
	flask)
		gunicorn_start push_flask
		;;
	flaskdb)
		gunicorn_start push_flask_sqlite
		;;
	functions)
		NODE_ENV=production start functions node --require ./bench/peers/functions/loopback.js \
		    node_modules/.bin/functions-framework --target=push \
		    --source=bench/peers/functions --port="$PORT"
		;;
	durable)
		INBOX_BYTES=', "inbox_bytes": "1t"' kept_start "sqlite:$R/inbox/inbox.db" hooklatch-courier
		;;
	onecommit)
		INBOX_BYTES=', "inbox_bytes": "1t"' kept_start "sqlite:$R/inbox/inbox.db" one-commit
		;;
	xadd)
		redis_start
		PORT=$ENGINE
		;;
	redisone | natsone | kafkaone | pubsubone)
		engine_start "$1" one-commit
		;;
	redis | nats | kafka | pubsub)
		engine_start "$1" hooklatch-courier
		;;
	pubsubnode | pubsubwait)
		topic_start || return 1
		start node node bench/peers/push_pubsub.js "$PORT" "$WORKERS" \
		    "$([ "$1" = pubsubnode ] && echo 1 || echo 100)"
		;;
	esac
}

# As gunicorn's own documentation has it: 2 workers for a processor, and one; threads,
# so that connections can be kept.
gunicorn_start() {
	BENCH_DATABASE=$R/events.db PYTHONDONTWRITEBYTECODE=1 start gunicorn gunicorn \
	    --chdir bench/peers --bind "127.0.0.1:$PORT" --backlog 4096 \
	    --workers $((2 * WORKERS + 1)) --threads 4 --worker-tmp-dir /dev/shm "$1:app"
}

php_start() {
	local user=''
	! as_root || user=$'user = www-data\ngroup = www-data\nlisten.mode = 0666'
	cp bench/peers/push.php "$R/"
	cat >"$R/php.conf" <<-END
	[global]
	error_log = $R/php.log
	daemonize = no
	[push]
	listen = $R/fcgi.sock
	listen.backlog = 4096
	$user
	pm = static
	pm.max_children = $((2 * WORKERS))
	clear_env = no
	php_admin_value[post_max_size] = 27M
	php_admin_value[memory_limit] = 1G
	php_admin_value[opcache.validate_timestamps] = 0
	END
	start php "$(php_fpm)" --nodaemonize --fpm-config "$R/php.conf"
	nginx_fastcgi "fastcgi_param SCRIPT_FILENAME $R/push.php;"
}

# peer_kept NAME: how many events it has, after peer_rest
peer_kept() {
	case $1 in
	durable | onecommit) sqlite3 "$R/inbox/inbox.db" 'SELECT count(*) FROM events' ;;
	flaskdb) sqlite3 "$R/events.db" 'SELECT count(*) FROM events' ;;
	stdout) cat "$R/lines" ;;
	xadd | redis | redisone) redis-cli -p "$ENGINE" XLEN S ;;
	nats | natsone) "$T/bin/nats" "$ENGINE" S count ;;
	forgetful) echo 0 ;;
	esac
}

# peer_rest: nothing comes any more, and what was under way is kept or is not; engines
# are asked while they run
peer_rest() {
	local name
	for name in nginx pool courier gunicorn reader; do
		stop "$name" TERM 10 || :
	done
}
