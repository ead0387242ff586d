/* errands.c - see errands.h. */
#include <sys/eventfd.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errands.h"

struct errands {
	struct captured	*captured;
	struct quarantine *quarantine;
	struct log	*log;
	pthread_t	 thread;
	pthread_mutex_t	 lock;
	pthread_cond_t	 more;
	struct errand	*waiting, **waiting_end;
	size_t		 nwaiting;
	struct errand	*done, **done_end;
	bool		 stop;
	int		 told;		/* eventfd */
};

struct errand *
errand_new(struct conn *conn, enum wire_type type, struct str said)
{
	struct errand *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->conn = conn;
	e->type = type;
	e->said = BUF(WIRE_MAX);
	e->bytes = BUF(CAPTURED_SECRET_MAX);
	buf_put(&e->said, said);
	if (buf_ok(&e->said))
		return e;
	errand_free(e);
	return NULL;
}

void
errand_free(struct errand *e)
{
	if (e == NULL)
		return;
	buf_wipe(&e->said);
	buf_wipe(&e->bytes);
	free(e);
}

/* --- the work ----------------------------------------------------------------- */

static void
capture(struct errands *all, struct errand *e, struct get *g)
{
	struct str names, secret;
	char name[65];
	struct err err;

	e->ticket = get_u64(g);
	names = get_str(g);
	secret = get_str(g);
	if ((e->broken = !get_done(g)))
		return;
	e->why = "no window is open for a secret";
	e->refusal = REFUSED_NO_WINDOW;
	if (all->captured == NULL)
		return;
	e->refusal = captured_take(all->captured, names, secret, name, &err);
	if (e->refusal == 0)
		log_say(all->log, LOG_INFO_, "captured the secret \"%s\"; its "
		    "window is shut", name);
	else if (e->refusal == REFUSED_SYNC) {
		e->why = "the secret could not be kept";
		log_say(all->log, LOG_ERROR_, "capturing a secret: %s", err.text);
	}
}

static void
want_secret(struct errands *all, struct errand *e, struct get *g)
{
	struct str name;

	e->ticket = get_u64(g);
	name = get_str(g);
	if ((e->broken = !get_done(g)))
		return;
	e->why = "there is no secret of that name";
	e->refusal = all->captured != NULL && captured_get(all->captured, name,
	    &e->bytes) ? 0 : REFUSED_NO_KEY;
}

static void
set_aside(struct errands *all, struct errand *e, struct get *g)
{
	struct str verdict = get_str(g), reason = get_str(g);
	struct event ev;

	get_event(g, &ev);
	e->broken = !get_done(g);
	if (!e->broken && all->quarantine != NULL && ev.body.p != NULL)
		quarantine_put(all->quarantine, verdict, reason, &ev);
}

static void
run(struct errands *all, struct errand *e)
{
	struct get g = GET(buf_str(&e->said));

	switch (e->type) {
	case WIRE_CAPTURE:
		capture(all, e, &g);
		break;
	case WIRE_WANT_SECRET:
		want_secret(all, e, &g);
		break;
	case WIRE_QUARANTINE:
		set_aside(all, e, &g);
		break;
	default:
		e->broken = true;
		break;
	}
}

/* --- the thread ------------------------------------------------------------------ */

static void *
work(void *arg)
{
	struct errands *all = arg;
	struct errand *e;
	uint64_t one = 1;

	pthread_setname_np(pthread_self(), "errands");
	pthread_mutex_lock(&all->lock);
	for (;;) {
		while (all->waiting == NULL && !all->stop)
			pthread_cond_wait(&all->more, &all->lock);
		if ((e = all->waiting) == NULL)
			break;
		if ((all->waiting = e->next) == NULL)
			all->waiting_end = &all->waiting;
		all->nwaiting--;
		pthread_mutex_unlock(&all->lock);
		run(all, e);
		pthread_mutex_lock(&all->lock);
		e->next = NULL;
		*all->done_end = e;
		all->done_end = &e->next;
		if (write(all->told, &one, sizeof(one)) == -1)
			continue;	/* it is readable already */
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

struct errands *
errands_start(struct captured *captured, struct quarantine *quarantine,
    struct log *log, struct err *e)
{
	struct errands *all = calloc(1, sizeof(*all));

	if (all == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	all->captured = captured;
	all->quarantine = quarantine;
	all->log = log;
	all->waiting_end = &all->waiting;
	all->done_end = &all->done;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->more, NULL);
	all->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (all->told == -1 ||
	    pthread_create(&all->thread, NULL, work, all) != 0) {
		err_set(e, ERR_OS, "the thread of errands: %s", strerror(errno));
		free(all);
		return NULL;
	}
	return all;
}

void
errands_stop(struct errands *all)
{
	struct errand *e;

	if (all == NULL)
		return;
	pthread_mutex_lock(&all->lock);
	all->stop = true;
	pthread_cond_signal(&all->more);
	pthread_mutex_unlock(&all->lock);
	pthread_join(all->thread, NULL);
	while ((e = all->done) != NULL) {
		all->done = e->next;
		errand_free(e);
	}
	close(all->told);
	pthread_cond_destroy(&all->more);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

bool
errands_give(struct errands *all, struct errand *e)
{
	bool taken;

	e->next = NULL;
	pthread_mutex_lock(&all->lock);
	taken = all->nwaiting < ERRANDS_MOST;
	if (taken) {
		*all->waiting_end = e;
		all->waiting_end = &e->next;
		all->nwaiting++;
		pthread_cond_signal(&all->more);
	}
	pthread_mutex_unlock(&all->lock);
	return taken;
}

int
errands_fd(const struct errands *all)
{
	return all->told;
}

struct errand *
errands_take(struct errands *all)
{
	struct errand *e;
	uint64_t n;

	pthread_mutex_lock(&all->lock);
	if ((e = all->done) != NULL) {
		if ((all->done = e->next) == NULL)
			all->done_end = &all->done;
	} else if (read(all->told, &n, sizeof(n)) == -1) {
		e = NULL;		/* nobody had told */
	}
	pthread_mutex_unlock(&all->lock);
	return e;
}
