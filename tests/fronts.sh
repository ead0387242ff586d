# shellcheck shell=bash
# tests/fronts.sh - the web servers that hooklatch is tested behind, each with
# the files that ship (nginx/, apache/), only their paths and ports changed.
#
#	conf_write <<END ... END	the configuration, with @T@ filled in
#	courier_start, courier_stop
#	front_start FRONT		sets PORT (and TLS_PORT), or fails
#	front_stop
#
# FRONT is one of $FRONTS.  HTTP arrives at 127.0.0.1:$PORT, TLS with optional
# client certificates at $TLS_PORT.  Sourced after lib.sh.

# shellcheck disable=SC2034 # for those who source this
FRONTS="nginx nginx-nokeep apache-proxy_fcgi apache-fcgid apache-cgid spawn-fcgi"
FRONT=
WORKERS=${WORKERS:-2}
WEB_USER=www-data
PORT=0 TLS_PORT=0 APP_PORT=0

# Under whom the handlers run: Apache starts them itself as its own user.
handler_user() {
	case $FRONT in
	apache-fcgid | apache-cgid) echo "$WEB_USER" ;;
	*) echo hooklatch ;;
	esac
}

# dir PATH [USER]: a folder that USER may write to, when there are users
dir() {
	mkdir -p "$1"
	if as_root && [ -n "${2:-}" ]; then
		chown "$2:$2" "$1"
	fi
}

conf_write() {
	sed -e "s#@T@#$T#g" -e "s#@USER@#$(handler_user)#g" >"$T/hooklatch.json"
}

courier_answers() {
	[ -S "$T/courier/courier.sock" ] &&
	    "$T/bin/hooklatch" events list --config "$T/hooklatch.json" \
		--json --limit 1
}

courier_start() {
	dir "$T/courier" hooklatch-courier
	start courier "$T/bin/hooklatch-courier" -c "$T/hooklatch.json"
	within 20 test -S "$T/courier/courier.sock"
}

courier_stop() {
	stop courier "$@"
}

# --- certificates -------------------------------------------------------------

# A CA, a server and a client, for one day.
certificates() {
	[ ! -e "$T/tls/ca.pem" ] || return 0
	mkdir -p "$T/tls"
	local name
	(
		cd "$T/tls" || exit
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
		    -nodes -days 1 -subj /CN=test-ca -keyout ca.key -out ca.pem
		for name in server client; do
			openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
			    -nodes -subj "/CN=$name" -keyout "$name.key" -out "$name.csr"
			openssl x509 -req -days 1 -in "$name.csr" -CA ca.pem \
			    -CAkey ca.key -CAcreateserial -out "$name.pem"
		done
	) 2>"$T/log/openssl"
}

# --- the pool -------------------------------------------------------------------

# The master with all of its workers, each with the files that it needs.
pool_is_whole() {
	local pid n=0
	for pid in $(descendants "${PID[handler]}"); do
		[ -n "$(find "/proc/$pid/fd" -lname '*eventpoll*' 2>/dev/null)" ] || return 1
		n=$((n + 1))
	done
	[ "$n" -eq $((WORKERS + 1)) ]	# the last one is for long bodies
}

pool_start() {
	dir "$T/run"
	rm -f "$T/run/fcgi.sock"
	start handler "$T/bin/hooklatch.fcgi" -c "$T/hooklatch.json" \
	    -l "unix:$T/run/fcgi.sock" -w "$WORKERS"
	within 20 test -S "$T/run/fcgi.sock" && within 20 pool_is_whole
}

# One process with the socket on its fd 0, as spawn-fcgi starts it.
spawn_start() {
	local users=()
	dir "$T/run"
	rm -f "$T/run/fcgi.sock"
	as_root && users=(-u hooklatch -g hooklatch -U "$WEB_USER" -G "$WEB_USER")
	start handler spawn-fcgi -n -s "$T/run/fcgi.sock" -M 0660 -b 1024 \
	    "${users[@]}" -- "$T/bin/hooklatch.fcgi" -c "$T/hooklatch.json"
	within 20 test -S "$T/run/fcgi.sock"
}

# --- nginx ----------------------------------------------------------------------

