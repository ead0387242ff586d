/*
 * test_webserver.c - what a web server must be told: the table, the files that
 * ship, and what "check" finds missing in somebody's own.
 */
#include "cli/webserver.h"
#include "base/os.h"
#include "test.h"

#define MOST	(26u << 20)

/* --- the file of serve and the files that ship say the same --------------- */

static char *
shipped(const char *path, size_t *n)
{
	struct err e;
	char *text = os_read_file(path, 1 << 20, n, &e);

	CHECKF(text != NULL, "%s can be read", path);
	return text;
}

static bool
says(const char *text, const char *name, const char *value)
{
	char line[256];

	snprintf(line, sizeof(line), "%s %s;\n", name, value);
	return text != NULL && strstr(text, line) != NULL;
}

static void
test_drift(void)
{
	/* Beside the table: what both have for the same reasons. */
	static const struct { const char *name, *value; } both[] = {
		{ "fastcgi_connect_timeout", "5s" },
		{ "fastcgi_send_timeout", "13s" },
		{ "fastcgi_read_timeout", "13s" },
		{ "client_body_buffer_size", "64k" },
		{ "access_log", "off" },
	};
	struct buf b = BUF(1 << 20);
	struct finding found[FINDINGS_MAX];
	size_t n = 0, locations = 0, findings;
	char *params = shipped("nginx/hooklatch-params.conf", &n);

	webserver_nginx(&b, &(struct webserver){ .dir = "/run/x",
		.listen = "127.0.0.1:8080", .socket = "/run/x/hooklatch.sock",
		.user = "www-data www-data", .include = "/etc/x.conf",
		.processes = 2, .connections = 1024, .max_body = MOST });
	buf_putc(&b, '\0');
	for (const struct webserver_line *l = webserver_lines; l->name != NULL; l++) {
		CHECKF(says(b.p, l->name, l->value), "serve writes %s", l->name);
		CHECKF(says(params, l->name, l->value),
		    "nginx/hooklatch-params.conf has %s", l->name);
	}
	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		CHECKF(says(b.p, both[i].name, both[i].value), "serve writes %s",
		    both[i].name);
		CHECKF(says(params, both[i].name, both[i].value),
		    "nginx/hooklatch-params.conf has %s", both[i].name);
	}
	CHECK(strstr(b.p, "client_max_body_size 28311552;") != NULL,
	    "a body just over the limit reaches the handler, who answers it");
	CHECK(strstr(b.p, "real_ip") == NULL, "nobody says whose request it is");
	CHECK(strstr(b.p, "include \"/etc/x.conf\";") != NULL,
	    "the locations of pass are included");
	b.n--;
	findings = webserver_check_nginx(buf_str(&b), MOST, true, found, &locations);
	CHECKF(findings == 0, "serve's own file lacks nothing: %s",
	    findings > 0 ? found[0].text : "");
	CHECK(locations == 2, "and has the two locations");
	buf_reset(&b);
	webserver_nginx(&b, &(struct webserver){ .dir = "/run/x",
		.listen = "0.0.0.0:8080", .socket = "/run/x/hooklatch.sock",
		.processes = 1, .connections = 1024, .max_body = MOST, .front = true });
	buf_putc(&b, '\0');
	CHECK(strstr(b.p, "real_ip_header X-Forwarded-For;") != NULL,
	    "but for Cloud Run's front");
	free(params);
	buf_free(&b);
}

/* --- somebody's own nginx ------------------------------------------------- */

#define GOOD_PARAMS							\
	"fastcgi_param REQUEST_METHOD $request_method;"			\
	"fastcgi_param REQUEST_URI $request_uri;"			\
	"fastcgi_param CONTENT_TYPE $content_type;"			\
	"fastcgi_param CONTENT_LENGTH $content_length;"			\
	"fastcgi_param REMOTE_ADDR $remote_addr;"			\
	"fastcgi_param HOOKLATCH_REQUEST_ID $request_id;"
#define PINNED		"fastcgi_param HTTP_PROXY \"\";"
#define KEPT		"fastcgi_keep_conn on;"				\
	"fastcgi_next_upstream error timeout non_idempotent;"
#define BODY		"client_max_body_size 27m;"
#define UPSTREAM	"upstream h { server unix:/run/hooklatch/f.sock; keepalive 8; }"
#define PASS		"fastcgi_pass h;"
#define ALL		PASS GOOD_PARAMS PINNED KEPT BODY

