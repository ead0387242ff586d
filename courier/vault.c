/* vault.c - see vault.h. */
#include <sys/eventfd.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/codec.h"
#include "../base/json.h"
#include "../base/when.h"
#include "../letter.h"
#include "google.h"
#include "transfer.h"
#include "vault.h"

#define POLL_MS		1000
#define ANSWER_MAX	(VAULT_SECRET / 3 * 4 + 16 * 1024)
#define FETCH_MEMORY	(1 << 20)
#define PREFIX		"gcp:"
#define LATEST		"/versions/latest"
#define ROLE		"roles/secretmanager.secretAccessor"

#ifdef TEST_NO_CHECKSUM		/* tests/secret-manager.sh must notice */
#define CHECKED	false
#else
#define CHECKED	true
#endif
#ifdef TEST_ANY_SECRET		/* likewise */
#define GUARDED	false
#else
#define GUARDED	true
#endif

static const struct json_limits limits = { 32, 1000 };

enum step {
	DUE,			/* at at */
	TOKEN,			/* waits for one */
	SENT,
};

/* One secret of an ask, until it is had. */
struct fetch {
	struct fetch	*next;
	struct work	*work;		/* NULL: nobody wants it any more */
	struct vault	*vault;
	struct str	 name;		/* of the bundle */
	enum step	 step;
	int64_t		 at;		/* steady ms */
	unsigned	 tries;
	bool		 again;		/* with a second token */
	struct google_waiter waiter;
	struct google_want want;
	struct str	 token;		/* that went with it */
	struct arena	*arena;		/* of one request; wiped */
	CURL		*easy;
	struct curl_slist *lines;
	struct str	 host;
	struct buf	 answer;
	char		 error[CURL_ERROR_SIZE];
};

/* One ask under way. */
struct work {
	struct work	*next;
	struct vault_ask *ask;
	size_t		 left;		/* fetches */
	int64_t		 until;		/* steady ms */
	bool		 over;		/* it has its outcome */
};

struct vault {
	const char	*conf_path;
	CURLM		*multi;
	struct google	*google;
	struct str	 ca_file;	/* for tokens; ours */
	struct work	*works;
	struct fetch	*fetches;

	pthread_t	 thread;
	pthread_mutex_t	 lock;		/* of what follows */
	struct vault_ask *asks, **asks_end;
	struct vault_ask *outcomes, **outcomes_end;
	size_t		 n;
	bool		 stop;
	int		 told;		/* eventfd */
};

/* --- asks ------------------------------------------------------------------------- */

struct vault_ask *
vault_ask_own(struct conf *conf, struct bundle *bundle)
{
	struct vault_ask *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		conf_free(conf);
		bundle_free(bundle);
		return NULL;
	}
	a->conf = conf;
	a->bundle = bundle;
	return a;
}

struct vault_ask *
vault_ask_new(struct conn *conn, uint64_t ticket, struct str name)
{
	struct vault_ask *a = calloc(1, sizeof(*a) + name.n);

	if (a == NULL)
		return NULL;
	a->conn = conn;
	a->ticket = ticket;
	memcpy(a + 1, name.n > 0 ? name.p : "", name.n);
	a->name = (struct str){ (const char *)(a + 1), name.n };
	return a;
}

void
vault_ask_free(struct vault_ask *a)
{
	if (a == NULL)
		return;
	conf_free(a->conf);
	bundle_free(a->bundle);
	free(a);
}

static void
tell(struct vault *v, struct vault_ask *a)
{
	uint64_t one = 1;

	a->next = NULL;
	pthread_mutex_lock(&v->lock);
	*v->outcomes_end = a;
	v->outcomes_end = &a->next;
	pthread_mutex_unlock(&v->lock);
	if (write(v->told, &one, sizeof(one)) == -1)
		return;			/* it is readable already */
}

/* --- what a worker may have -------------------------------------------------------- */

