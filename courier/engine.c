/* engine.c - see engine.h. */
#include <sys/eventfd.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/when.h"
#include "claim.h"
#include "engine.h"

#define OPEN_MS		3000	/* for a connection and all that it is asked */
#define BACK_OFF_MS	2000	/* between two tries, at most */
#define PING_MS		1000	/* without an event */
#define HANGS_MS	2000	/* of a batch, until health says so */
#define SAY_MS		60000	/* between two lines of the same fault */

#define TOO_LARGE	"it is larger than the engine takes"

struct remote {
	struct store		 store;		/* first */
	struct claim		*claim;		/* or NULL */
	const struct engine_kind *kind;
	void			*self;
	struct log		*log;
	pthread_t		 thread;
	int			 fd;		/* an eventfd */

	pthread_mutex_t		 lock;		/* of all until the empty line */
	pthread_cond_t		 work;
	struct puts		 queue;
	struct puts		 done;
	bool			 stop;
	bool			 ready;
	char			 why[512];	/* not ready */
	int64_t			 since;		/* a batch is on its way, or 0 */
	uint64_t		 largest;	/* that the engine takes */
	int64_t			 patience;
	uint64_t		 remember;	/* seconds */
	struct store_counters	 counters;

	/* The door's: what it was told last, to be sent before it asks again. */
	char			 told[512];

	/* The thread's own. */
	struct buf		 text;		/* the lines of a batch */
	struct engine_event	*events;
	int64_t			 back_off;
	int64_t			 said_at;
	int64_t			 spoke_at;	/* with the engine, last */

	/* The setting's: the engine's file keeps the pointers. */
	struct buf		 secret;
	char			*url;
	char			*ca_file;
};

static struct remote *
of(const struct store *s)
{
	return (struct remote *)(uintptr_t)s;
}

/* --- what others ask --------------------------------------------------------------- */

/* With the lock. */
static void
tell(struct remote *g, struct puts *some)
{
	static const uint64_t one = 1;

	if (some->first == NULL)
		return;
	for (struct put *p = some->first; p != NULL; p = p->next) {
		free(p->claim);
		p->claim = NULL;
	}
	if (g->done.first == NULL && write(g->fd, &one, sizeof(one)) != sizeof(one))
		abort();	/* an eventfd with room always takes it */
	puts_move(&g->done, some);
}

/* With the lock, for the door. */
static const char *
why_not(struct remote *g)
{
	memcpy(g->told, g->why, sizeof(g->told));
	return g->told;
}

static bool
give(struct store *s, struct put *p)
{
	struct remote *g = of(s);
	struct puts one;
	bool fits;

	puts_init(&one);
	pthread_mutex_lock(&g->lock);
	fits = g->queue.bytes + p->n <= ENGINE_QUEUE;
	if (!g->ready || (p->event.size > g->largest && g->claim == NULL)) {
		p->refusal = g->ready ? REFUSED_TOO_LARGE : REFUSED_BUSY;
		p->why = g->ready ? TOO_LARGE : why_not(g);
		g->counters.refused++;
		puts_add(&one, p);
		tell(g, &one);
		fits = true;
	} else if (fits) {
		puts_add(&g->queue, p);
		if (g->queue.first == p)
			pthread_cond_signal(&g->work);
	}
	pthread_mutex_unlock(&g->lock);
	return fits;
}

static int
descriptor(const struct store *s)
{
	return of(s)->fd;
}

static void
take(struct store *s, struct puts *out)
{
	struct remote *g = of(s);
	uint64_t n;

	puts_init(out);
	pthread_mutex_lock(&g->lock);
	if (read(g->fd, &n, sizeof(n)) == sizeof(n))
		puts_move(out, &g->done);
	pthread_mutex_unlock(&g->lock);
}

static enum wire_refusal
health(struct store *s, uint64_t size, const char **why)
{
	struct remote *g = of(s);
	enum wire_refusal r = 0;

	*why = "";
	pthread_mutex_lock(&g->lock);
	if (!g->ready) {
		r = REFUSED_BUSY;
		*why = why_not(g);
	} else if (g->since != 0 && when_steady() - g->since > HANGS_MS) {
		r = REFUSED_BUSY;
		*why = "the engine does not answer";
	} else if (size > g->largest && g->claim == NULL) {
		r = REFUSED_TOO_LARGE;
		*why = TOO_LARGE;
	}
	pthread_mutex_unlock(&g->lock);
	return r;
}

