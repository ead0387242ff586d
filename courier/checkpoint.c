/* checkpoint.c - see checkpoint.h. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "../base/when.h"
#include "checkpoint.h"

#ifndef MIB		/* tests/courier.sh has smaller ones */
#define MIB		(1024u * 1024)
#endif
#define LOG_WARN	(256u * MIB)	/* see checkpoint.h */
#define LOG_FULL	(1024u * MIB)

#define WAIT_MS		1000		/* of the writer, at most */
#define HELD_MS		1000		/* between two copies that gain nothing */

/* Of the thread's last run. */
struct run {
	bool		running;
	bool		held;		/* it copied nothing, though there was more */
	enum inbox_code	code;
	uint64_t	done;		/* bytes of the log that are copied */
};

struct checkpoint {
	struct inbox		*inbox;
	struct inbox_side	*side;
	struct log		*log;
	pthread_t		 thread;
	pthread_mutex_t		 lock;
	pthread_cond_t		 work;
	pthread_cond_t		 rest;
	struct run		 last;
	bool			 stop;

	/* The writer's own. */
	int64_t			 next;		/* kick not before: steady ms */
	uint64_t		 size;		/* of the log at its last turn */
	uint64_t		 tried;		/* ... when it last copied itself */
	bool			 full;
	bool			 warned;
};

static enum inbox_code
copy(struct checkpoint *c, int *in_log, int *done, struct err *e)
{
	sqlite3 *db = inbox_side_enter(c->side, e);
	sqlite3_file *f = NULL;
	int rc;

	*in_log = *done = 0;
	if (db == NULL)
		return INBOX_LOCKED;	/* it is being settled: not for us to say */
	rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, in_log,
	    done);
	/*
	 * SQLite syncs the database only with the last page of the log, and that
	 * is the writer's to copy: what can be synced here it need not wait for.
	 */
	if (rc == SQLITE_OK && *done > 0)
		rc = sqlite3_file_control(db, NULL, SQLITE_FCNTL_FILE_POINTER, &f);
	if (rc == SQLITE_OK && f != NULL && f->pMethods != NULL)
		rc = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL
		    | SQLITE_SYNC_DATAONLY);
	inbox_side_leave(c->side);
	return inbox_code_of(c->inbox, rc, "a checkpoint", e);
}

static void *
run(void *arg)
{
	struct checkpoint *c = arg;
	enum inbox_code code;
	struct err e;
	int in_log, done;
	uint64_t bytes;

	pthread_setname_np(pthread_self(), "checkpoint");
	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		if (!c->last.running) {
			pthread_cond_wait(&c->work, &c->lock);
			continue;
		}
		pthread_mutex_unlock(&c->lock);
		code = copy(c, &in_log, &done, &e);
		bytes = inbox_log_bytes(c->inbox, (unsigned)(done < 0 ? 0 : done));
		pthread_mutex_lock(&c->lock);
		if ((code == INBOX_DOUBT || code == INBOX_FULL)
		    && code != c->last.code)
			log_say(c->log, LOG_ERROR_, "%s", e.text);
		c->last.held = code != INBOX_OK || (done < in_log
		    && bytes <= c->last.done);
		c->last.code = code;
		c->last.done = bytes;
		c->last.running = false;
		pthread_cond_broadcast(&c->rest);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

struct checkpoint *
checkpoint_start(struct inbox *inbox, struct log *log, struct err *e)
{
	struct checkpoint *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->side = inbox_side_new(inbox, false)) == NULL) {
		err_set(e, ERR_OS, "no memory");
		free(c);
		return NULL;
	}
	c->inbox = inbox;
	c->log = log;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	pthread_cond_init(&c->rest, NULL);
	if (pthread_create(&c->thread, NULL, run, c) != 0) {
		err_set(e, ERR_OS, "no thread for checkpoints");
		inbox_side_free(c->side);
		free(c);
		return NULL;
	}
	return c;
}

void
checkpoint_stop(struct checkpoint *c)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	inbox_side_free(c->side);
	free(c);
}

/* --- the writer's turn ----------------------------------------------------------- */

static struct run
look(struct checkpoint *c)
{
	struct run r;

	pthread_mutex_lock(&c->lock);
	r = c->last;
	pthread_mutex_unlock(&c->lock);
	return r;
}

static void
kick(struct checkpoint *c)
{
	pthread_mutex_lock(&c->lock);
	c->last.running = true;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
}

static void
note(struct checkpoint *c, uint64_t done)
{
	pthread_mutex_lock(&c->lock);
	c->last.done = done;
	c->last.held = false;
	c->last.code = INBOX_OK;
	pthread_mutex_unlock(&c->lock);
}

static struct run
wait_for_run(struct checkpoint *c)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&c->lock);
	if (c->last.running)
		pthread_cond_timedwait(&c->rest, &c->lock, &until);
	pthread_mutex_unlock(&c->lock);
	return look(c);
}

/* A reader holds it: that cannot be helped, only said. */
static void
warn(struct checkpoint *c, uint64_t size)
{
	if (size < LOG_WARN) {
		c->warned = false;
	} else if (!c->warned) {
		c->warned = true;
		log_say(c->log, LOG_WARN_, "inbox %s: its log has %llu MiB: a "
		    "reader holds it open (a transaction by hand?); at %u MiB "
		    "events are refused", inbox_path(c->inbox),
		    (unsigned long long)(size / MIB), LOG_FULL / MIB);
	}
}

enum inbox_code
checkpoint_turn(struct checkpoint *c, struct err *e)
{
	uint64_t size = inbox_wal_bytes(c->inbox), left;
	uint64_t share = inbox_log_share(c->inbox);
	struct run r = look(c);
	int64_t now = when_steady();
	enum inbox_code code;
	int mode = SQLITE_CHECKPOINT_PASSIVE;
	bool late;

	if (r.code == INBOX_DOUBT) {
		note(c, 0);
		err_set(e, ERR_IO, "inbox %s: a checkpoint failed",
		    inbox_path(c->inbox));
		return INBOX_DOUBT;
	}
	c->full = size > LOG_FULL;
	warn(c, size);
	if (size < c->size) {		/* begun anew */
		c->tried = 0;
		note(c, r.done = 0);
	}
	c->size = size;
	if (size < share)
		return INBOX_OK;
	late = size > share * INBOX_LOG_MOST && !r.held;
	if (r.running && late)
		r = wait_for_run(c);
	if (r.running)
		return INBOX_OK;
	if (size > r.done + share / 16 && !late) {
		if (now >= c->next) {
			c->next = r.held ? now + HELD_MS : 0;
			kick(c);
		}
		return INBOX_OK;
	}
	/* Copied whole and still not begun anew: a reader was in the way. */
	if (size < c->tried + share / 16 && !c->full)
		return INBOX_OK;
	c->tried = size;
	if (c->full)
		mode = SQLITE_CHECKPOINT_TRUNCATE;	/* no commit will do it */
	code = inbox_checkpoint(c->inbox, mode, &left, e);
	if (code == INBOX_OK)
		note(c, mode == SQLITE_CHECKPOINT_PASSIVE ? size - left : 0);
	return code == INBOX_DOUBT ? code : INBOX_OK;
}

bool
checkpoint_full(const struct checkpoint *c)
{
	return c->full;
}

void
checkpoint_reset(struct checkpoint *c)
{
	note(c, 0);
	c->full = c->warned = false;
	c->size = c->tried = 0;
	c->next = 0;
}