static bool
is_among(struct str name, const struct str *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(all[i], name))
			return true;
	return false;
}

static bool
is_named(const struct conf *c, struct str name)
{
	for (size_t i = 0; i < c->nhooks; i++) {
		const struct hook *h = &c->hooks[i];
		const struct texts keys = h->params[PARAM_PUBLIC_KEY];

		if (is_among(name, h->secrets, h->nsecrets) ||
		    is_among(name, keys.v, keys.n) ||
		    str_eq(conf_param(h, PARAM_VERIFY_TOKEN), name))
			return true;
	}
	return !GUARDED;
}

/* The configuration as it is now, for an ask that brings none. */
static int
look_up(struct vault *v, struct vault_ask *a)
{
	struct conf_place here = conf_here();
	struct bundle *read = conf_gather(v->conf_path, HALF_COURIER, &a->why);

	if (read == NULL)
		return -1;
	a->conf = conf_gathered(read, v->conf_path, &a->why);
	if (a->conf != NULL && conf_settle(a->conf, &here, NULL, &a->why) == 0) {
		if (!is_named(a->conf, a->name))
			err_set(&a->why, ERR_PERM, "the secret \"%.*s\": no hook of "
			    "the configuration names it", STR_ARG(a->name));
		else if ((a->bundle = bundle_new()) == NULL ||
		    bundle_read_secret(a->bundle, a->name, &a->why) == -1 ||
		    (a->conf->google_file.n > 0 && bundle_put_secret(a->bundle,
		    a->conf->google_file, bundle_secret(read,
		    a->conf->google_file)) == -1))
			err_set(&a->why, ERR_OS, "no memory for a secret");
		else
			a->why.code = ERR_NONE;
	}
	bundle_free(read);
	return a->why.code == ERR_NONE ? 0 : -1;
}

/* --- one request --------------------------------------------------------------------- */

static void
request_end(struct fetch *f)
{
	if (f->easy != NULL) {
		curl_multi_remove_handle(f->vault->multi, f->easy);
		curl_easy_cleanup(f->easy);
		f->easy = NULL;
	}
	for (struct curl_slist *l = f->lines; l != NULL; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(f->lines);
	f->lines = NULL;
	buf_wipe(&f->answer);
	if (f->arena != NULL)
		arena_wipe(f->arena);
	f->arena = NULL;
	f->token = STR_NONE;
}

static void
work_end(struct fetch *f, bool later, const struct err *why)
{
	struct work *w = f->work;

	f->work = NULL;
	w->left--;
	if (w->over || (why == NULL && w->left > 0))
		return;
	w->over = true;
	w->ask->later = later;
	if (why != NULL)
		w->ask->why = *why;
	else
		w->ask->why.code = ERR_NONE;
}

/* It failed: again, if there is time and it may become better. */
static void
failed(struct fetch *f, bool later, const struct err *why)
{
	int64_t now = when_steady(), wait = VAULT_AGAIN_MS;
	struct err e = *why;

	request_end(f);
	f->step = DUE;
	for (unsigned i = 0; i < f->tries && wait < VAULT_AGAIN_MOST; i++)
		wait *= 2;
	f->tries++;
	if (f->work == NULL)
		return;
	if (later && !f->work->over && now + wait < f->work->until) {
		f->at = now + wait;
		return;
	}
	err_at(&e, "the secret \"%.*s\"", STR_ARG(f->name));
	work_end(f, later, &e);
}

static void
no_memory(struct fetch *f)
{
	struct err e;

	err_set(&e, ERR_OS, "there was no memory to fetch it");
	failed(f, true, &e);
}

static size_t
take_answer(char *p, size_t size, size_t n, void *into)
{
	struct fetch *f = into;

	buf_put(&f->answer, (struct str){ p, size * n });
	return buf_ok(&f->answer) ? size * n : 0;
}

static bool
add_line(struct fetch *f, const char *line)
{
	struct curl_slist *more = line == NULL ? NULL :
	    curl_slist_append(f->lines, line);

	if (more != NULL)
		f->lines = more;
	return more != NULL;
}

/* Of the configured endpoint, without a "/" at its end. */
static struct str
url_of(struct fetch *f)
{
	struct str end = f->work->ask->conf->secret_manager;
	struct str path = str_skip(f->name, strlen(PREFIX));
	bool versioned = memmem(path.p, path.n, "/versions/", 10) != NULL;

	if (end.n == 0)
		end = STR("https://" SECRET_MANAGER);
	while (str_ends(end, STR("/")))
		end.n--;
	return arena_printf(f->arena, "%.*s/v1/%.*s%s:access", STR_ARG(end),
	    STR_ARG(path), versioned ? "" : LATEST);
}

static void
send_off(struct fetch *f, struct str token)
{
	struct str url = url_of(f), line;

	f->token = arena_str(f->arena, token);
	line = arena_join(f->arena, (struct str []){ STR("Authorization: Bearer "),
	    token, STR("\0") }, 3);
	f->host = letter_host(url);
	f->answer = BUF(ANSWER_MAX);
	f->error[0] = '\0';
	f->step = SENT;
	if (url.p == NULL || f->token.p == NULL || line.p == NULL ||
	    !add_line(f, line.p) || (f->easy = curl_easy_init()) == NULL ||
	    !transfer_set(f->easy, &(struct transfer){
		.protocols = "http,https", .url = url.p,
		.ca_file = f->work->ask->conf->ca_file, .connect_ms = VAULT_FETCH_MS,
		.whole_ms = VAULT_FETCH_MS, .owner = f, .error = f->error }) ||
	    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->lines) != CURLE_OK ||
	    curl_easy_setopt(f->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS) !=
	    CURLE_OK ||
	    curl_easy_setopt(f->easy, CURLOPT_PROXY, "") != CURLE_OK ||
	    curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, take_answer) !=
	    CURLE_OK ||
	    curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f) != CURLE_OK ||
	    curl_multi_add_handle(f->vault->multi, f->easy) != CURLM_OK)
		no_memory(f);
}