static void
limit(struct store *s, const struct inbox_limits *l, int64_t patience)
{
	struct remote *g = of(s);

	pthread_mutex_lock(&g->lock);
	g->remember = (uint64_t)l->remember / 1000;
	g->patience = patience;
	pthread_mutex_unlock(&g->lock);
}

static struct store_counters
counters(struct store *s)
{
	struct store_counters c;

	pthread_mutex_lock(&of(s)->lock);
	c = of(s)->counters;
	pthread_mutex_unlock(&of(s)->lock);
	return c;
}

/* --- there and away ------------------------------------------------------------------ */

/* Nothing waits for an engine that is away. */
static void
refuse_queue(struct remote *g, const char *why)
{
	struct puts some;
	struct put *p;

	puts_init(&some);
	pthread_mutex_lock(&g->lock);
	while ((p = puts_pop(&g->queue)) != NULL) {
		p->refusal = REFUSED_BUSY;
		p->why = why;
		puts_add(&some, p);
	}
	g->counters.refused += some.n;
	tell(g, &some);
	pthread_mutex_unlock(&g->lock);
}

static void
away(struct remote *g, const struct err *e)
{
	int64_t now = when_steady();
	bool news;

	g->kind->close(g->self);
	pthread_mutex_lock(&g->lock);
	news = g->ready || strcmp(g->why, e->text) != 0
	    || now - g->said_at >= SAY_MS;
	g->ready = false;
	g->since = 0;
	snprintf(g->why, sizeof(g->why), "%s", e->text);
	pthread_mutex_unlock(&g->lock);
	if (news) {
		log_say(g->log, LOG_ERROR_, "%s: %s; events are refused until it "
		    "is there", g->kind->name, e->text);
		g->said_at = now;
	}
	refuse_queue(g, "the engine is away");
}

/* A pause in which a stop is heard. */
static void
pause_for(struct remote *g, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&g->lock);
	while (!g->stop && g->queue.first == NULL
	    && pthread_cond_timedwait(&g->work, &g->lock, &until) == 0)
		;
	pthread_mutex_unlock(&g->lock);
}

static void
come_back(struct remote *g)
{
	uint64_t largest = 0;
	struct err e = { .code = ERR_NONE };

	if (g->kind->open(g->self, when_steady() + OPEN_MS, &largest, &e) == -1) {
		away(g, &e);
		g->back_off = g->back_off == 0 ? 50 : g->back_off * 2;
		if (g->back_off > BACK_OFF_MS)
			g->back_off = BACK_OFF_MS;
		pause_for(g, g->back_off);
		return;
	}
	log_say(g->log, LOG_INFO_, "%s is there; the largest event: %llu bytes",
	    g->kind->name, (unsigned long long)largest);
	g->back_off = 0;
	g->spoke_at = when_steady();
	pthread_mutex_lock(&g->lock);
	g->ready = true;
	g->largest = largest;
	pthread_mutex_unlock(&g->lock);
}

/* --- a batch --------------------------------------------------------------------------- */

static void
take_queue(struct remote *g, struct puts *some, uint64_t *remember, int64_t *until)
{
	int64_t now = when_steady();
	uint64_t bytes = 0;
	struct puts late;
	struct put *p;

	puts_init(some);
	puts_init(&late);
	pthread_mutex_lock(&g->lock);
	while (g->queue.first != NULL
	    && now - g->queue.first->arrived >= g->patience) {
		p = puts_pop(&g->queue);
		p->refusal = REFUSED_BUSY;
		p->why = "the engine is too slow";
		puts_add(&late, p);
	}
	g->counters.refused += late.n;
	tell(g, &late);
	while (g->queue.first != NULL && some->n < ENGINE_EVENTS && (some->n == 0
	    || bytes + g->queue.first->event.size + g->queue.first->n
	    <= ENGINE_BYTES)) {
		bytes += g->queue.first->event.size + g->queue.first->n;
		puts_add(some, puts_pop(&g->queue));
	}
	if (some->first != NULL) {
		g->since = now;
		*until = now + g->patience;
	}
	*remember = g->remember;
	pthread_mutex_unlock(&g->lock);
}