nginx_start() {
	local user='' file
	mkdir -p "$T/nginx"
	for file in nginx/*.conf; do
		sed -e "s#/run/hooklatch/fcgi.sock#$T/run/fcgi.sock#" \
		    -e "s#/run/hooklatch/nginx.pid#$T/nginx/nginx.pid#" \
		    -e "s#127.0.0.1:8080#127.0.0.1:$PORT#" \
		    -e "s#127.0.0.1:3000#127.0.0.1:$APP_PORT#" \
		    -e "s#include hooklatch-upstream.conf;#&\n\tinclude tests.conf;#" \
		    "$file" >"$T/$file"
	done
	if [ "$FRONT" = nginx-nokeep ]; then
		sed -i -e '/^fastcgi_keep_conn/d' "$T/nginx/hooklatch-params.conf"
		sed -i -e '/^\tkeepalive/d' "$T/nginx/hooklatch-upstream.conf"
	fi
	cat >"$T/nginx/tests.conf" <<-END
		client_body_temp_path $T/nginx/body;
		fastcgi_temp_path $T/nginx/fastcgi;
		proxy_temp_path $T/nginx/proxy;
		uwsgi_temp_path $T/nginx/uwsgi;
		scgi_temp_path $T/nginx/scgi;
		server {
			listen 127.0.0.1:$TLS_PORT ssl;
			ssl_certificate $T/tls/server.pem;
			ssl_certificate_key $T/tls/server.key;
			ssl_client_certificate $T/tls/ca.pem;
			ssl_verify_client optional;
			include hooklatch.conf;
		}
	END
	# One -g: nginx takes the last, and without "daemon off" would leave us.
	as_root && user="user $WEB_USER;"
	start web nginx -e stderr -c "$T/nginx/example.conf" \
	    -g "daemon off; $user"
}

# --- Apache ---------------------------------------------------------------------

# apache_start WAY: WAY.conf of apache/
apache_start() {
	local way=$1 modules=/usr/lib/apache2/modules file
	mkdir -p "$T/apache/cgi"
	for file in apache/*; do
		sed -e "s#/run/hooklatch/fcgi.sock#$T/run/fcgi.sock#" \
		    -e "s#/usr/local/lib/hooklatch/#$T/bin/#" \
		    -e "s#/usr/local/share/hooklatch/apache#$T/apache/cgi#" \
		    -e "s#/etc/hooklatch/hooklatch.json#$T/hooklatch.json#" \
		    "$file" >"$T/$file"
	done
	mv "$T/apache/hooklatch.cgi" "$T/apache/cgi/"
	chmod 755 "$T/apache/cgi/hooklatch.cgi"
	{
		cat <<-END
			ServerRoot $T/apache
			ServerName localhost
			DefaultRuntimeDir $T/apache
			PidFile $T/apache/pid
			Mutex sem default
			ErrorLog /dev/stderr
			Listen 127.0.0.1:$PORT
			Listen 127.0.0.1:$TLS_PORT
			LoadModule mpm_event_module $modules/mod_mpm_event.so
			LoadModule authz_core_module $modules/mod_authz_core.so
			LoadModule headers_module $modules/mod_headers.so
			LoadModule setenvif_module $modules/mod_setenvif.so
			LoadModule unique_id_module $modules/mod_unique_id.so
			LoadModule alias_module $modules/mod_alias.so
			LoadModule socache_shmcb_module $modules/mod_socache_shmcb.so
			LoadModule ssl_module $modules/mod_ssl.so
			SSLSessionCache none
		END
		if as_root; then
			echo "User $WEB_USER"
			echo "Group $WEB_USER"
		fi
		case $way in
		proxy_fcgi)
			echo "LoadModule proxy_module $modules/mod_proxy.so"
			echo "LoadModule proxy_fcgi_module $modules/mod_proxy_fcgi.so"
			;;
		fcgid)
			dir "$T/apache/fcgid" "$WEB_USER"
			echo "LoadModule fcgid_module $modules/mod_fcgid.so"
			echo "FcgidIPCDir $T/apache/fcgid"
			echo "FcgidProcessTableFile $T/apache/fcgid_shm"
			;;
		cgid)
			echo "LoadModule cgid_module $modules/mod_cgid.so"
			echo "ScriptSock $T/apache/cgisock"
			;;
		esac
		cat <<-END
			<VirtualHost 127.0.0.1:$PORT>
				Include $T/apache/$way.conf
			</VirtualHost>
			<VirtualHost 127.0.0.1:$TLS_PORT>
				SSLEngine on
				SSLCertificateFile $T/tls/server.pem
				SSLCertificateKeyFile $T/tls/server.key
				SSLCACertificateFile $T/tls/ca.pem
				SSLVerifyClient optional
				Include $T/apache/$way.conf
			</VirtualHost>
		END
	} >"$T/apache/httpd.conf"
	start web apache2 -f "$T/apache/httpd.conf" -D FOREGROUND
}

# --- all of them ----------------------------------------------------------------

# front_ports: chosen before the configuration is written, which may name them
front_ports() {
	free_port
	TLS_PORT=$PORT
	free_port
	APP_PORT=$PORT
	free_port
}

front_start() {
	FRONT=$1
	[ "$PORT" -ne 0 ] || front_ports
	certificates
	case $FRONT in
	nginx | nginx-nokeep) pool_start && nginx_start ;;
	spawn-fcgi) spawn_start && nginx_start ;;
	apache-proxy_fcgi) pool_start && apache_start proxy_fcgi ;;
	apache-fcgid) apache_start fcgid ;;
	apache-cgid) apache_start cgid ;;
	*)
		echo "no such front: $FRONT" >&2
		return 64
		;;
	esac
	within 20 listening "$PORT"
}

front_stop() {
	stop web || broken "the web server stops when it is told"
	stop handler || broken "the handlers stop when they are told"
}