static void
no_token(struct fetch *f, const struct err *why)
{
	struct err e;

	err_set(&e, why->code, "there is no token of Google's to fetch it with: %s",
	    why->text);
	failed(f, why->code != ERR_CONF, &e);
}

static void
told(struct google_waiter *w, struct str token, const struct err *why)
{
	struct fetch *f = (struct fetch *)(void *)((char *)w -
	    offsetof(struct fetch, waiter));

	if (f->work == NULL || f->work->over) {
		request_end(f);
		f->step = DUE;
	} else if (token.p == NULL) {
		no_token(f, why);
	} else {
		send_off(f, token);
	}
}

static void
begin(struct fetch *f)
{
	const struct vault_ask *a = f->work->ask;
	struct str token;
	struct err e;

	if ((f->arena = arena_new(FETCH_MEMORY)) == NULL) {
		no_memory(f);
		return;
	}
	f->want = (struct google_want){ .metadata = a->conf->google_metadata };
	if (a->conf->google_file.n > 0)
		f->want.credentials = bundle_secret(a->bundle, a->conf->google_file);
	f->waiter.told = told;
	f->step = TOKEN;
	switch (google_ask(f->vault->google, &f->want, &f->waiter, &token, &e)) {
	case GOOGLE_HERE:
		send_off(f, token);
		break;
	case GOOGLE_WAIT:
		break;
	case GOOGLE_NONE:
		no_token(f, &e);
		break;
	}
}

/* --- what came of it --------------------------------------------------------------------- */