static void
write_one(struct remote *g, struct engine_event *v, struct put *p, uint64_t remember)
{
	struct buf *b = &g->text;
	size_t from = b->n;

	memset(v, 0, sizeof(*v));
	v->put = p;
	if (!put_body_open(p)) {
		v->answered = true;
		v->why = "no memory for its body";
		return;
	}
	v->body = p->claim != NULL ? str_of(p->claim) : p->event.body;
	repeat_name(v->name, &v->remember, &p->event, remember);
	event_json(b, &p->event, NULL, 0, false);
	if (p->claim != NULL && buf_ok(b)) {	/* a further member */
		b->n--;
		buf_printf(b, ",%.*s", (int)v->body.n - 1, v->body.p + 1);
	}
	v->json.n = b->n - from;	/* .p when all are written */
}

/* Nobody is sent what has no room: it alone is refused. */
static void
measure(struct remote *g, struct engine_event *v, uint64_t largest, size_t *at)
{
	v->json.p = g->text.p + *at;
	*at += v->json.n;
	v->size = v->body.n + v->json.n + 512;
	if (v->size > largest && !v->answered) {
		v->answered = true;
		v->to_claim = g->claim != NULL && v->put->claim == NULL;
		v->too_large = !v->to_claim;
		v->why = TOO_LARGE;
	}
}

static void
settle_one(struct remote *g, struct engine_event *v)
{
	struct store_counters *c = &g->counters;
	struct put *p = v->put;

	put_body_close(p);
	p->stored = (struct stored){ .flags = v->repeat ? STORED_REPEAT : 0 };
	memcpy(p->stored.id, v->repeat && v->id[0] != '\0' ? v->id : p->event.id,
	    sizeof(p->stored.id));
#ifdef TEST_UNANSWERED_IS_STORED	/* tests/engines.sh must notice */
	v->answered = true;
#endif
	if (!v->answered) {
		p->refusal = REFUSED_SYNC;
		p->why = "the engine did not acknowledge it";
	} else if (v->why != NULL) {
		p->refusal = v->too_large ? REFUSED_TOO_LARGE : REFUSED_BUSY;
		p->why = v->why;
	}
	if (p->refusal != 0)
		c->refused++;
	else if (v->repeat)
		c->repeats++;
	else
		c->events++;
	c->bytes += p->refusal == 0 ? p->event.size : 0;
}

static void
settle(struct remote *g, const struct puts *some)
{
	struct puts done;

	puts_init(&done);
	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < some->n; i++) {
		if (g->events[i].to_claim)
			continue;
		settle_one(g, &g->events[i]);
		puts_add(&done, g->events[i].put);
	}
	g->counters.batches += done.n > 0;
	if (g->counters.largest < done.n)
		g->counters.largest = done.n;
	g->since = 0;
	tell(g, &done);
	pthread_mutex_unlock(&g->lock);
}

/* --- too large for a message --------------------------------------------------------- */

/* Its body was put into the bucket, and it comes again; or it was not. */
static void
claimed(void *arg, struct put *p)
{
	struct remote *g = arg;
	struct puts one;

	puts_init(&one);
	pthread_mutex_lock(&g->lock);
	if (p->refusal == 0 && !g->ready) {
		p->refusal = REFUSED_BUSY;
		p->why = "the engine is away";
	}
	if (p->refusal != 0) {
		g->counters.refused++;
		puts_add(&one, p);
		tell(g, &one);
	} else {
		puts_add(&g->queue, p);
		if (g->queue.first == p)
			pthread_cond_signal(&g->work);
	}
	pthread_mutex_unlock(&g->lock);
}

static void
to_claim(struct remote *g, size_t n)
{
	int64_t patience;

	pthread_mutex_lock(&g->lock);
	patience = g->patience;
	pthread_mutex_unlock(&g->lock);
	for (size_t i = 0; i < n; i++) {
		struct put *p = g->events[i].put;

		if (!g->events[i].to_claim)
			continue;
		put_body_close(p);
		if (!claim_give(g->claim, p, p->arrived + patience)) {
			p->refusal = REFUSED_BUSY;
			p->why = "too much waits for the bucket of \"claim_check\"";
			claimed(g, p);
		}
	}
}