static const struct {
	const char *says;
	const char *text;
	bool certs;
	size_t locations;
	const char *wants;	/* in a finding; NULL: there is none */
} t[] = {
	{ "what is needed, and nothing is said",
	    UPSTREAM "server { location /h { " ALL " } }", false, 1, NULL },
	{ "values of outer blocks count, wherever they stand",
	    "server { location /h { " PASS GOOD_PARAMS PINNED " } } " KEPT BODY UPSTREAM,
	    false, 1, NULL },
	{ "a comment and quotes hide nothing",
	    UPSTREAM "location /h { # } ;\n " ALL " set $x \"} ; {\"; }", false, 1, NULL },
	{ "no location of ours: none is judged",
	    "server { location / { fastcgi_pass unix:/run/php.sock; } }", false, 0, NULL },
	{ "HTTP_PROXY is not pinned",
	    UPSTREAM "location /h { " PASS GOOD_PARAMS KEPT BODY " }", false, 1,
	    "HTTP_PROXY" },
	{ "HTTP_PROXY is given a value",
	    UPSTREAM "location /h { " PASS GOOD_PARAMS KEPT BODY
	    "fastcgi_param HTTP_PROXY $http_proxy; }", false, 1, "HTTP_PROXY" },
	{ "one parameter in the location hides those outside",
	    UPSTREAM GOOD_PARAMS PINNED KEPT BODY "location /h { " PASS
	    "fastcgi_param X y; }", false, 1, "REQUEST_URI" },
	{ "the body limit is nginx's own 1m",
	    UPSTREAM "location /h { " PASS GOOD_PARAMS PINNED KEPT " }", false, 1,
	    "client_max_body_size" },
	{ "the body limit is too small",
	    UPSTREAM "location /h { " PASS GOOD_PARAMS PINNED KEPT
	    "client_max_body_size 25m; }", false, 1, "client_max_body_size" },
	{ "no body limit is no limit",
	    UPSTREAM "location /h { " PASS GOOD_PARAMS PINNED KEPT
	    "client_max_body_size 0; }", false, 1, NULL },
	{ "connections are not kept",
	    UPSTREAM "location /h { " PASS GOOD_PARAMS PINNED BODY
	    "fastcgi_next_upstream error timeout non_idempotent; }", false, 1,
	    "fastcgi_keep_conn" },
	{ "metrics are for whom its rules let in",
	    UPSTREAM "location /m { " ALL "fastcgi_param HOOKLATCH_METRICS 1;"
	    "allow 192.0.2.1; deny all; }", false, 1, NULL },
	{ "or the rules around it",
	    UPSTREAM "auth_basic here; location /m { " ALL
	    "fastcgi_param HOOKLATCH_METRICS 1; }", false, 1, NULL },
	{ "metrics are for everybody",
	    UPSTREAM "location /m { " ALL "fastcgi_param HOOKLATCH_METRICS 1; }",
	    false, 1, "reads the metrics" },
	{ "a rule that lets some in lets in the others too",
	    UPSTREAM "location /m { " ALL "fastcgi_param HOOKLATCH_METRICS 1;"
	    "allow 192.0.2.1; auth_basic off; }", false, 1, "reads the metrics" },
	{ "a POST is not tried again",
	    UPSTREAM "location /h { " PASS GOOD_PARAMS PINNED BODY
	    "fastcgi_keep_conn on; fastcgi_next_upstream error timeout; }", false, 1,
	    "non_idempotent" },
	{ "bodies are streamed",
	    UPSTREAM "location /h { " ALL "fastcgi_request_buffering off; }", false, 1,
	    "fastcgi_request_buffering" },
	{ "underscores make two headers one",
	    UPSTREAM "underscores_in_headers on; location /h { " ALL " }", false, 1,
	    "underscores_in_headers" },
	{ "the upstream keeps nothing",
	    "upstream h { server unix:/run/hooklatch/f.sock; } location /h { " ALL " }",
	    false, 1, "keepalive" },
	{ "TCP",
	    "upstream h { server hooklatch:9000; keepalive 8; } location /h { " ALL " }",
	    false, 1, "TCP" },
	{ "a client's certificate is wanted and not passed on",
	    UPSTREAM "location /h { " ALL " }", true, 1, "HOOKLATCH_TLS_VERIFY" },
	{ "an include of the dump is followed, relative to the main file",
	    "# configuration file /etc/nginx/nginx.conf:\n"
	    UPSTREAM "location /h { include p/*.conf; " PASS " }\n"
	    "# configuration file /etc/nginx/p/a.conf:\n"
	    GOOD_PARAMS PINNED KEPT BODY "\n", false, 1, NULL },
	{ "unclosed blocks end with the file", "server { location /h { " PASS, false, 0,
	    NULL },
	{ "an empty file", "", false, 0, NULL },
};