/* The bytes, with one newline at their end dropped as of a file. */
static int
take(struct fetch *f, struct err *e)
{
	struct str all = buf_str(&f->answer), data, sum, bytes;
	uint64_t want;
	size_t room, n;
	char *p;

	if (!buf_ok(&f->answer) || json_scan(all, limits, NULL) != JSON_OK ||
	    json_find(all, STR("payload.data"), &data) != JSON_STRING ||
	    json_find(all, STR("payload.dataCrc32c"), &sum) != JSON_STRING ||
	    !str_to_u64(sum, &want))
		return err_set(e, ERR_AWAY, "%.*s answered 200 without a payload and "
		    "its checksum", STR_ARG(f->host));
	data = json_unescape(f->arena, data);
	room = BASE64_ROOM(data.n);
	p = arena_bytes(f->arena, room);
	if (data.p == NULL || p == NULL)
		return err_set(e, ERR_OS, "there was no memory to fetch it");
	if (!base64_decode(data, p, room, &n) ||
	    (CHECKED && crc32c((struct str){ p, n }) != want))
		return err_set(e, ERR_AWAY, "what %.*s answered is damaged: its "
		    "CRC-32C is another", STR_ARG(f->host));
	bytes = (struct str){ p, n };
	if (str_ends(bytes, STR("\n")))
		bytes.n -= str_ends(bytes, STR("\r\n")) ? 2 : 1;
	if (bytes.n == 0)
		return err_set(e, ERR_CONF, "it is empty");
	if (bytes.n > VAULT_SECRET)
		return err_set(e, ERR_CONF, "it is over %d KiB", VAULT_SECRET / 1024);
	return bundle_put_secret(f->work->ask->bundle, f->name, bytes) == 0 ? 0 :
	    err_set(e, ERR_OS, "there was no memory to fetch it");
}

/* The word of Google's error, like PERMISSION_DENIED; or none. */
static struct str
status_word(struct fetch *f)
{
	struct str all = buf_str(&f->answer), raw = STR("");

	if (json_scan(all, limits, NULL) != JSON_OK ||
	    json_find(all, STR("error.status"), &raw) != JSON_STRING || raw.n > 40)
		return STR("");
	for (size_t i = 0; i < raw.n; i++)
		if (!((raw.p[i] >= 'A' && raw.p[i] <= 'Z') || raw.p[i] == '_'))
			return STR("");
	return raw;
}

static void
refused(struct fetch *f, long status)
{
	struct str word = status_word(f);
	bool later = status == 408 || status == 429 || status >= 500;
	struct err e;

	err_set(&e, later ? ERR_AWAY : ERR_CONF, "%.*s answered %ld%s%.*s%s%s",
	    STR_ARG(f->host), status, word.n > 0 ? " (" : "", STR_ARG(word),
	    word.n > 0 ? ")" : "",
	    status == 401 ? ": the courier's credentials are not believed" :
	    status == 403 ? ": give the courier's account the role " ROLE " on it" :
	    status == 404 ? ": there is no such secret, or no such version of it" :
	    status == 400 ? ": is the version enabled?" : "");
	failed(f, later, &e);
}

static void
done(struct vault *v, CURL *easy, CURLcode rc)
{
	struct fetch *f = NULL;
	struct err e;
	long status = 0;

	if (google_done(v->google, easy, rc))
		return;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&f);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (rc == CURLE_OPERATION_TIMEDOUT) {
		err_set(&e, ERR_AWAY, "%.*s did not answer in %d s", STR_ARG(f->host),
		    VAULT_FETCH_MS / 1000);
		failed(f, true, &e);
	} else if (rc != CURLE_OK) {
		err_set(&e, ERR_AWAY, "%.*s: %s", STR_ARG(f->host),
		    curl_easy_strerror(rc));
		failed(f, true, &e);
	} else if (status == 401 && !f->again) {
		google_refused(v->google, &f->want, f->token);
		f->again = true;
		request_end(f);
		f->step = DUE;
		f->at = when_steady();
	} else if (status != 200) {
		refused(f, status);
	} else if (f->work->over) {
		request_end(f);
		f->step = DUE;
	} else if (take(f, &e) == -1) {
		failed(f, e.code != ERR_CONF, &e);
	} else {
		request_end(f);
		f->step = DUE;
		work_end(f, false, NULL);
	}
}