static void
send_batch(struct remote *g, struct puts *some, uint64_t remember, int64_t until)
{
	struct err e = { .code = ERR_NONE };
	struct put *p;
	size_t i, at = 0, n = 0;
	int rc = 0;

	buf_reset(&g->text);
	for (i = 0, p = some->first; p != NULL; p = p->next)
		write_one(g, &g->events[i++], p, remember);
	/* Without memory for its lines nothing of a batch is sent, or answered. */
	if (!buf_ok(&g->text))
		log_say(g->log, LOG_ERROR_, "no memory for %zu events", some->n);
	for (i = 0; i < some->n && buf_ok(&g->text); i++) {
		measure(g, &g->events[i], g->largest, &at);
		n += !g->events[i].answered;
	}
	if (n > 0)
		rc = g->kind->put(g->self, g->events, some->n, until, &e);
	if (n > 0)
		g->spoke_at = when_steady();
	settle(g, some);
	if (g->claim != NULL)
		to_claim(g, some->n);
	if (rc == -1)
		away(g, &e);
}

static void
look_alive(struct remote *g)
{
	struct err e = { .code = ERR_NONE };
	int64_t now = when_steady();

	if (now - g->spoke_at < PING_MS)
		return;
	if (g->kind->ping(g->self, now + HANGS_MS, &e) == -1)
		away(g, &e);
	g->spoke_at = when_steady();
}

static void *
run(void *arg)
{
	struct remote *g = arg;
	struct puts some;
	uint64_t remember;
	int64_t until = 0;
	bool stopped = false;

	puts_init(&some);
	pthread_setname_np(pthread_self(), "engine");
	while (!stopped) {
		if (!g->ready) {
			come_back(g);
		} else {
			take_queue(g, &some, &remember, &until);
			if (some.n > 0) {
				send_batch(g, &some, remember, until);
			} else {
				pause_for(g, PING_MS);
				look_alive(g);
			}
		}
		pthread_mutex_lock(&g->lock);
		stopped = g->stop && (g->queue.first == NULL || !g->ready);
		pthread_mutex_unlock(&g->lock);
	}
	refuse_queue(g, "the courier stops");
	g->kind->close(g->self);
	return NULL;
}

/* --- its life ------------------------------------------------------------------------- */

static void
stop(struct store *s)
{
	struct remote *g = of(s);

	if (g->claim != NULL)
		claim_stop(g->claim);	/* what it has comes to the queue first */
	pthread_mutex_lock(&g->lock);
	g->stop = true;
	pthread_cond_signal(&g->work);
	pthread_mutex_unlock(&g->lock);
	pthread_join(g->thread, NULL);
}

static void
engine_free(struct store *s)
{
	struct remote *g = of(s);

	claim_free(g->claim);
	if (g->self != NULL)
		g->kind->free(g->self);
	if (g->fd != -1)
		close(g->fd);
	buf_free(&g->text);
	buf_wipe(&g->secret);
	free(g->events);
	free(g->url);
	free(g->ca_file);
	free(g);
}

/* What was not linked is NULL: its library was not there when this was built. */
#pragma weak engine_redis
#pragma weak engine_nats
#pragma weak engine_kafka

static const struct row {
	enum engine	 engine;
	const struct engine_kind *kind;
	const char	*name, *package;
} rows[] = {
	{ ENGINE_REDIS, &engine_redis, "Redis", "libhiredis-dev" },
	{ ENGINE_NATS, &engine_nats, "NATS", "libnats-dev" },
	{ ENGINE_KAFKA, &engine_kafka, "Kafka", "librdkafka-dev" },
	{ ENGINE_PUBSUB, &engine_pubsub, "Pub/Sub", "libcurl4-openssl-dev" },
};

static const struct engine_kind *
kind_of(enum engine engine, struct err *e)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].engine != engine)
			continue;
		if (rows[i].kind == NULL)
			err_set(e, ERR_CONF, "this hooklatch-courier was built "
			    "without %s: install Debian's %s and build it again",
			    rows[i].name, rows[i].package);
		return rows[i].kind;
	}
	err_set(e, ERR_CONF, "there is no such engine");
	return NULL;
}

