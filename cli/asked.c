/*
 * asked.c - see asked.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "engine_url.h"
#include "cli/asked.h"
#include "cli/cli.h"

#define PATIENCE_MS	15000		/* without a word from the courier */

void
asked_close(struct asked *c)
{
	wire_free(c->wire);		/* a reader ends when its door closes */
	c->wire = NULL;
	if (c->reader > 0)
		while (waitpid(c->reader, NULL, 0) == -1 && errno == EINTR)
			;
	c->reader = 0;
}

static int
reader_start(struct asked *c, const char *config, struct err *e)
{
	char program[512], door[16];
	const char *argv[8];
	int pair[2];
	size_t n = 0;

	if (cli_program("hooklatch-courier", program, sizeof(program), e) == -1)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return err_set(e, ERR_OS, "socketpair: %s", strerror(errno));
	snprintf(door, sizeof(door), "%d", pair[1]);
	argv[n++] = "hooklatch-courier";
	argv[n++] = "--read-only";
	argv[n++] = "--operator-fd";
	argv[n++] = door;
	if (config != NULL) {
		argv[n++] = "-c";
		argv[n++] = config;
	}
	argv[n] = NULL;
	if ((c->reader = fork()) == 0) {
		fcntl(pair[1], F_SETFD, 0);
		execv(program, (char *const *)argv);
		_exit(ERR_OS);
	}
	close(pair[1]);
	if (c->reader == -1) {
		c->reader = 0;
		close(pair[0]);
		return err_set(e, ERR_OS, "fork: %s", strerror(errno));
	}
	c->wire = wire_new(pair[0], DOOR_OPERATOR, WIRE_MAX);
	return c->wire != NULL ? 0 : err_set(e, ERR_OS, "not enough memory");
}

/* The end of a reader of our own says why better than a closed socket. */
static int
asked_lost(struct asked *c, struct err *e)
{
	int status = 0;

	if (c->reader > 0) {
		wire_free(c->wire);
		c->wire = NULL;
		waitpid(c->reader, &status, 0);
		c->reader = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) >= 64 &&
		    WEXITSTATUS(status) <= 78)
			return err_set(e, (enum errcode)WEXITSTATUS(status),
			    "the inbox cannot be read; what hooklatch-courier said "
			    "stands above");
	}
	return err_set(e, ERR_AWAY, "the courier closed the connection: it is being "
	    "stopped, or you are neither root nor the user that it runs as");
}