/* --- asks under way ------------------------------------------------------------------------ */

static struct work *
work_new(struct vault *v, struct vault_ask *a)
{
	struct work *w = calloc(1, sizeof(*w));
	struct str name;
	size_t at = 0;

	if (w == NULL)
		return NULL;
	w->ask = a;
	w->until = when_steady() + VAULT_MS;
	while ((name = bundle_lacks(a->bundle, &at)).p != NULL) {
		struct fetch *f = calloc(1, sizeof(*f));

		if (f == NULL) {
			w->over = true;
			err_set(&a->why, ERR_OS, "no memory to fetch secrets");
			break;
		}
		f->vault = v;
		f->work = w;
		f->name = name;
		f->at = when_steady();
		f->next = v->fetches;
		v->fetches = f;
		w->left++;
	}
	w->over |= w->left == 0;
	w->next = v->works;
	v->works = w;
	return w;
}

/* false: it is to stop. */
static bool
take_asks(struct vault *v)
{
	struct vault_ask *a;
	bool stop;

	do {
		pthread_mutex_lock(&v->lock);
		stop = v->stop;
		if ((a = v->asks) != NULL && (v->asks = a->next) == NULL)
			v->asks_end = &v->asks;
		pthread_mutex_unlock(&v->lock);
		if (a == NULL)
			break;
		if (a->conn != NULL && look_up(v, a) == -1) {
			tell(v, a);
		} else if (work_new(v, a) == NULL) {
			err_set(&a->why, ERR_OS, "no memory to fetch secrets");
			tell(v, a);
		}
	} while (!stop);
	return !stop;
}

/* What is due, what nobody waits for any more, what has its outcome. */
static void
attend(struct vault *v)
{
	int64_t now = when_steady();
	unsigned running = 0;

	for (struct fetch *f = v->fetches; f != NULL; f = f->next)
		running += f->step != DUE;
	for (struct fetch *f = v->fetches; f != NULL; f = f->next)
		if (f->step == DUE && f->work != NULL && !f->work->over &&
		    f->at <= now && running < VAULT_AT_ONCE) {
			running++;
			begin(f);
		}
	for (struct fetch **at = &v->fetches; *at != NULL;) {
		struct fetch *f = *at;

		if (f->work != NULL && f->work->over) {
			if (f->step == SENT) {
				request_end(f);
				f->step = DUE;
			}
			if (f->step == DUE)
				work_end(f, false, NULL);
		}
		/* Who waits for a token is told in any case. */
		if (f->step != DUE || f->work != NULL) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		request_end(f);
		free(f);
	}
	for (struct work **at = &v->works; *at != NULL;) {
		struct work *w = *at;

		if (!w->over || w->left > 0) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		tell(v, w->ask);
		free(w);
	}
}

/* ms until something is due. */
static int
patience(const struct vault *v)
{
	int64_t now = when_steady(), ms = POLL_MS;

	for (const struct fetch *f = v->fetches; f != NULL; f = f->next)
		if (f->step == DUE && f->work != NULL && f->at - now < ms)
			ms = f->at - now;
	return ms < 0 ? 0 : (int)ms;
}

static void *
work(void *arg)
{
	struct vault *v = arg;
	CURLMsg *m;
	int running, left;

	pthread_setname_np(pthread_self(), "vault");
	while (take_asks(v)) {
		attend(v);
		curl_multi_perform(v->multi, &running);
		while ((m = curl_multi_info_read(v->multi, &left)) != NULL)
			if (m->msg == CURLMSG_DONE)
				done(v, m->easy_handle, m->data.result);
		attend(v);
		curl_multi_poll(v->multi, NULL, 0, patience(v), NULL);
	}
	return NULL;
}

/* --- its life -------------------------------------------------------------------------------- */