static void
test_table(void)
{
	struct finding found[FINDINGS_MAX];
	size_t n, locations, size;
	bool told;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		size = strlen(t[i].text);
		n = webserver_check_nginx((struct str){
		    test_flush(t[i].text, size), size }, MOST, t[i].certs, found,
		    &locations);
		told = false;
		for (size_t j = 0; j < n; j++)
			told = told || (t[i].wants != NULL &&
			    strstr(found[j].text, t[i].wants) != NULL);
		CHECKF(locations == t[i].locations, "%s: %zu locations", t[i].says,
		    locations);
		CHECKF(t[i].wants == NULL ? n == 0 : told, "%s (%s)", t[i].says,
		    n > 0 ? found[0].text : "nothing found");
	}
}

/* An include of itself, and more blocks than there is room for, come to an end. */
static void
test_bounds(void)
{
	struct buf b = BUF(1 << 20);
	struct finding found[FINDINGS_MAX];
	size_t n, locations;

	n = webserver_check_nginx(STR("# configuration file /a:\ninclude /a;\n"), MOST,
	    false, found, &locations);
	CHECK(n == 1 && found[0].bad, "a file that includes itself is refused");
	for (int i = 0; i < 2000; i++)
		buf_put(&b, STR("a {"));
	n = webserver_check_nginx(buf_str(&b), MOST, false, found, &locations);
	CHECK(n == 1 && found[0].bad, "blocks without end are refused");
	buf_reset(&b);
	for (int i = 0; i < 20000; i++)
		buf_put(&b, STR("a b;"));
	n = webserver_check_nginx(buf_str(&b), MOST, false, found, &locations);
	CHECK(n == 1 && found[0].bad, "lines without end are refused");
	buf_free(&b);
}

/* --- Apache --------------------------------------------------------------- */

static void
test_apache(void)
{
	static const char *const files[] = { "apache/proxy_fcgi.conf",
		"apache/fcgid.conf", "apache/cgid.conf" };
	static const struct { const char *says, *text, *wants; } a[] = {
		{ "Authorization is dropped",
		    "ProxyPass /h unix:/run/hooklatch/f|fcgi://x/ timeout=30\n",
		    "CGIPassAuth" },
		{ "the body limit is too small",
		    "ScriptAlias /h /x/hooklatch.cgi\nCGIPassAuth On\n"
		    "LimitRequestBody 1000\n", "LimitRequestBody" },
		{ "mod_fcgid's own limit",
		    "FcgidWrapper /x/hooklatch.fcgi\nCGIPassAuth On\n",
		    "FcgidMaxRequestLen" },
	};
	struct finding found[FINDINGS_MAX];
	size_t n, places, size;
	char *text;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		size = 0;
		text = shipped(files[i], &size);
		n = webserver_check_apache((struct str){ text, size }, MOST, found,
		    &places);
		CHECKF(n == 0 && places > 0, "%s lacks nothing: %s", files[i],
		    n > 0 ? found[0].text : "no place found");
		free(text);
	}
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++) {
		n = webserver_check_apache(str_of(a[i].text), MOST, found, &places);
		CHECKF(n == 1 && strstr(found[0].text, a[i].wants) != NULL, "%s (%s)",
		    a[i].says, n > 0 ? found[0].text : "nothing found");
	}
	n = webserver_check_apache(STR("ProxyPass /h fcgi://php/\n"), MOST, found,
	    &places);
	CHECK(n == 0 && places == 0, "what is not ours is not judged");
}

int
main(void)
{
	test_drift();
	test_table();
	test_bounds();
	test_apache();
	TEST_END("webserver");
}
