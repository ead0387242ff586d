/*
 * exec.h - the sender that hands an event to a program.
 *
 * A thread of its own starts the programs, reads what they say and ends them.  A
 * program that hangs, floods, stops itself, ignores SIGTERM or never reads costs
 * its own attempt and no other.
 *
 *   given --fork, exec--> RUNS --it exits----------------------------> judged, told
 *     |                    | its time is over, or we stop                ^
 *     | cannot be run      '-> ASKED (TERM) --EXEC_GRACE--> KILLED (KILL) '
 *     '-------> LATER, with what to do
 *
 * What a program gets:
 *
 *   arguments	as configured; no shell, no search in PATH: argv[0] is a whole path.
 *   stdin	the body, from its first byte to its end.  It is a file and no pipe:
 *		sealed memory, or the inbox's own file opened anew for reading, so
 *		that nobody waits for a program that does not read.
 *   output	stdout and stderr are one pipe.  The first bytes are kept, as many as
 *		attempt.output takes; what follows is read and dropped.  Where it
 *		answers the sender (attempt.answer) stdout is a pipe of its own.
 *   environment	PATH HOME LANG, the HOOKLATCH_ variables below, the destination's
 *		pairs, and nothing of ours.  A pair takes the place of a variable of
 *		the same name.
 *   place	the destination's directory or "/"; umask 022; no other descriptor;
 *		signals at their defaults and none blocked; a session of its own, so no
 *		terminal and no Ctrl-C that was meant for us.
 *   limits	no core, which would hold a body and secrets.  1024 descriptors, since
 *		select(2) breaks above and some programs close all that there could be;
 *		only the soft limit, so a program that wants more may raise it.
 *   user	the courier's.  It is trusted as the courier is: it can read the inbox.
 *
 * HOOKLATCH_ID _HOOK _PROVIDER _EVENT_ID _EVENT_TYPE _RECEIVED_AT _ATTEMPT
 * _DESTINATION _METHOD _TARGET _SIZE _CONTENT_TYPE are always set, empty where it is
 * not known.  _RECEIVED_AT is RFC 3339 in UTC with ms, _ATTEMPT is 1 at first, _SIZE
 * is the body's in bytes.  Event id, type, target and content type are a stranger's
 * bytes, though a genuine one's: in a script they stand in double quotes, and never
 * where they are read as code (eval, sh -c).  Each is cut after EXEC_VALUE bytes, or
 * before a NUL.
 *
 * What its exit says:
 *
 *   0			DONE
 *   65 (EX_DATAERR)	DEAD: "this event cannot be taken", now or ever
 *   75 (EX_TEMPFAIL)	LATER
 *   any other		LATER: a program that fails may be mended; how often and how
 *			long it is tried is the destination's
 *   a signal, no time left, it could not be run, we stopped	LATER
 *
 * Who was asked to end is LATER whatever its exit says: many exit with 0 when they are
 * told to stop, and have done nothing.  code is the exit status; -1: there is none.
 *
 * When the program has exited, KILL goes to all that it left in its process group.
 * What has made a group or a session of its own (setsid, a shell's job control, a
 * daemon) escapes that and lives on; its output is not waited for, and goes to a
 * closed pipe.  If the courier is killed the kernel kills the program with it, not
 * the program's children: systemd and "hooklatch serve" end those.  A set-user-ID
 * program (sudo) is spared by the kernel, and can be beyond our signals.
 */
#ifndef COURIER_EXEC_H
#define COURIER_EXEC_H

#include "../base/err.h"
#include "../base/log.h"
#include "attempt.h"

#define EXEC_MOST	256		/* given and not yet told */
#define EXEC_GRACE	2000		/* ms from TERM to KILL */
#define EXEC_STOP	1000		/* the same when we stop */
#define EXEC_VALUE	4096		/* bytes of a sender's value */
#define EXEC_WORDS	(4 << 20)	/* bytes of arguments and environment; the
					 * kernel takes less: execve(2) */

struct exec;

/*
 * NULL and a sentence when it cannot be.  Descriptors 0 to 2 are open (os.h), and
 * SIGCHLD becomes what it is by default: who ignores it cannot ask for an exit.
 */
struct exec	*exec_start(struct log *, const struct attempt_taker *,
		    struct err *);

/*
 * Takes the attempt over, whoever's thread it is; the taker's ended() is called with it
 * once.  false: too many, or we stop; it stays the caller's.
 */
bool		 exec_give(struct exec *, struct attempt *);

/*
 * Asks all programs to end, kills those that do not, tells each as LATER, ends the
 * thread and frees; takes NULL.  ended() is called meanwhile, so the caller holds no
 * lock that it wants.  Takes EXEC_STOP and what a kill takes.
 */
void		 exec_stop(struct exec *);

#endif
