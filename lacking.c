/* lacking.c - see lacking.h. */
#include <poll.h>
#include <stdlib.h>

#include "lacking.h"
#include "base/when.h"
#include "conf.h"
#include "link.h"

#define AGAIN_MS	100		/* between two looks for a courier */
#define AT_ONCE		64		/* asked and not answered; less than it takes */

struct lacking {
	struct bundle	*bundle;
	struct conf	*conf;
	struct link	*link;
	struct str	*names;		/* their text is the bundle's */
	size_t		 n;
	size_t		 next_name;	/* to be asked */
	size_t		 open;		/* not answered */
	unsigned	 serial;	/* of the connection on which they were asked */
	bool		 asked;
	int64_t		 until;
	int64_t		 next;
};

static int
no_memory(struct err *e)
{
	return err_set(e, ERR_OS, "no memory to ask for secrets");
}

/* Their names, before any is there. */
static int
take_names(struct lacking *a, struct err *e)
{
	size_t at = 0;

	a->names = calloc(bundle_count(a->bundle) + 1, sizeof(*a->names));
	if (a->names == NULL)
		return no_memory(e);
	while ((a->names[a->n] = bundle_lacks(a->bundle, &at)).p != NULL)
		a->n++;
	return 0;
}

int
lacking_begin(struct lacking **out, struct bundle *b, const char *conf_path, int64_t now,
    struct err *e)
{
	struct conf_place here = conf_here();
	struct lacking *a;
	size_t at = 0;

	*out = NULL;
	if (bundle_lacks(b, &at).p == NULL)
		return 0;
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return no_memory(e);
	a->bundle = b;
	a->until = now + LACKING_MS;
	a->conf = conf_gathered(b, conf_path, e);
	if (a->conf == NULL || conf_settle(a->conf, &here, NULL, e) == -1 ||
	    take_names(a, e) == -1)
		goto bad;
	if ((a->link = link_new(a->conf->courier, a->conf->courier_user)) == NULL) {
		no_memory(e);
		goto bad;
	}
	*out = a;
	return 0;
bad:
	lacking_free(a);
	return -1;
}

void
lacking_free(struct lacking *a)
{
	if (a == NULL)
		return;
	link_free(a->link);
	conf_free(a->conf);
	free(a->names);
	free(a);
}

int
lacking_fd(const struct lacking *a)
{
	return link_fd(a->link);
}

int64_t
lacking_next(const struct lacking *a)
{
	return a->next;
}

/* Some that are not there yet; a ticket is the name's place. */
static void
ask(struct lacking *a)
{
	if (!a->asked || a->serial != link_serial(a->link))
		a->next_name = a->open = 0;
	a->asked = true;
	a->serial = link_serial(a->link);
	for (; a->next_name < a->n && a->open < AT_ONCE; a->next_name++)
		if (bundle_secret(a->bundle, a->names[a->next_name]).p == NULL) {
			link_want_secret(a->link, a->next_name,
			    a->names[a->next_name]);
			a->open++;
		}
	link_flush(a->link);
}

static int
take(struct lacking *a, const struct link_reply *r, struct err *e)
{
	if (r->ticket >= a->n || a->open-- == 0 || (r->kind != REPLY_SECRET && r->kind != REPLY_REFUSED))
		return err_set(e, ERR_PROTOCOL, "the courier answered something that "
		    "was not asked");
	if (r->kind == REPLY_REFUSED)
		return err_set(e, ERR_CONF, "%.*s", STR_ARG(r->text));
	if (r->bytes.n == 0 || bundle_put_secret(a->bundle, a->names[r->ticket],
	    r->bytes) == -1)
		return no_memory(e);
	return 0;
}

static int
away(const struct lacking *a, struct err *e)
{
	return err_set(e, ERR_AWAY, "the secret \"%.*s\" is the courier's to fetch, and "
	    "%s at unix:%.*s %s: is hooklatch-courier running?", STR_ARG(a->names[0]),
	    link_is_strange(a->link) ? "who listens" : "it",
	    STR_ARG(a->conf->courier), link_is_strange(a->link) ?
	    "is another user" : "did not answer");
}

int
lacking_step(struct lacking *a, int64_t now, struct err *e)
{
	struct link_reply r;
	size_t at = 0;
	int got = 0;

	if (now >= a->until)
		return away(a, e);
	a->next = now + AGAIN_MS;
	if (!link_up(a->link, now))
		return 0;
	ask(a);
	if (link_receive(a->link) == -1)
		return 0;
	while ((got = link_next(a->link, &r)) == 1)
		if (take(a, &r, e) == -1)
			return -1;
	if (bundle_lacks(a->bundle, &at).p == NULL)
		return 1;
	if (got == 0)
		ask(a);
	if (got == 0 && link_flush(a->link) == 0 && !link_waiting(a->link))
		a->next = a->until;
	return 0;
}

int
lacking_all(struct bundle *b, const char *conf_path, struct err *e)
{
	struct lacking *a;
	struct pollfd p;
	int done = 0;

	if (lacking_begin(&a, b, conf_path, when_steady(), e) == -1)
		return -1;
	while (a != NULL && done == 0) {
		int64_t now = when_steady();

		if ((done = lacking_step(a, now, e)) != 0)
			break;
		p = (struct pollfd){ .fd = lacking_fd(a), .events = POLLIN };
		poll(&p, 1, a->next > now ? (int)(a->next - now) : 0);
	}
	lacking_free(a);
	return done == -1 ? -1 : 0;
}
