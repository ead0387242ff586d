/*
 * kafka.c - the mock cluster of librdkafka, and a reader of it, for
 * tests/engine-kafka.sh.
 *
 *	kafka serve FILE	three brokers; where they are is written to FILE.
 *				SIGUSR1: they are down; SIGUSR2: up again
 *	kafka SERVERS TOPIC ids			the event_id of each message
 *	kafka SERVERS TOPIC body|json EVENT-ID	of those with that event_id
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define BROKERS		3
#define PARTITIONS	4

static void
die(const char *what)
{
	fprintf(stderr, "kafka: %s\n", what);
	exit(1);
}

static rd_kafka_t *
client(rd_kafka_type_t type, const char *servers)
{
	rd_kafka_conf_t *c = rd_kafka_conf_new();
	char why[200];
	rd_kafka_t *rk;

	if (servers != NULL) {
		rd_kafka_conf_set(c, "bootstrap.servers", servers, NULL, 0);
		rd_kafka_conf_set(c, "group.id", "test", NULL, 0);
		rd_kafka_conf_set(c, "enable.partition.eof", "true", NULL, 0);
	}
	if ((rk = rd_kafka_new(type, c, why, sizeof(why))) == NULL)
		die(why);
	return rk;
}

/*
 * A broker answers at once.  The mock leaves Nagle's algorithm on, and two answers
 * under way then wait 40 ms for an acknowledgement; accepted sockets inherit this.
 */
static void
answer_at_once(void)
{
	int fd, yes = 1, listens;
	socklen_t n = sizeof(listens);

	for (fd = 3; fd < 256; fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0
		    && listens)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

static _Noreturn void
serve(const char *file)
{
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *m;
	sigset_t set;
	FILE *f;
	int sig, i;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	rk = client(RD_KAFKA_PRODUCER, NULL);
	if ((m = rd_kafka_mock_cluster_new(rk, BROKERS)) == NULL)
		die("no cluster");
	if (rd_kafka_mock_topic_create(m, "events", PARTITIONS, BROKERS) != 0)
		die("no topic");
	answer_at_once();
	if ((f = fopen(file, "w")) == NULL)
		die(file);
	fputs(rd_kafka_mock_cluster_bootstraps(m), f);
	fclose(f);
	for (;;) {
		if (sigwait(&set, &sig) != 0)
			continue;
		for (i = 1; i <= BROKERS; i++)
			if (sig == SIGUSR1)
				rd_kafka_mock_broker_set_down(m, i);
			else
				rd_kafka_mock_broker_set_up(m, i);
	}
}

/* The value of "event_id" in a line of ours; no escapes are expected. */
static void
id_of(const char *json, size_t n, char *id, size_t room)
{
	static const char name[] = "\"event_id\":\"";
	const char *p = memmem(json, n, name, sizeof(name) - 1), *end;

	id[0] = '\0';
	if (p == NULL)
		return;
	p += sizeof(name) - 1;
	if ((end = memchr(p, '"', n - (size_t)(p - json))) != NULL)
		snprintf(id, room, "%.*s", (int)(end - p), p);
}

static void
show(const rd_kafka_message_t *m, const char *verb, const char *wanted)
{
	rd_kafka_headers_t *headers;
	const void *json;
	char id[300];
	size_t n;

	if (rd_kafka_message_headers(m, &headers) != 0 || rd_kafka_header_get_last(
	    headers, "hooklatch-event", &json, &n) != 0)
		die("a message without its header");
	id_of(json, n, id, sizeof(id));
	if (strcmp(verb, "ids") == 0)
		puts(id);
	else if (strcmp(id, wanted) != 0)
		;
	else if (strcmp(verb, "body") == 0)
		fwrite(m->payload, 1, m->len, stdout);
	else
		printf("%.*s\n", (int)n, (const char *)json);
}

static int
read_all(const char *servers, const char *topic, const char *verb, const char *id)
{
	rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, servers);
	rd_kafka_topic_partition_list_t *all;
	rd_kafka_message_t *m;
	int i, ends = 0;

	all = rd_kafka_topic_partition_list_new(PARTITIONS);
	for (i = 0; i < PARTITIONS; i++)
		rd_kafka_topic_partition_list_add(all, topic, i)->offset =
		    RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_assign(rk, all);
	while (ends < PARTITIONS) {
		if ((m = rd_kafka_consumer_poll(rk, 10000)) == NULL)
			die("no message for 10 s");
		if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			ends++;
		else if (m->err == 0)
			show(m, verb, id);
		rd_kafka_message_destroy(m);
	}
	fflush(stdout);
	_exit(0);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	if (argc >= 4)
		return read_all(argv[1], argv[2], argv[3], argc > 4 ? argv[4] : "");
	die("usage: kafka serve FILE | kafka SERVERS TOPIC ids|body|json [ID]");
}