void
engine_load(const struct conf *conf)
{
	const struct engine_kind *kind;
	struct engine_url url;
	struct err e;

	if (conf->inbox_kind == INBOX_ENGINE && engine_url(&url, conf->inbox) == NULL &&
	    (kind = kind_of(url.engine, &e)) != NULL && kind->load != NULL)
		kind->load();
}

/* "USER:PASSWORD", or a token alone; of Pub/Sub JSON of Google's. */
static int
secret_read(struct remote *g, struct engine_setting *s, struct str secret,
    struct err *e)
{
	char *colon;

	if (secret.p == NULL)
		return 0;
	if (s->url.engine == ENGINE_PUBSUB) {
		buf_put(&g->secret, secret);
		s->credentials = buf_str(&g->secret);
		return buf_ok(&g->secret) ? 0 : err_set(e, ERR_CONF, "the credentials "
		    "for Pub/Sub are too long");
	}
	if (memchr(secret.p, '\0', secret.n) != NULL
	    || memchr(secret.p, '\n', secret.n) != NULL)
		return err_set(e, ERR_CONF, "\"inbox_secret\" must be one line, "
		    "USER:PASSWORD or a token");
	buf_put(&g->secret, secret);
	buf_putc(&g->secret, '\0');
	if (!buf_ok(&g->secret))
		return err_set(e, ERR_CONF, "\"inbox_secret\" is too long");
	s->password = g->secret.p;
	if ((colon = strchr(g->secret.p, ':')) != NULL) {
		*colon = '\0';
		s->user = g->secret.p;
		s->password = colon + 1;
	}
	return 0;
}

static void
synchronise(struct remote *g)
{
	pthread_condattr_t attr;

	puts_init(&g->queue);
	puts_init(&g->done);
	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->work, &attr);
	pthread_condattr_destroy(&attr);
}

struct store *
engine_start(const struct conf *conf, const struct bundle *bundle, struct log *log,
    const struct inbox_limits *limits, int64_t patience, struct err *e)
{
	static const struct store_kind kind = { give, descriptor, take, health,
	    limit, counters, stop, engine_free };
	struct engine_setting s = { .strict = conf->durability == DURABLE_STRICT,
	    .log = log, .metadata = conf->inbox_metadata,
	    .emulator = conf->inbox_emulator };
	struct remote *g = calloc(1, sizeof(*g));
	struct str secret = conf->inbox_secret_used.n == 0 ? STR_NONE :
	    bundle_secret(bundle, conf->inbox_secret_used);

	if (g == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	g->store.kind = &kind;
	g->log = log;
	g->text = BUF((size_t)ENGINE_MESSAGE * 64);
	g->secret = BUF(64 * 1024);
	synchronise(g);
	limit(&g->store, limits, patience);
	snprintf(g->why, sizeof(g->why), "it was not asked yet");
	g->events = calloc(ENGINE_EVENTS, sizeof(*g->events));
	g->url = strndup(conf->inbox.p, conf->inbox.n);
	g->ca_file = conf->ca_file.n == 0 ? NULL :
	    strndup(conf->ca_file.p, conf->ca_file.n);
	g->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->events == NULL || g->url == NULL || g->fd == -1) {
		err_set(e, ERR_OS, "no memory or no descriptor for the engine");
		goto no;
	}
	s.ca_file = g->ca_file;
	if (engine_url(&s.url, str_of(g->url)) != NULL
	    || (g->kind = kind_of(s.url.engine, e)) == NULL
	    || secret_read(g, &s, secret, e) == -1
	    || (g->self = g->kind->make(&s, e)) == NULL)
		goto no;
	if (conf->claim_check.n > 0 && (g->claim = claim_start(conf, bundle, log,
	    claimed, g, e)) == NULL)
		goto no;
	come_back(g);		/* health is true from the first question on */
	if (pthread_create(&g->thread, NULL, run, g) != 0) {
		err_set(e, ERR_OS, "no thread for the engine");
		if (g->claim != NULL)
			claim_stop(g->claim);
		goto no;
	}
	return &g->store;
no:
	engine_free(&g->store);
	return NULL;
}
