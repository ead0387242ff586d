/*
 * cli.h - the operator's tool: what its subcommands share.
 *
 * A subcommand is a row of the table in main.c and one file; an option is a row
 * of that file's table, and parsing and help come from the row.  Every
 * subcommand returns an exit status of sysexits.h, by way of struct err.
 */
#ifndef CLI_H
#define CLI_H

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf.h"

#define WORDS_MAX	32

/* What an option gave that may come several times. */
struct words {
	const char	*p[WORDS_MAX];
	size_t		 n;
};

/*
 * One option.  arg NULL: a flag, and a bool stands at the offset; else a const
 * char * stands there, or a struct words when arg ends in "...".  An arg in
 * brackets, "[FILE]", may be left out: the text is then "".
 */
struct option_row {
	const char	*name;		/* "config": --config FILE, --config=FILE */
	char		 letter;	/* 'c': -c FILE; 0: none */
	const char	*arg;
	size_t		 at;
	const char	*says;
};

struct command {
	const char	*name;
	const char	*operands;	/* "[ID]", or "" */
	const char	*says;		/* one line of help */
	const struct option_row *options;	/* ended by a NULL name */
	int		(*run)(const struct command *, int argc, char **argv,
			    struct err *);
};

/*
 * Puts options into the struct at into and moves the operands to the front of
 * argv.  Gives their number, or -1 and a sentence of ERR_USAGE.
 */
int	cli_options(const struct command *, int argc, char **argv, void *into,
	    struct err *);

/* --- the subcommands: 0, or -1 and an error whose code is the exit status --- */

int	serve_run(const struct command *, int, char **, struct err *);
int	check_run(const struct command *, int, char **, struct err *);
int	providers_run(const struct command *, int, char **, struct err *);
int	events_run(const struct command *, int, char **, struct err *);
int	deliveries_run(const struct command *, int, char **, struct err *);
int	destinations_run(const struct command *, int, char **, struct err *);
int	explain_run(const struct command *, int, char **, struct err *);
int	capture_run(const struct command *, int, char **, struct err *);
int	stats_run(const struct command *, int, char **, struct err *);
int	send_run(const struct command *, int, char **, struct err *);
int	sign_run(const struct command *, int, char **, struct err *);

extern const struct option_row serve_options[], check_options[],
    providers_options[], events_options[], deliveries_options[],
    destinations_options[], explain_options[], capture_options[], stats_options[],
    send_options[], sign_options[];

/* --- what several of them need -------------------------------------------- */

/*
 * Where one of our programs, or a system's, is: beside this one (build/), in
 * ../lib/hooklatch (installed), and for those of the system in PATH and /usr/sbin.
 */
int	cli_program(const char *name, char *path, size_t size, struct err *);
int	cli_system_program(const char *name, char *path, size_t size,
	    struct err *);

/*
 * The file of --config, else of HOOKLATCH_CONFIG; NULL: the environment is the
 * configuration.
 */
const char	*cli_config(const char *option);

/*
 * The configuration as every program settles it: the file, or with NULL the
 * environment.  bundle, if not NULL, also gets the hooks' secrets.  warnings may
 * be NULL.
 */
struct conf	*cli_conf(const char *path, struct bundle **bundle,
		    struct buf *warnings, struct err *);

/* "10m ago", "10m", "2h", "3d" (before now), or RFC 3339; ms since 1970. */
int	cli_time(const char *text, int64_t now, int64_t *ms, struct err *);

/* All of buf to stdout; -1 when it cannot be written. */
int	cli_print(struct buf *, struct err *);

/* RFC 3339 in UTC, with ms: cli_time() takes it back. */
void	cli_put_time(struct buf *, int64_t ms);

/* A word of a sender's, harmless to a terminal; "-" when there is none. */
void	cli_put_word(struct buf *, struct str word, size_t width);

/* A line of the table of deliveries, or an object; first: its head before it. */
struct delivery_row;
int	cli_print_delivery(const struct delivery_row *, bool json, bool first,
	    struct err *);

/* "90s", "10m", "2h", "3d"; ms. */
int	cli_span(const char *text, int64_t *ms, struct err *);

#define CLI_OUT_MAX	((size_t)1 << 30)	/* of what is printed at once */

#endif
