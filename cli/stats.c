/*
 * stats.c - what was counted by all processes: the courier adds it up, and is asked.
 */
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/os.h"
#include "cli/asked.h"
#include "cli/cli.h"
#include "stats.h"

struct stats_options {
	const char	*config;
	bool		 json;
	bool		 prometheus;
	bool		 markdown;
};

#define AT(field)	offsetof(struct stats_options, field)
const struct option_row stats_options[] = {
	{ "config", 'c', "FILE", AT(config),
	    "the configuration; without it the environment" },
	{ "json", 0, NULL, AT(json), "one object: a name, and its series" },
	{ "prometheus", 0, NULL, AT(prometheus), "the text that Prometheus reads" },
	{ "markdown", 0, NULL, AT(markdown), "all that there is to count, as a table" },
	{ NULL, 0, NULL, 0, NULL }
};
#undef AT

/* What came in a memfd, added to s. */
static int
read_series(struct stats *s, int fd, struct err *e)
{
	uint64_t size;
	void *series;
	int rc;

	if (fd == -1 || os_memfd_sealed(fd, &size, e) == -1 || size == 0 ||
	    size > STATS_TEXT_MAX ||
	    (series = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
		return err_set(e, ERR_PROTOCOL, "the courier sent no counters");
	rc = stats_get(s, (struct str){ series, size }, false);
	munmap(series, size);
	return rc == 0 ? 0 : err_set(e, ERR_PROTOCOL, "the courier counts what this "
	    "program does not know: is one of the two older?");
}

static int
ask(struct asked *c, struct stats *s, struct err *e)
{
	struct buf b = BUF(256);
	struct wire_msg m;
	int rc;

	put_u64(&b, ++c->ticket);
	put_u8(&b, COUNTERS_SERIES);
	put_str(&b, STR(""));
	if (asked_say(c, WIRE_COUNTERS, &b, e) == -1 || asked_next(c, &m, e) == -1)
		return -1;
	rc = m.type == WIRE_COUNTERS ? read_series(s, m.fd, e) : asked_end(&m, e);
	if (m.fd != -1)
		close(m.fd);
	return rc;
}

static int
show(const struct stats_options *o, const struct stats *s, struct err *e)
{
	struct buf b = BUF(CLI_OUT_MAX);
	int rc;

	if (o->json)
		stats_json(s, &b);
	else if (o->prometheus)
		stats_text(s, &b);
	else
		stats_table(s, &b);
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

static int
manual(struct err *e)
{
	struct buf b = BUF(CLI_OUT_MAX);
	int rc;

	stats_manual(&b);
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

int
stats_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct stats_options o = { .config = NULL };
	struct asked c = { .reader = 0 };
	struct stats *s;
	struct conf *conf;
	int rc;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	if (argc != 0 || o.json + o.prometheus + o.markdown > 1)
		return err_set(e, ERR_USAGE, argc != 0 ? "stats takes no operand" :
		    "one of --json, --prometheus and --markdown");
	if (o.markdown)
		return manual(e);
	if ((conf = cli_conf(cli_config(o.config), NULL, NULL, e)) == NULL)
		return -1;
	if ((s = stats_new(STATS_COURIER)) == NULL) {
		conf_free(conf);
		return err_set(e, ERR_OS, "not enough memory");
	}
	rc = asked_courier(&c, conf, e);
	if (rc == 0)
		rc = ask(&c, s, e);
	if (rc == 0)
		rc = show(&o, s, e);
	asked_close(&c);
	stats_free(s);
	conf_free(conf);
	return rc;
}