int
asked_next(struct asked *c, struct wire_msg *m, struct err *e)
{
	struct pollfd p = { .fd = wire_fd(c->wire) };
	int rc;

	for (;;) {
		if ((rc = wire_next(c->wire, m, e)) != 0)
			return rc == 1 ? 0 : -1;
		p.events = (short)(POLLIN | (wire_waiting(c->wire) ? POLLOUT : 0));
		rc = poll(&p, 1, PATIENCE_MS);
		if (rc == 0)
			return err_set(e, ERR_AWAY, "the courier has not answered for "
			    "%d s; is it stopped or the disk stuck?",
			    PATIENCE_MS / 1000);
		if (rc == -1)
			return err_set(e, ERR_OS, "poll: %s", strerror(errno));
		if ((p.revents & POLLOUT) != 0 && wire_flush(c->wire, e) == -1)
			return asked_lost(c, e);
		if ((p.revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
		    wire_receive(c->wire, e) == -1) {
			/* What came before the end still counts. */
			if ((rc = wire_next(c->wire, m, e)) == 1)
				return 0;
			return asked_lost(c, e);
		}
	}
}

int
asked_say(struct asked *c, enum wire_type type, struct buf *b, struct err *e)
{
	int rc = -1;

	if (buf_ok(b) && wire_send(c->wire, type, buf_str(b), -1) == 0)
		rc = 0;
	else
		err_set(e, ERR_SOFTWARE, "the question does not fit a message");
	buf_free(b);
	if (rc == 0 && wire_flush(c->wire, e) == -1)
		rc = asked_lost(c, e);
	return rc;
}

/* Who we are, and whether we are welcome. */
static int
asked_greet(struct asked *c, struct err *e)
{
	struct buf b = BUF(256);
	struct wire_msg m;

	put_u8(&b, ROLE_OPERATOR);
	put_u32(&b, (uint32_t)getpid());
	put_str(&b, STR("hooklatch"));
	if (asked_say(c, WIRE_HELLO, &b, e) == -1 || asked_next(c, &m, e) == -1)
		return -1;
	if (m.fd != -1)
		close(m.fd);
	if (m.type != WIRE_WELCOME)
		return err_set(e, ERR_PROTOCOL, "the courier answers in words of "
		    "another version");
	return 0;
}

static int
asked_connect(struct asked *c, const struct conf *conf, struct err *e)
{
	char path[256];
	struct err away;
	int fd;

	*c = (struct asked){ .reader = 0 };
	signal(SIGPIPE, SIG_IGN);
	snprintf(path, sizeof(path), "%.*s", STR_ARG(conf->courier));
	if ((fd = os_connect_unix(path, &away)) == -1)
		return err_set(e, ERR_AWAY, "no courier answers at %s: this "
		    "needs the service to run", path);
	if ((c->wire = wire_new(fd, DOOR_OPERATOR, WIRE_MAX)) == NULL)
		return err_set(e, ERR_OS, "not enough memory");
	return 0;
}

/* rc: of how it was reached. */
static int
asked_begin(struct asked *c, int rc, struct err *e)
{
	if (rc == 0 && (rc = asked_greet(c, e)) == -1)
		asked_close(c);
	return rc;
}

int
asked_courier(struct asked *c, const struct conf *conf, struct err *e)
{
	return asked_begin(c, asked_connect(c, conf, e), e);
}

/* We do not read engines: each has a tool that does. */
static int
in_engine(const struct conf *conf, struct err *e)
{
	struct engine_url u;
	const struct engine_host *h = &u.hosts[0];
	struct str rest, project;
	char tool[900] = "";

	engine_url(&u, conf->inbox);
	switch (u.engine) {
	case ENGINE_REDIS:
		snprintf(tool, sizeof(tool), "redis-cli -h %.*s -p %u -n %u XRANGE "
		    "%.*s - +", STR_ARG(h->name), h->port, u.db,
		    STR_ARG(u.stream));
		break;
	case ENGINE_NATS:
		snprintf(tool, sizeof(tool), "nats -s %.*s:%u stream view %.*s",
		    STR_ARG(h->name), h->port, STR_ARG(u.stream));
		break;
	case ENGINE_KAFKA:
		snprintf(tool, sizeof(tool), "kcat -b %.*s:%u -C -t %.*s -f "
		    "'%%h %%s\\n'", STR_ARG(h->name), h->port, STR_ARG(u.stream));
		break;
	case ENGINE_PUBSUB:
		rest = u.stream;
		str_cut(&rest, '/');
		project = str_cut(&rest, '/');
		str_cut(&rest, '/');
		snprintf(tool, sizeof(tool), "gcloud pubsub subscriptions create NAME "
		    "--topic %.*s --project %.*s, before they come; then gcloud pubsub "
		    "subscriptions pull NAME --project %.*s --format json",
		    STR_ARG(rest), STR_ARG(project), STR_ARG(project));
		break;
	case ENGINE_NONE:
		break;
	}
	return err_set(e, ERR_CONF, "\"inbox\" is an engine, %.*s, and events are "
	    "read there: %s", STR_ARG(conf->inbox), tool);
}

int
asked_open(struct asked *c, const struct conf *conf, const char *config,
    bool reading, struct err *e)
{
	int rc;

	*c = (struct asked){ .reader = 0 };
	if (conf->inbox_kind == INBOX_ENGINE)
		return in_engine(conf, e);
	if (conf->inbox_kind != INBOX_SQLITE)
		return err_set(e, ERR_CONF, "\"inbox\" is \"%.*s\": no events are kept "
		    "here", STR_ARG(conf->inbox));
	rc = asked_connect(c, conf, e);
	if (rc == -1 && reading && e->code == ERR_AWAY)
		rc = reader_start(c, config, e);
	return asked_begin(c, rc, e);
}

int
asked_end(const struct wire_msg *m, struct err *e)
{
	struct get g = GET(m->body);
	struct str wrong;

	if (m->type != WIRE_END)
		return err_set(e, ERR_PROTOCOL, "the courier said something else than "
		    "was asked");
	get_u64(&g);
	get_u64(&g);
	wrong = get_str(&g);
	if (!get_done(&g))
		return err_set(e, ERR_PROTOCOL, "an end that cannot be read");
	return wrong.n == 0 ? 0 : err_set(e, ERR_TEMP, "%.*s", STR_ARG(wrong));
}
