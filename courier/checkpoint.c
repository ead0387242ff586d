/* checkpoint.c - see checkpoint.h. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "checkpoint.h"

struct checkpoint {
	struct inbox		*inbox;
	struct inbox_side	*side;
	struct log		*log;
	pthread_t		 thread;
	pthread_mutex_t		 lock;
	pthread_cond_t		 work;
	pthread_cond_t		 rest;
	struct checkpoint_state	 state;
	bool			 stop;
};

static enum inbox_code
copy(struct checkpoint *c, int *in_log, int *done, struct err *e)
{
	sqlite3 *db = inbox_side_enter(c->side, e);
	int rc;

	*in_log = *done = 0;
	if (db == NULL)
		return INBOX_LOCKED;	/* it is being settled: not for us to say */
	rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, in_log,
	    done);
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

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		if (!c->state.running) {
			pthread_cond_wait(&c->work, &c->lock);
			continue;
		}
		pthread_mutex_unlock(&c->lock);
		code = copy(c, &in_log, &done, &e);
		bytes = inbox_log_bytes(c->inbox, (unsigned)(done < 0 ? 0 : done));
		if (code == INBOX_DOUBT || code == INBOX_FULL)
			log_say(c->log, LOG_ERROR_, "%s", e.text);
		pthread_mutex_lock(&c->lock);
		c->state.held = code == INBOX_OK && done < in_log
		    && bytes <= c->state.done;
		c->state.code = code;
		c->state.done = bytes;
		c->state.running = false;
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

void
checkpoint_kick(struct checkpoint *c)
{
	pthread_mutex_lock(&c->lock);
	c->state.running = true;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
}

struct checkpoint_state
checkpoint_look(struct checkpoint *c)
{
	struct checkpoint_state s;

	pthread_mutex_lock(&c->lock);
	s = c->state;
	pthread_mutex_unlock(&c->lock);
	return s;
}

void
checkpoint_wait(struct checkpoint *c, unsigned ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	if ((until.tv_nsec += ms % 1000 * 1000000L) >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&c->lock);
	if (c->state.running)
		pthread_cond_timedwait(&c->rest, &c->lock, &until);
	pthread_mutex_unlock(&c->lock);
}

void
checkpoint_note(struct checkpoint *c, uint64_t done)
{
	pthread_mutex_lock(&c->lock);
	c->state.done = done;
	c->state.held = false;
	c->state.code = INBOX_OK;
	pthread_mutex_unlock(&c->lock);
}