static void
asks_free(struct vault_ask *a)
{
	struct vault_ask *next;

	for (; a != NULL; a = next) {
		next = a->next;
		vault_ask_free(a);
	}
}

static void
vault_free(struct vault *v)
{
	struct fetch *f;
	struct work *w;

	google_free(v->google);
	while ((f = v->fetches) != NULL) {
		v->fetches = f->next;
		request_end(f);
		free(f);
	}
	while ((w = v->works) != NULL) {
		v->works = w->next;
		vault_ask_free(w->ask);
		free(w);
	}
	asks_free(v->asks);
	asks_free(v->outcomes);
	curl_multi_cleanup(v->multi);
	pthread_mutex_destroy(&v->lock);
	if (v->told != -1)
		close(v->told);
	free((char *)(uintptr_t)v->ca_file.p);
	free(v);
}

struct vault *
vault_start(const char *conf_path, struct str ca_file, struct err *e)
{
	struct vault *v = calloc(1, sizeof(*v));

	if (v == NULL || (v->multi = transfer_multi()) == NULL) {
		free(v);
		err_set(e, ERR_OS, "libcurl did not start");
		return NULL;
	}
	v->conf_path = conf_path;
	v->asks_end = &v->asks;
	v->outcomes_end = &v->outcomes;
	pthread_mutex_init(&v->lock, NULL);
	v->ca_file = str_of(ca_file.n == 0 ? NULL : strndup(ca_file.p, ca_file.n));
	v->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->told == -1 || (ca_file.n > 0 && v->ca_file.p == NULL) ||
	    (v->google = google_new(v->multi, v->ca_file)) == NULL ||
	    pthread_create(&v->thread, NULL, work, v) != 0) {
		err_set(e, ERR_OS, "the thread that fetches secrets did not start");
		vault_free(v);
		return NULL;
	}
	return v;
}

void
vault_stop(struct vault *v)
{
	if (v == NULL)
		return;
	pthread_mutex_lock(&v->lock);
	v->stop = true;
	pthread_mutex_unlock(&v->lock);
	curl_multi_wakeup(v->multi);
	pthread_join(v->thread, NULL);
	vault_free(v);
}

bool
vault_give(struct vault *v, struct vault_ask *a)
{
	bool taken;

	pthread_mutex_lock(&v->lock);
	if ((taken = v->n < VAULT_ASKS)) {
		a->next = NULL;
		*v->asks_end = a;
		v->asks_end = &a->next;
		v->n++;
	}
	pthread_mutex_unlock(&v->lock);
	if (taken)
		curl_multi_wakeup(v->multi);
	return taken;
}

int
vault_fd(const struct vault *v)
{
	return v->told;
}

struct vault_ask *
vault_take(struct vault *v)
{
	struct vault_ask *a;
	uint64_t n;

	pthread_mutex_lock(&v->lock);
	if ((a = v->outcomes) != NULL) {
		if ((v->outcomes = a->next) == NULL)
			v->outcomes_end = &v->outcomes;
		v->n--;
	} else if (read(v->told, &n, sizeof(n)) == -1) {
		a = NULL;		/* nobody had told */
	}
	pthread_mutex_unlock(&v->lock);
	return a;
}

int
vault_fill(struct vault *v, struct conf *conf, struct bundle *bundle, struct err *e)
{
	struct pollfd p = { .fd = v->told, .events = POLLIN };
	struct vault_ask *a = calloc(1, sizeof(*a));

	if (a == NULL || (a->conf = conf, a->bundle = bundle, !vault_give(v, a))) {
		free(a);
		return err_set(e, ERR_OS, "no memory to fetch secrets");
	}
	while ((a = vault_take(v)) == NULL)
		if (poll(&p, 1, -1) == -1 && errno != EINTR)
			return err_set(e, ERR_OS, "poll: %s", strerror(errno));
	*e = a->why;
	free(a);		/* what was in it is the caller's */
	return e->code == ERR_NONE ? 0 : -1;
}
