/*
 * test_conf - the configuration: what is refused and with which words, what
 * lands where, what printing and the place of a program make of it.
 *
 *	test_conf			the promises; from the top of the project,
 *					because it reads two files of it
 *	test_conf --schema | --manual	for script/update-docs
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "base/arena.h"
#include "base/buf.h"
#include "test.h"

#define MANY	(4 << 20)

static struct conf *
read_text(const char *text, struct err *e)
{
	memset(e, 0, sizeof(*e));
	return conf_read(str_of(text), "t.json", e);
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *p = calloc(1, MANY);

	if (f != NULL && p != NULL)
		p[fread(p, 1, MANY - 1, f)] = '\0';
	if (f != NULL)
		fclose(f);
	return p;
}

/* --- what is refused ---------------------------------------------------------- */

/* A hook that is fine but for what is put into it, on line 1 from column 17. */
#define D(x)	"{\"destinations\":{\"d\":{" x "}}}"
#define OAUTH1 "\"oauth1\":{\"consumer_key\":\"env:A\",\"consumer_secret\":\"env:A\"," \
	"\"token\":\"env:A\",\"token_secret\":\"env:A\"}"
#define H(more)	"{\"hooks\":{\"/a\":{" more ",\"provider\":\"github\"}}}"
#define L(more)	"{\"limits\":{" more "}}"

static const struct {
	const char *says, *text, *want;
} bad[] = {
	/* the file */
	{ "an empty file", "", "t.json:1:1: " },
	{ "no object", "[]", "t.json:1:1: a configuration is an object" },
	{ "a bare word", "true", "t.json:1:1: a configuration is an object" },
	{ "a text", "\"hooks\"", "t.json:1:1: a configuration is an object" },
	{ "null", "null", "t.json:1:1: a configuration is an object" },
	{ "an open brace", "{\n\"log\": \"stderr\"\n", "t.json:3:1: " },
	{ "a comma at the end", "{\"log\":\"stderr\",}", "t.json:1:17: " },
	{ "two values", "{} {}", "t.json:1:4: " },
	{ "a single quote", "{'log':1}", "t.json:1:2: " },
	{ "a key twice", "{\"log\":\"stderr\",\n \"log\":\"syslog\"}",
	  "t.json:2:2: " },
	{ "a path twice",
	  "{\"hooks\":{\n\"/a\":{\"auth\":\"none\"},\n\"/a\":{\"auth\":\"none\"}}}",
	  "t.json:3:1: " },
	{ "a path twice, once escaped",
	  "{\"hooks\":{\n\"/a\":{\"auth\":\"none\"},\n\"\\/\\u0061\":{}}}",
	  "t.json:3:1: " },

	/* unknown keys */
	{ "a misspelt key of a hook",
	  "{\n\"hooks\": { \"/a\": {\n    \"secert\": \"env:A\" } } }",
	  "t.json:3:5: unknown key \"secert\"; did you mean \"secret\"?" },
	{ "a misspelt key of the file", "{\"imbox\": 1}",
	  "t.json:1:2: unknown key \"imbox\"; did you mean \"inbox\"?" },
	{ "a misspelt limit", L("\"in_flihgt\":1"),
	  "t.json:1:12: unknown key \"in_flihgt\"; did you mean \"in_flight\"?" },
	{ "a misspelt user", "{\"users\":{\"grp\":\"www\"}}",
	  "t.json:1:11: unknown key \"grp\" in users" },
	{ "capital letters", H("\"Secret\":\"env:A\""),
	  "t.json:1:17: unknown key \"Secret\"; did you mean \"secret\"?" },
	{ "a key like no other", "{\"zzzzzzzzz\":1}",
	  "t.json:1:2: unknown key \"zzzzzzzzz\" in the file" },
	{ "an empty key", "{\"\":1}", "t.json:1:2: unknown key \"\" in the file" },
	{ "a key of hooks at the top", "{\"secret\":\"env:A\"}",
	  "t.json:1:2: unknown key \"secret\" in the file; it belongs in a hook" },
	{ "a key of the top in a hook", H("\"inbox\":\"none\""),
	  "t.json:1:17: unknown key \"inbox\" in a hook; it belongs in the top level" },
	{ "a limit at the top", "{\"worker_memory\":\"64m\"}",
	  "t.json:1:2: unknown key \"worker_memory\" in the file; it belongs in "
	  "\"limits\"" },
	{ "a key that hides a NUL", "{\"log\\u0000\":\"stderr\"}", "t.json:1:2: " },
	{ "a key with a newline", "{\"a\\nb\":1}",
	  "t.json:1:2: unknown key \"a\\nb\" in the file" },

	/* words of later versions */
	{ "Pub/Sub without a topic", "{\"inbox\":\"pubsub:projects/p\"}",
	  "t.json:1:2: \"inbox\" must be \"pubsub:projects/PROJECT/topics/TOPIC\"" },
	{ "a topic alone", "{\"inbox\":\"pubsub:t\"}",
	  "t.json:1:2: \"inbox\" must be \"pubsub:projects/" },
	{ "more behind a topic", "{\"inbox\":\"pubsub:projects/p/topics/t/u\"}",
	  "t.json:1:2: \"inbox\" must be \"pubsub:projects/" },
	{ "an endpoint that is no URL",
	  "{\"inbox\":\"pubsub:projects/p/topics/t?endpoint=h\"}",
	  "t.json:1:2: \"inbox\" must be \"pubsub:projects/" },
	{ "an endpoint with a path",
	  "{\"inbox\":\"pubsub:projects/p/topics/t?endpoint=http://h/a\"}",
	  "t.json:1:2: \"inbox\" must be \"pubsub:projects/" },
	{ "an endpoint with credentials",
	  "{\"inbox\":\"pubsub:projects/p/topics/t?endpoint=http://u:s@h\"}",
	  "t.json:1:2: \"inbox\" holds credentials, and is printed and logged" },
	{ "another order", "{\"inbox\":\"pubsub:projects/p/topics/t?ordering=type\"}",
	  "t.json:1:2: \"inbox\" must be \"pubsub:projects/" },

	/* engines */
	{ "NATS without a stream", "{\"inbox\":\"nats://h\"}",
	  "t.json:1:2: \"inbox\" must be \"nats://HOST[:PORT]/STREAM/SUBJECT\"" },
	{ "NATS without a subject", "{\"inbox\":\"nats://h/S\"}",
	  "t.json:1:2: \"inbox\" must be \"nats://HOST[:PORT]/STREAM/SUBJECT\"" },
	{ "a subject with a wildcard", "{\"inbox\":\"nats://h/S/a.*\"}",
	  "t.json:1:2: \"inbox\" must be \"nats://HOST[:PORT]/STREAM/SUBJECT\"" },
	{ "a subject with an empty token", "{\"inbox\":\"nats://h/S/a..b\"}",
	  "t.json:1:2: \"inbox\" must be " },
	{ "Redis without a database", "{\"inbox\":\"redis://h/events\"}",
	  "t.json:1:2: \"inbox\" must be \"redis://HOST[:PORT]/DB/STREAM\"" },
	{ "two hosts of Redis", "{\"inbox\":\"redis://a,b/0/events\"}",
	  "t.json:1:2: \"inbox\" must be \"redis://HOST[:PORT]/DB/STREAM\"" },
	{ "a port that is none", "{\"inbox\":\"redis://a:70000/0/events\"}",
	  "t.json:1:2: \"inbox\" must be " },
	{ "an option that is none", "{\"inbox\":\"redis://a/0/events?weight=1\"}",
	  "t.json:1:2: \"inbox\" must be " },
	{ "Kafka without a topic", "{\"inbox\":\"kafka://h\"}",
	  "t.json:1:2: \"inbox\" must be \"kafka://HOST[:PORT]/TOPIC\"" },
	{ "an option of Kafka that is none", "{\"inbox\":\"kafka://h/t?plain\"}",
	  "t.json:1:2: \"inbox\" must be " },
	{ "a password in the URL", "{\"inbox\":\"redis://u:hunter2@h/0/events\"}",
	  "t.json:1:2: \"inbox\" holds credentials, and is printed and logged: they "
	  "stand in \"inbox_secret\"" },
	{ "a secret of an engine as it is", "{\"inbox_secret\":\"u:hunter2\"}",
	  "t.json:1:2: \"inbox_secret\" must be \"env:NAME\", \"file:/PATH\", "
	  "\"gcp:projects/P/secrets/S\" or \"plain:TEXT\"" },
	{ "a bucket that is none", "{\"claim_check\":\"s3://b\"}",
	  "t.json:1:2: \"claim_check\" must be \"gs://BUCKET/PREFIX\", or a URL" },
	{ "a bucket with a query", "{\"claim_check\":\"https://h/b?sig=hunter2\"}",
	  "t.json:1:2: \"claim_check\" must be" },
	{ "a bucket without a name", "{\"claim_check\":\"gs:///p\"}",
	  "t.json:1:2: \"claim_check\" must be" },
	{ "a bucket's token as it is", "{\"claim_check_token\":\"hunter2\"}",
	  "t.json:1:2: \"claim_check_token\" must be \"google\", \"env:NAME\", "
	  "\"file:/PATH\", " },
	{ "a durability that is none", "{\"durability\":\"some\"}",
	  "t.json:1:2: \"durability\" must be strict or engine-default, not" },

	/* destinations */
	{ "a destination that is not there", H("\"deliver\":[\"x\"]"),
	  "t.json:1:11: hook \"/a\": there is no destination \"x\"; name it in "
	  "\"destinations\"" },
	{ "a misspelt destination", "{\"hooks\":{\"/a\":{\"auth\":\"none\",\"deliver\":"
	  "\"stagin\"}}, \"destinations\":{\"staging\":{\"exec\":\"/x\"}}}",
	  "t.json:1:11: hook \"/a\": there is no destination \"stagin\"; did you mean "
	  "\"staging\"?" },
	{ "a destination twice", H("\"deliver\":[\"x\",\"x\"]"),
	  "t.json:1:32: \"deliver\" names \"x\" twice" },
	{ "a number for a destination", H("\"deliver\":[1]"),
	  "t.json:1:28: \"deliver\" must be the name of a destination, or" },
	{ "a misspelt word of deliver", H("\"deliver\":{\"to\":\"x\",\"if\":{}}"),
	  "t.json:1:37: unknown key \"if\" in \"deliver\"; it has \"to\" and \"when\"" },
	{ "conditions without a destination", H("\"deliver\":{\"when\":{}}"),
	  "t.json:1:17: \"deliver\" must be the name of a destination, or" },
	{ "conditions as a text", H("\"deliver\":{\"to\":\"x\",\"when\":\"y\"}"),
	  "t.json:1:37: \"when\" must be an object, not a string" },
	{ "a destination of no kind", D("\"timeout\":1"),
	  "t.json:1:18: destination \"d\" needs one of \"exec\", \"http\" and "
	  "\"service\"" },
	{ "a destination of two kinds", D("\"exec\":\"/x\",\"http\":\"http://x\""),
	  "t.json:1:18: destination \"d\" needs one of \"exec\", \"http\" and "
	  "\"service\"" },
	{ "a program without its path", D("\"exec\":[\"deploy\",\"x\"]"),
	  "t.json:1:18: destination \"d\": \"exec\" begins with the whole path" },
	{ "a word of the other kind", D("\"exec\":\"/x\",\"bearer\":\"env:A\""),
	  "t.json:1:18: destination \"d\": \"bearer\" goes with \"http\"" },
	{ "and the other way", D("\"http\":\"http://x\",\"directory\":\"/x\""),
	  "t.json:1:18: destination \"d\": \"directory\" goes with \"exec\"" },
	{ "two authorizations", D("\"http\":\"http://x\",\"bearer\":\"env:A\","
	  "\"basic\":\"env:B\""),
	  "t.json:1:18: destination \"d\" has more than one of \"bearer\", " },
	{ "and two others", D("\"http\":\"http://x\",\"basic\":\"env:A\","
	  "\"google\":\"id\""),
	  "t.json:1:18: destination \"d\" has more than one of \"bearer\", " },
	{ "a token of no kind", D("\"http\":\"http://x\",\"google\":\"both\""),
	  "t.json:1:41: \"google\" must be access or id" },
	{ "an audience without an ID token", D("\"http\":\"http://x\","
	  "\"google\":\"access\",\"audience\":\"a\""),
	  "t.json:1:18: destination \"d\": \"audience\" goes with" },
	{ "a scope without an access token", D("\"http\":\"http://x\","
	  "\"google\":\"id\",\"scope\":\"a\""),
	  "t.json:1:18: destination \"d\": \"scope\" goes with" },
	{ "credentials for nothing", D("\"http\":\"http://x\",\"credentials\":\"env:A\""),
	  "t.json:1:18: destination \"d\": \"credentials\" goes with" },
	{ "a service that is none", D("\"service\":\"pubsubs\""),
	  "t.json:1:18: destination \"d\": there is no service \"pubsubs\"; there are "
	  "bigquery, cloud-run, cloud-tasks, fcm, pubsub, x" },
	{ "OAuth 1.0a that is not whole", D("\"http\":\"http://x\",\"oauth1\":{"
	  "\"token\":\"env:A\"}"),
	  "t.json:1:18: destination \"d\": \"oauth1\" wants \"consumer_key\"" },
	{ "that has its secrets in it", D("\"http\":\"http://x\",\"oauth1\":{"
	  "\"consumer_key\":\"env:A\",\"consumer_secret\":\"env:A\","
	  "\"token\":\"env:A\",\"token_secret\":\"hunter2\"}"),
	  "t.json:1:18: destination \"d\": \"oauth1\" wants \"consumer_key\"" },
	{ "with another word", D("\"http\":\"http://x\",\"oauth1\":{"
	  "\"key\":\"env:A\"}"),
	  "t.json:1:51: \"oauth1\" must be an object of references: " },
	{ "beside a bearer", D("\"http\":\"http://x\",\"bearer\":\"env:A\","
	  OAUTH1),
	  "t.json:1:18: destination \"d\" has more than one of \"bearer\", " },
	{ "of a program", D("\"exec\":\"/x\"," OAUTH1),
	  "t.json:1:18: destination \"d\": \"oauth1\" goes with \"http\"" },
	{ "a reply on X by somebody who does not know", D("\"service\":\"x\","
	  "\"reply_to\":\"1\",\"text\":\"a\",\"per_day\":1," OAUTH1),
	  "t.json:1:18: destination \"d\": the service x needs \"each_costs\": that you "
	  "know that each reply costs money, like i know" },
	{ "or says something else", D("\"service\":\"x\",\"reply_to\":\"1\","
	  "\"text\":\"a\",\"each_costs\":\"no\",\"per_day\":1," OAUTH1),
	  "t.json:1:18: destination \"d\": \"each_costs\" is that you know" },
	{ "without a cap", D("\"service\":\"x\",\"reply_to\":\"1\","
	  "\"text\":\"a\",\"each_costs\":\"i know\"," OAUTH1),
	  "t.json:1:18: destination \"d\": the service x needs \"per_day\"" },
	{ "as nobody", D("\"service\":\"x\",\"reply_to\":\"1\","
	  "\"text\":\"a\",\"each_costs\":\"i know\",\"per_day\":1"),
	  "t.json:1:18: destination \"d\": the service x needs \"oauth1\"" },
	{ "a service without what it needs", D("\"service\":\"pubsub\""),
	  "t.json:1:18: destination \"d\": the service pubsub needs \"topic\": the topic, "
	  "like projects/*/topics/*" },
	{ "a parameter of another form", D("\"service\":\"pubsub\",\"topic\":\"t\""),
	  "t.json:1:18: destination \"d\": \"topic\" is the topic, like projects/*" },
	{ "a parameter that is a number", D("\"service\":\"pubsub\",\"topic\":1"),
	  "t.json:1:42: \"topic\" must be a text" },
	{ "a parameter of another service", D("\"service\":\"pubsub\",\"queue\":\"q\""),
	  "t.json:1:42: unknown key \"queue\" in a destination" },
	{ "a word where an event has no say", D("\"service\":\"cloud-tasks\",\"queue\":"
	  "\"projects/p/locations/l/queues/q\",\"url\":\"https://h/{type}\""),
	  "t.json:1:18: destination \"d\": \"url\" holds a brace" },
	{ "a word in the host of one", D("\"service\":\"cloud-run\","
	  "\"url\":\"https://{type}/\""),
	  "t.json:1:18: destination \"d\": \"service\": no word may stand in the host" },
	{ "an endpoint with a word", D("\"service\":\"pubsub\",\"topic\":"
	  "\"projects/p/topics/t\",\"endpoint\":\"https://{type}\""),
	  "t.json:1:18: destination \"d\": \"service\": no word may stand in the host" },
	{ "none of several", D("\"service\":\"fcm\",\"project\":\"projects/p\""),
	  "t.json:1:18: destination \"d\": the service fcm needs one of \"fid\", "
	  "\"token\", \"to_topic\", \"condition\"" },
	{ "two of them", D("\"service\":\"fcm\",\"project\":\"projects/p\","
	  "\"fid\":\"a\",\"token\":\"b\""),
	  "t.json:1:18: destination \"d\": the service fcm needs one of" },
	{ "a service and a URL", D("\"service\":\"pubsub\",\"http\":\"http://x\""),
	  "t.json:1:18: destination \"d\" needs one of" },
	{ "a service and a token", D("\"service\":\"pubsub\",\"google\":\"id\""),
	  "t.json:1:18: destination \"d\": the service says which token" },
	{ "a mode that there is not", D("\"exec\":\"/x\",\"mode\":\"before\""),
	  "t.json:1:35: \"mode\" must be after, before_answer or answer" },
	{ "a queue for who waits", D("\"exec\":\"/x\",\"mode\":\"before_answer\","
	  "\"one_at_a_time\":true"),
	  "t.json:1:18: destination \"d\": \"one_at_a_time\" goes with \"mode\": "
	  "\"after\"" },
	{ "a delay for who waits", D("\"exec\":\"/x\",\"mode\":\"answer\","
	  "\"delay\":\"1s\""), "t.json:1:18: destination \"d\": \"delay\" goes with" },
	{ "a fallback without an answer", D("\"exec\":\"/x\",\"fallback\":\"{}\""),
	  "t.json:1:18: destination \"d\": \"fallback\" goes with \"mode\": "
	  "\"answer\"" },
	{ "a type that would end its line", D("\"exec\":\"/x\",\"mode\":\"answer\","
	  "\"answer_type\":\"text/xml\\r\\nSet-Cookie: x\""),
	  "t.json:1:51: \"answer_type\" must be a Content-Type like" },
	{ "an answer that is longer than may cross", D("\"exec\":\"/x\","
	  "\"answer_limit\":\"257k\""), "t.json:1:35: \"answer_limit\" must be" },
	{ "two that answer", "{\"hooks\":{\"/a\":{\"auth\":\"none\",\"deliver\":"
	  "[\"b\",\"c\"]}}, \"destinations\":{\"b\":{\"exec\":\"/x\",\"mode\":\"answer\"},"
	  "\"c\":{\"exec\":\"/x\",\"mode\":\"answer\"}}}",
	  "t.json:1:11: hook \"/a\": both \"b\" and \"c\" have \"mode\": \"answer\"" },
	{ "one that answers beside an application", "{\"hooks\":{\"/a\":{\"auth\":"
	  "\"none\",\"pass\":\"@app\",\"deliver\":\"b\"}}, \"destinations\":{\"b\":"
	  "{\"exec\":\"/x\",\"mode\":\"answer\"}}}",
	  "t.json:1:11: hook \"/a\": with \"pass\" the application answers" },
	{ "a name that is none", "{\"destinations\":{\"a b\":{\"exec\":\"/x\"}}}",
	  "t.json:1:18: name \"a b\" of a destination must be letters" },
	{ "a destination that is a text", "{\"destinations\":{\"d\":\"/x\"}}",
	  "t.json:1:18: destination \"d\" must be an object, not a string" },
	{ "retries from long to short", D("\"exec\":\"/x\",\"retry\":{\"first\":\"1h\","
	  "\"most\":\"1m\"}"), "t.json:1:18: destination \"d\": \"first\" of \"retry\" is "
	  "longer than \"most\"" },
	{ "a word of retry in the destination", D("\"exec\":\"/x\",\"give_up\":\"1h\""),
	  "t.json:1:35: unknown key \"give_up\" in a destination; it belongs in a "
	  "destination's \"retry\"" },
	{ "a header's name", D("\"http\":\"http://x\",\"headers\":{\"a b\":\"x\"}"),
	  "t.json:1:52: \"headers\" must be an object of texts whose keys are names of "
	  "headers" },
	{ "a reference that is none", D("\"exec\":\"/x\",\"environment\":{\"A\":\"env:\"}"),
	  "t.json:1:50: \"A\" of \"environment\" is neither a text nor" },
	{ "a template in a host", D("\"http\":\"http://{id}/\""),
	  "t.json:1:18: destination \"d\": \"http\": " },
	{ "a word that is none", D("\"http\":\"http://x/{idd}\""),
	  "t.json:1:18: destination \"d\": \"http\": " },
	{ "a header that is the connection's", D("\"http\":\"http://x\",\"headers\":"
	  "{\"Content-Length\":\"1\"}"), "t.json:1:18: destination \"d\": \"headers\": " },
	{ "a header's word", D("\"http\":\"http://x\",\"headers\":{\"A\":\"{x\"}"),
	  "t.json:1:18: destination \"d\": \"headers\": " },
	{ "a body that is no JSON", D("\"http\":\"http://x\",\"body\":\"{\\\"a\\\":}\""),
	  "t.json:1:18: destination \"d\": \"body\": " },
	{ "a place that is none", D("\"exec\":\"/x\",\"serialize_by\":\"id\""),
	  "t.json:1:35: \"serialize_by\" must be a place like" },

	/* types */
	{ "a text for a number", "{\"workers\":\"2\"}",
	  "t.json:1:2: \"workers\" must be a whole number, not a string" },
	{ "a fraction for a number", "{\"workers\":1.5}",
	  "t.json:1:2: \"workers\" must be a whole number, not 1.5" },
	{ "true for a number", "{\"workers\":true}",
	  "t.json:1:2: \"workers\" must be a whole number, not true" },
	{ "a number for a text", "{\"log\":1}",
	  "t.json:1:2: \"log\" must be \"stderr\", \"stdout\", \"syslog\" or "
	  "\"file:/PATH\", not 1" },
	{ "a text for a flag", "{\"volatile\":\"true\"}",
	  "t.json:1:2: \"volatile\" must be true or false, not a string" },
	{ "a number for a flag", "{\"volatile\":1}",
	  "t.json:1:2: \"volatile\" must be true or false, not 1" },
	{ "a list for an object", "{\"limits\":[]}",
	  "t.json:1:2: \"limits\" must be an object, not a list" },
	{ "a list of hooks", "{\"hooks\":[]}",
	  "t.json:1:2: \"hooks\" must be an object whose keys are the paths of "
	  "hooks, not a list" },
	{ "a hook that is a text", "{\"hooks\":{\"/a\":\"github\"}}",
	  "t.json:1:11: hook \"/a\" must be an object, not a string" },
	{ "a list for a size", L("\"body\":[1]"),
	  "t.json:1:12: \"body\" must be a size like \"64k\" or \"26m\", or a "
	  "number of bytes, not a list" },
	{ "a fraction for a size", L("\"body\":1.5"), "t.json:1:12: \"body\" must be" },
	{ "null for a text", "{\"log\":null}",
	  "t.json:1:2: \"log\" must be \"stderr\", \"stdout\", \"syslog\" or "
	  "\"file:/PATH\", not null" },
	{ "null for a number", "{\"workers\":null}", "t.json:1:2: " },
	{ "null for a hook", "{\"hooks\":{\"/a\":null}}",
	  "t.json:1:11: hook \"/a\" must be an object, not null" },
	{ "null for a list", H("\"secret\":null"), "t.json:1:17: " },

	/* ranges */
	{ "too many workers", "{\"workers\":257}",
	  "t.json:1:2: \"workers\" must be 0 to 256" },
	{ "fewer than no workers", "{\"workers\":-1}",
	  "t.json:1:2: \"workers\" must be 0 to 256, not -1" },
	{ "no requests in flight", L("\"in_flight\":0"),
	  "t.json:1:12: \"in_flight\" must be 1 to 65536" },
	{ "more than 64 bits", L("\"in_flight\":99999999999999999999"),
	  "t.json:1:12: \"in_flight\" must be a whole number, not "
	  "99999999999999999999" },
	{ "a body of nothing", L("\"body\":0"),
	  "t.json:1:12: \"body\" must be 1 to 1g" },
	{ "a body over the most", L("\"body\":\"2g\""),
	  "t.json:1:12: \"body\" must be 1 to 1g" },
	{ "a size that overflows", L("\"body\":\"99999999999999999t\""),
	  "t.json:1:12: \"body\" must be" },
	{ "a size that overflows into the range", L("\"inbox_bytes\":\"16777217t\""),
	  "t.json:1:12: \"inbox_bytes\" must be" },
	{ "digits that overflow", L("\"body\":\"99999999999999999999\""),
	  "t.json:1:12: \"body\" must be" },
	{ "a size without digits", L("\"body\":\"m\""),
	  "t.json:1:12: \"body\" must be a size like \"64k\" or \"26m\", or a "
	  "number of bytes, not \"m\"" },
	{ "an unknown unit", L("\"body\":\"26q\""), "t.json:1:12: \"body\" must be" },
	{ "a unit in capitals", L("\"body\":\"26M\""), "t.json:1:12: \"body\" must be" },
	{ "a space before the unit", L("\"body\":\"26 m\""),
	  "t.json:1:12: \"body\" must be" },
	{ "a negative size", L("\"body\":\"-1\""), "t.json:1:12: \"body\" must be" },
	{ "a size with a unit of time", L("\"body\":\"26s\""),
	  "t.json:1:12: \"body\" must be" },
	{ "a duration with a unit of size", L("\"deadline\":\"5k\""),
	  "t.json:1:12: \"deadline\" must be a duration like \"30s\" or \"7d\"" },
	{ "a deadline too short", L("\"deadline\":\"99ms\""),
	  "t.json:1:12: \"deadline\" must be 100ms to 10m" },
	{ "a deadline too long", L("\"deadline\":601"),
	  "t.json:1:12: \"deadline\" must be 100ms to 10m" },
	{ "seconds that overflow", L("\"inbox_age\":9223372036854775806"),
	  "t.json:1:12: \"inbox_age\" must be 0 to 36500d" },
	{ "a window of nothing", H("\"window\":0"),
	  "t.json:1:17: \"window\" must be 1s to 3650d" },
	{ "kept longer than kept",
	  L("\"inbox_age\":\"1h\",\"inbox_keep\":\"2h\""),
	  "t.json:1:2: \"inbox_keep\" is longer than \"inbox_age\"" },
	{ "a hook's body over the limit for all", H("\"body\":\"27m\""),
	  "t.json:1:11: \"body\" of hook \"/a\" is more than \"limits\" allows" },
	{ "a hook's deadline over the limit for all", H("\"deadline\":\"11s\""),
	  "t.json:1:11: \"deadline\" of hook \"/a\" is more than \"limits\"" },

	/* words */
	{ "another kind of auth", H("\"auth\":\"nonne\""),
	  "t.json:1:17: \"auth\" must be provider or none, not \"nonne\"" },
	{ "auth as a flag", H("\"auth\":false"),
	  "t.json:1:17: \"auth\" must be provider or none, not false" },
	{ "another handshake", H("\"handshake\":\"closed\""),
	  "t.json:1:17: \"handshake\" must be verified or open, not \"closed\"" },
	{ "another replay", H("\"replay\":\"\""),
	  "t.json:1:17: \"replay\" must be store or refuse, not \"\"" },

	/* inbox, courier, log, health, providers, users */
	{ "an inbox by its path alone", "{\"inbox\":\"/var/inbox.db\"}",
	  "t.json:1:2: \"inbox\" must be \"sqlite:/PATH\", an engine (\"redis:\", "
	  "\"nats:\", \"kafka:\" or \"pubsub:\"), \"stdout:\" or \"none\", not "
	  "\"/var/inbox.db\"" },
	{ "a relative inbox", "{\"inbox\":\"sqlite:inbox.db\"}",
	  "t.json:1:2: \"inbox\" must be \"sqlite:/PATH\"" },
	{ "an inbox that is a directory", "{\"inbox\":\"sqlite:/var/\"}",
	  "t.json:1:2: \"inbox\" must be \"sqlite:/PATH\"" },
	{ "an inbox with a NUL", "{\"inbox\":\"sqlite:/a\\u0000b\"}",
	  "t.json:1:2: " },
	{ "stdout without its colon", "{\"inbox\":\"stdout\"}",
	  "t.json:1:2: \"inbox\" must be" },
	{ "an empty inbox", "{\"inbox\":\"\"}", "t.json:1:2: \"inbox\" must be" },
	{ "a courier on TCP", "{\"courier\":\"127.0.0.1:9\"}",
	  "t.json:1:2: \"courier\" must be \"unix:/PATH\" of at most 107 bytes" },
	{ "a relative socket", "{\"courier\":\"unix:c.sock\"}",
	  "t.json:1:2: \"courier\" must be \"unix:/PATH\"" },
	{ "a socket with a long path", "{\"courier\":\"unix:/"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
	  "t.json:1:2: \"courier\" must be \"unix:/PATH\" of at most 107 bytes" },
	{ "a log to nowhere we know", "{\"log\":\"stdrr\"}",
	  "t.json:1:2: \"log\" must be \"stderr\", \"stdout\", \"syslog\" or "
	  "\"file:/PATH\", not \"stdrr\"" },
	{ "a relative log", "{\"log\":\"file:a.log\"}",
	  "t.json:1:2: \"log\" must be" },
	{ "a health page that ends in z", "{\"health\":\"/healthz\"}",
	  "t.json:1:2: \"health\" must be \"none\", or a plain path that does not "
	  "end in \"z\", not \"/healthz\"" },
	{ "a health page without a path", "{\"health\":\"health\"}",
	  "t.json:1:2: \"health\" must be" },
	{ "a hook on the health page",
	  "{\"hooks\":{\"/health\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: hook \"/health\" has the path of \"health\"" },
	{ "a hook on the page of the metrics",
	  "{\"metrics\":\"/m\",\"hooks\":{\"/m\":{\"auth\":\"none\"}}}",
	  "t.json:1:26: hook \"/m\" has the path of \"metrics\"" },
	{ "metrics where health is", "{\"metrics\":\"/health\"}",
	  "t.json: \"metrics\" has the path of \"health\"" },
	{ "relative providers", "{\"providers\":\"providers\"}",
	  "t.json:1:2: \"providers\" must be an absolute path" },
	{ "a user with a space", "{\"users\":{\"handler\":\"a b\"}}",
	  "t.json:1:11: \"handler\" must be the name of a user or group" },
	{ "a user with a NUL", "{\"users\":{\"handler\":\"a\\u0000b\"}}",
	  "t.json:1:11: \"handler\" must be the name of a user or group" },
	{ "an empty user", "{\"users\":{\"courier\":\"\"}}",
	  "t.json:1:11: \"courier\" must be the name of a user or group" },

	/* paths of hooks */
	{ "a path without its slash", "{\"hooks\":{\"a\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"a\" of a hook must begin with \"/\"" },
	{ "an empty path", "{\"hooks\":{\"\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"\" of a hook must begin with \"/\"" },
	{ "an encoded path", "{\"hooks\":{\"/a%20b\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"/a%20b\" of a hook holds \"%\"" },
	{ "two slashes", "{\"hooks\":{\"/a//b\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"/a//b\" of a hook holds \"//\"" },
	{ "two slashes first", "{\"hooks\":{\"//\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"//\" of a hook holds \"//\"" },
	{ "a dot", "{\"hooks\":{\"/a/./b\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"/a/./b\" of a hook holds a segment" },
	{ "two dots at the end", "{\"hooks\":{\"/a/..\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"/a/..\" of a hook holds a segment" },
	{ "a query in a path", "{\"hooks\":{\"/a?b=c\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"/a?b=c\" of a hook holds \"?\" or \"#\"" },
	{ "a space in a path", "{\"hooks\":{\"/a b\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"/a b\" of a hook holds a byte" },
	{ "a newline in a path", "{\"hooks\":{\"/a\\n\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"/a\\n\" of a hook holds a byte" },
	{ "letters beyond ASCII in a path",
	  "{\"hooks\":{\"/\xc3\xa4\":{\"auth\":\"none\"}}}",
	  "t.json:1:11: path \"/\xc3\xa4\" of a hook holds a byte" },

	/* provider and secret */
	{ "neither provider nor auth", "{\"hooks\":{\n\"/a\":{}}}",
	  "t.json:2:1: hook \"/a\" has no \"provider\"; if anybody may send" },
	{ "a secret without a provider",
	  "{\"hooks\":{\"/a\":{\"secret\":\"env:A\"}}}",
	  "t.json:1:11: hook \"/a\" has no \"provider\"" },
	{ "a provider that is a list", "{\"hooks\":{\"/a\":{\"provider\":[]}}}",
	  "t.json:1:17: \"provider\" must be the name of a provider" },
	{ "a provider that is a path",
	  "{\"hooks\":{\"/a\":{\"provider\":\"../github\"}}}",
	  "t.json:1:17: \"provider\" must be the name of a provider" },
	{ "a provider in capitals", "{\"hooks\":{\"/a\":{\"provider\":\"GitHub\"}}}",
	  "t.json:1:17: \"provider\" must be the name of a provider (see "
	  "\"hooklatch providers\") or an object, not \"GitHub\"" },
	{ "a provider with a NUL",
	  "{\"hooks\":{\"/a\":{\"provider\":\"a\\u0000\"}}}", "t.json:1:17: " },
	{ "the name of all own providers",
	  "{\"hooks\":{\"/a\":{\"provider\":\"own\"}}}",
	  "t.json:1:17: \"own\" is what providers written into a hook are called" },
	{ "auth none and a secret",
	  H("\"auth\":\"none\",\"secret\":\"plain:hunter2\""),
	  "t.json:1:11: hook \"/a\" has \"auth\": \"none\" and a secret" },
	{ "auth none and a public key", H("\"auth\":\"none\",\"public_key\":\"ab\""),
	  "t.json:1:11: hook \"/a\" has \"auth\": \"none\" and a public key" },
	{ "no secret in a list", H("\"secret\":[]"),
	  "t.json:1:17: \"secret\" is an empty list" },
	{ "a secret without its form", H("\"secret\":\"hunter2\""),
	  "t.json:1:17: \"secret\" must be \"env:NAME\"" },
	{ "the same in a list", H("\"secret\":[\"hunter2\"]"),
	  "t.json:1:27: \"secret\" must be \"env:NAME\"" },
	{ "a secret of an unknown form", H("\"secret\":\"vault:A\""),
	  "t.json:1:17: \"secret\" must be \"env:NAME\", \"file:/PATH\", "
	  "\"gcp:projects/P/secrets/S\", \"plain:TEXT\" or \"captured:NAME\"" },
	{ "an empty variable", H("\"secret\":\"env:\""),
	  "t.json:1:17: \"secret\" must be \"env:NAME\"" },
	{ "a variable that begins with a digit", H("\"secret\":\"env:1A\""),
	  "t.json:1:17: \"secret\" must be \"env:NAME\"" },
	{ "a variable with an equals sign", H("\"secret\":\"env:A=B\""),
	  "t.json:1:17: \"secret\" must be \"env:NAME\"" },
	{ "a relative file", H("\"secret\":\"file:secret\""),
	  "t.json:1:17: \"secret\" must be \"env:NAME\"" },
	{ "a secret of Google's without its project", H("\"secret\":\"gcp:s\""),
	  "t.json:1:17: \"secret\" must be \"env:NAME\"" },
	{ "one that climbs", H("\"secret\":\"gcp:projects/p/secrets/..\""),
	  "t.json:1:17: \"secret\" must be \"env:NAME\"" },
	{ "one with a query", H("\"verify_token\":\"gcp:projects/p/secrets/s?a\""),
	  "t.json:1:17: \"verify_token\" must be \"env:NAME\"" },
	{ "an empty text", H("\"secret\":\"plain:\""),
	  "t.json:1:17: \"secret\" must be \"env:NAME\"" },
	{ "a secret with a NUL", H("\"secret\":\"plain:hunter2\\u0000\""),
	  "t.json:1:17: \"secret\" must be \"env:NAME\"" },
	{ "a number as a secret", H("\"secret\":4711"),
	  "t.json:1:17: \"secret\" must be \"env:NAME\", \"file:/PATH\", "
	  "\"gcp:projects/P/secrets/S\", \"plain:TEXT\" or \"captured:NAME\", not a number" },
	{ "a number among secrets", H("\"secret\":[4711]"),
	  "t.json:1:27: \"secret\" must be a list of strings, and one of them is a "
	  "number" },
	{ "a bad one among good ones", H("\"secret\":[\"env:A\",\n\"B\"]"),
	  "t.json:2:1: \"secret\" must be \"env:NAME\"" },
	{ "a list in a list", H("\"secret\":[\"env:A\",\n[\"env:B\"]]"),
	  "t.json:2:1: \"secret\" must be a list of strings, and one of them is a "
	  "list" },
	{ "null in a list", H("\"secret\":[\"env:A\",\nnull]"),
	  "t.json:2:1: \"secret\" must be a list of strings, and one of them is null" },
	{ "a verify token that is no reference", H("\"verify_token\":\"hunter2\""),
	  "t.json:1:17: \"verify_token\" must be \"env:NAME\"" },
	{ "a verify token that is a number", H("\"verify_token\":4711"),
	  "t.json:1:17: \"verify_token\" must be \"env:NAME\"" },
	{ "an empty public key", H("\"public_key\":\"\""),
	  "t.json:1:17: \"public_key\" must be a public key" },
	{ "a public key from a relative file", H("\"public_key\":\"file:hunter2\""),
	  "t.json:1:17: \"public_key\" must be a public key" },

	/* from */
	{ "no network in a list", H("\"from\":[]"),
	  "t.json:1:17: \"from\" is an empty list" },
	{ "a name as a network", H("\"from\":\"example.com\""),
	  "t.json:1:17: \"from\" must be an address or a network like "
	  "\"192.0.2.0/24\" or \"2001:db8::/32\", not \"example.com\"" },
	{ "three numbers", H("\"from\":\"10.0.0/8\""),
	  "t.json:1:17: \"from\" must be an address" },
	{ "an octal number", H("\"from\":\"010.0.0.0/8\""),
	  "t.json:1:17: \"from\" must be an address" },
	{ "more bits than there are", H("\"from\":\"10.0.0.0/33\""),
	  "t.json:1:17: \"from\" must be an address" },
	{ "more bits than IPv6 has", H("\"from\":\"::/129\""),
	  "t.json:1:17: \"from\" must be an address" },
	{ "no bits after the slash", H("\"from\":\"10.0.0.0/\""),
	  "t.json:1:17: \"from\" must be an address" },
	{ "a mask", H("\"from\":\"10.0.0.0/255.0.0.0\""),
	  "t.json:1:17: \"from\" must be an address" },
	{ "a zone", H("\"from\":\"fe80::1%eth0\""),
	  "t.json:1:17: \"from\" must be an address" },
	{ "a network with an address in it", H("\"from\":\"192.30.252.1/22\""),
	  "t.json:1:17: \"from\": \"192.30.252.1/22\" has bits beyond its length; "
	  "did you mean \"192.30.252.0/22\"?" },
	{ "the same in IPv6", H("\"from\":[\"10.0.0.0/8\", \"2001:db8::1/32\"]"),
	  "t.json:1:39: \"from\": \"2001:db8::1/32\" has bits beyond its length; "
	  "did you mean \"2001:db8::/32\"?" },
	{ "a number in a list of networks", H("\"from\":[1]"),
	  "t.json:1:25: \"from\" must be a list of strings" },

	/* the rest of a hook */
	{ "a location without its @", H("\"pass\":\"app\""),
	  "t.json:1:17: \"pass\" must be \"@\" and the name of a location" },
	{ "a location with nothing after its @", H("\"pass\":\"@\""),
	  "t.json:1:17: \"pass\" must be \"@\"" },
	{ "a location that ends a header", H("\"pass\":\"@a\\r\\nX: y\""),
	  "t.json:1:17: \"pass\" must be \"@\"" },
	{ "a method in small letters", H("\"methods\":\"post\""),
	  "t.json:1:17: \"methods\" must be GET, HEAD, POST, PUT, PATCH, DELETE or "
	  "OPTIONS, not \"post\"" },
	{ "no methods", H("\"methods\":[]"),
	  "t.json:1:17: \"methods\" is an empty list" },
	{ "a URL of another scheme", H("\"url\":\"ftp://h/\""),
	  "t.json:1:17: \"url\" must be a URL that begins with \"https://\" or "
	  "\"http://\", not \"ftp://h/\"" },
	{ "a URL without a host", H("\"url\":\"https:///a\""),
	  "t.json:1:17: \"url\" must be" },
	{ "a URL of a scheme alone", H("\"url\":\"https://\""),
	  "t.json:1:17: \"url\" must be" },
	{ "a URL with a space", H("\"url\":\"https://h/a b\""),
	  "t.json:1:17: \"url\" must be" },
	{ "an ARN that is none", H("\"topic_arn\":\"sns\""),
	  "t.json:1:17: \"topic_arn\" must be an ARN" },
	{ "an empty parameter", H("\"client_id\":\"\""),
	  "t.json:1:17: \"client_id\" must be a text without control characters" },
	{ "a parameter with a newline", H("\"audience\":\"a\\nb\""),
	  "t.json:1:17: \"audience\" must be a text without control characters" },
	{ "a fingerprint too short", H("\"client_cert\":\"abcd\""),
	  "t.json:1:17: \"client_cert\" must be \"verified\"" },
	{ "a fingerprint that is not hex",
	  H("\"client_cert\":\"zz39a3ee5e6b4b0d3255bfef95601890afd80709\""),
	  "t.json:1:17: \"client_cert\" must be \"verified\"" },
	{ "a fingerprint with a colon inside a byte",
	  H("\"client_cert\":\"d:a39a3ee5e6b4b0d3255bfef95601890afd80709\""),
	  "t.json:1:17: \"client_cert\" must be \"verified\"" },
};

static void
test_refused(void)
{
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct conf *c = read_text(bad[i].text, &e);

		CHECKF(c == NULL, "%s is refused", bad[i].says);
		CHECKF(begins(e.text, bad[i].want),
		    "%s: wanted \"%s\", got \"%s\"", bad[i].says, bad[i].want,
		    e.text);
		CHECKF(e.code != ERR_NONE, "%s has a code", bad[i].says);
		/* Promise 7. */
		CHECKF(strstr(e.text, "hunter2") == NULL &&
		    strstr(e.text, "4711") == NULL,
		    "what was meant as a secret stays out of: %s", e.text);
		conf_free(c);
	}
}

/* Sizes at which something could be cut badly. */
static void
test_long(void)
{
	char *text = malloc(CONF_TEXT_MAX + 2);
	struct err e = { 0 };
	struct conf *c;
	size_t n;

	/* A key of a mebibyte, all of one quote, so that escaping doubles it. */
	n = (size_t)sprintf(text, "{\"");
	while (n < (1 << 20)) {
		text[n++] = '\\';
		text[n++] = '"';
	}
	n += (size_t)sprintf(text + n, "\":1}");
	c = conf_read((struct str){ text, n }, "t.json", &e);
	CHECKF(c == NULL && begins(e.text, "t.json:1:2: unknown key \"\\\"") &&
	    strlen(e.text) < 300, "a long key is cut: %s", e.text);
	conf_free(c);

	memset(text, ' ', CONF_TEXT_MAX + 1);
	memcpy(text, "{}", 2);
	c = conf_read((struct str){ text, CONF_TEXT_MAX }, "t.json", &e);
	CHECK(c != NULL, "a file of 32 MiB is read");
	conf_free(c);
	c = conf_read((struct str){ text, CONF_TEXT_MAX + 1 }, "t.json", &e);
	CHECK(c == NULL && begins(e.text, "t.json: is longer than 32 MiB"),
	    "a byte more is refused");
	conf_free(c);

	/* The densest files must fit the arena. */
	n = (size_t)sprintf(text, "{\"hooks\":{\"/\":{\"provider\":\"a\","
	    "\"secret\":[\"env:A\"");
	while (n < (1 << 20))
		n += (size_t)sprintf(text + n, ",\"env:A\"");
	n += (size_t)sprintf(text + n, "]}}}");
	c = conf_read((struct str){ text, n }, "t.json", &e);
	CHECKF(c != NULL && c->hooks[0].nsecrets > 100000,
	    "100,000 secrets are read: %s", e.text);
	conf_free(c);
	free(text);
}

/* --- what lands where ----------------------------------------------------------- */

/* Prints, reads, compares, prints again. */
static void
goes_round(const char *says, const struct conf *c)
{
	struct buf once = BUF(MANY), twice = BUF(MANY);
	struct err e = { 0 };
	struct conf *again;

	conf_print(&once, c);
	again = conf_read(buf_str(&once), "printed", &e);
	CHECKF(again != NULL, "what is printed of %s is read: %s", says, e.text);
	if (again != NULL) {
		CHECKF(conf_equal(c, again) && conf_equal(again, c),
		    "what is printed of %s reads back equal: %.*s", says,
		    STR_ARG(buf_str(&once)));
		conf_print(&twice, again);
		CHECKF(str_eq(buf_str(&once), buf_str(&twice)),
		    "what is printed of %s twice is the same", says);
	}
	conf_free(again);
	buf_free(&once);
	buf_free(&twice);
}

static const char full[] =
    "// every key\n"
    "{ \"$schema\": \"./hooklatch.schema.json\",\n"
    "  \"inbox\": \"sqlite:/srv/i.db\", \"courier\": \"unix:/srv/c.sock\",\n"
    "  \"log\": \"file:/var/log/h.log\", \"health\": \"/up\", \"volatile\": true,"
    "  \"metrics\": \"/numbers\",\n"
    "  \"providers\": \"/etc/p\", \"workers\": 3,\n"
    "  \"inbox_secret\": \"env:IS\", \"durability\": \"engine-default\",\n"
    "  \"claim_check\": \"gs://b/p\", \"claim_check_token\": \"env:CT\","
    "  \"ca_file\": \"/etc/ca.pem\", \"quarantine\": \"/srv/q\",\n"
    "  \"users\": { \"handler\": \"h\", \"courier\": \"c\", \"group\": \"g\" },\n"
    "  \"limits\": { \"worker_memory\": \"1g\", \"in_flight\": 7,\n"
    "    \"body\": 1000, \"json_depth\": 9, \"json_values\": 99,\n"
    "    \"read_timeout\": 5, \"deadline\": \"1500ms\", \"inbox_bytes\": \"2t\",\n"
    "    \"inbox_age\": \"2d\", \"inbox_keep\": \"3h\", \"remember\": \"4m\",\n"
    "    \"quarantine_requests\": 5, \"quarantine_bytes\": \"1m\" },\n"
    "  \"hooks\": {\n"
    "    \"/one\": { \"provider\": \"github\",\n"
    "      \"secret\": [\"env:A\", \"file:/b\", \"plain:c:d\"],\n"
    "      \"from\": [\"192.30.252.0/22\", \"2001:db8::/32\", \"10.1.2.3\"],\n"
    "      \"client_cert\": \"DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:"
    "AF:D8:07:09\",\n"
    "      \"window\": \"300s\", \"deadline\": 1, \"body\": 500,\n"
    "      \"methods\": [\"POST\", \"PUT\"], \"pass\": \"@app\",\n"
    "      \"handshake\": \"open\", \"replay\": \"refuse\",\n"
    "      \"verify_token\": \"env:VT\", \"public_key\": \"ab\\ncd\",\n"
    "      \"client_id\": \"1\", \"app_key\": \"2\", \"key_id\": \"3\",\n"
    "      \"topic_arn\": \"arn:4\", \"webhook_id\": \"5\", \"audience\": \"6\",\n"
    "      \"email\": [\"7\"], \"origin\": \"8\", \"topic\": \"9\",\n"
    "      \"issuer\": \"https://i/10\", \"token\": \"platform\",\n"
    "      \"fetch_secret\": \"env:FS\",\n"
    "      \"url\": \"https://h/one\" },\n"
    "    \"/two\": { \"auth\": \"none\", \"client_cert\": \"verified\" },\n"
    "    \"/three/\": { \"secret\": [\"env:T\", \"captured:a.b-c\"], \"provider\":\n"
    "      { \"signature\": /* why */ {} // end\n } } } }\n";

static void
test_lands(void)
{
	static const unsigned char v4[16] = { [10] = 0xff, 0xff, 192, 30, 252 };
	static const unsigned char v6[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	struct err e;
	struct conf *c = read_text(full, &e);
	struct hook *h;
	int i;

	CHECKF(c != NULL, "the full file is read: %s", e.text);
	if (c == NULL)
		return;
	CHECK(c->inbox_kind == INBOX_SQLITE &&
	    str_eq(c->inbox_path, STR("/srv/i.db")) &&
	    str_eq(c->inbox, STR("sqlite:/srv/i.db")), "inbox");
	CHECK(str_eq(c->courier, STR("/srv/c.sock")), "courier");
	CHECK(str_eq(c->log, STR("file:/var/log/h.log")), "log");
	CHECK(str_eq(c->health, STR("/up")), "health");
	CHECK(str_eq(c->metrics, STR("/numbers")), "metrics");
	CHECK(str_eq(c->providers_dir, STR("/etc/p")), "providers");
	CHECK(str_eq(c->ca_file, STR("/etc/ca.pem")), "ca_file");
	CHECK(str_eq(c->quarantine, STR("/srv/q")) &&
	    c->quarantine_requests == 5 && c->quarantine_bytes == 1 << 20,
	    "quarantine");
	CHECK(c->volatile_ok, "volatile");
	CHECK(str_eq(c->inbox_secret, STR("env:IS")) &&
	    c->durability == DURABLE_ENGINE, "inbox_secret and durability");
	CHECK(str_eq(c->claim_check, STR("gs://b/p")) && !conf_claim_google(c) &&
	    str_eq(c->claim_check_token, STR("env:CT")), "claim_check and its token");
	CHECK(c->workers == 3, "workers");
	CHECK(str_eq(c->handler_user, STR("h")) &&
	    str_eq(c->courier_user, STR("c")) &&
	    str_eq(c->socket_group, STR("g")), "users");
	CHECK(c->worker_memory == 1ULL << 30, "worker_memory");
	CHECK(c->in_flight == 7, "in_flight");
	CHECK(c->max_body == 1000, "body");
	CHECK(c->max_depth == 9 && c->max_values == 99, "json");
	CHECK(c->read_timeout == 5000, "read_timeout");
	CHECK(c->max_deadline == 1500, "deadline");
	CHECK(c->inbox_bytes == 2ULL << 40, "inbox_bytes");
	CHECK(c->inbox_age == 2 * 86400000LL, "inbox_age");
	CHECK(c->inbox_keep == 3 * 3600000, "inbox_keep");
	CHECK(c->remember == 240000, "remember");

	CHECK(c->nhooks == 3, "three hooks");
	h = &c->hooks[0];
	CHECK(str_eq(h->path, STR("/one")), "path");
	CHECK(str_eq(h->where, STR("t.json:15:5")), "where");
	CHECK(str_eq(h->provider, STR("github")) && h->own.p == NULL, "provider");
	CHECK(h->nsecrets == 3 && str_eq(h->secrets[2], STR("plain:c:d")),
	    "secrets");
	CHECK(h->auth == AUTH_PROVIDER, "auth");
	CHECK(h->nfrom == 3 && h->from[0].bits == 96 + 22 &&
	    memcmp(h->from[0].addr, v4, 16) == 0, "an IPv4 network");
	CHECK(h->nfrom == 3 && h->from[1].bits == 32 &&
	    memcmp(h->from[1].addr, v6, 16) == 0, "an IPv6 network");
	CHECK(h->nfrom == 3 && h->from[2].bits == 128, "an address alone");
	CHECK(str_eq(h->client_cert,
	    STR("da39a3ee5e6b4b0d3255bfef95601890afd80709")),
	    "a fingerprint as web servers write it");
	CHECK(h->window == 300000 && h->deadline == 1000 && h->max_body == 500,
	    "numbers of a hook");
	CHECK(h->nmethods == 2 && str_eq(h->methods[1], STR("PUT")), "methods");
	CHECK(str_eq(h->pass, STR("@app")), "pass");
	CHECK(h->open_handshake && h->refuse_replay, "words");
	CHECK(str_eq(conf_param(h, PARAM_PUBLIC_KEY), STR("ab\ncd")), "public_key");
	for (i = PARAM_CLIENT_ID; i < PARAM_URL; i++)
		CHECKF(h->params[i].n == 1 && str_ends(h->params[i].v[0],
		    (struct str){ &"1234567890"[i - PARAM_CLIENT_ID], 1 }), "%s",
		    hook_param_names[i]);
	CHECK(h->platform_token, "token");
	CHECK(str_eq(h->fetch_secret, STR("env:FS")), "fetch_secret");
	CHECK(str_eq(conf_param(h, PARAM_URL), STR("https://h/one")), "url");
	CHECK(str_eq(conf_param(h, PARAM_VERIFY_TOKEN), STR("env:VT")),
	    "verify_token");

	h = &c->hooks[1];
	CHECK(h->auth == AUTH_NONE && h->provider.p == NULL, "auth none");
	CHECK(str_eq(h->client_cert, STR("verified")), "verified");
	CHECK(h->window == -1 && h->deadline == 0 && h->max_body == 0 &&
	    h->nfrom == 0 && h->nmethods == 0 && h->pass.n == 0 &&
	    !h->open_handshake && !h->refuse_replay &&
	    h->params[PARAM_URL].n == 0, "what a hook does not say");
	h = &c->hooks[2];
	CHECK(str_eq(h->provider, STR("own")), "a provider of one's own");
	CHECK(h->nsecrets == 2 && str_eq(conf_captured(h->secrets[1]),
	    STR("a.b-c")) && conf_captured(h->secrets[0]).p == NULL,
	    "a secret that is captured");
	CHECKF(str_eq(h->own, STR("{ \"signature\": /* why */ {} // end\n }")),
	    "its text as written: %.*s", STR_ARG(h->own));
	goes_round("the full file", c);
	conf_free(c);
}

static void
test_presets(void)
{
	struct err e;
	struct conf *c = read_text("{}", &e);

	CHECKF(c != NULL, "an empty object is read: %s", e.text);
	if (c == NULL)
		return;
	CHECK(c->inbox.p == NULL && c->courier.p == NULL, "not settled yet");
	CHECK(str_eq(c->log, STR("stderr")), "log");
	CHECK(str_eq(c->health, STR("/health")), "health");
	CHECK(c->metrics.n == 0, "metrics");
	CHECK(c->providers_dir.n == 0 && !c->volatile_ok, "nothing asked for");
	CHECK(c->workers == 0, "a worker for each processor");
	CHECK(str_eq(c->handler_user, STR("hooklatch")) &&
	    str_eq(c->courier_user, STR("hooklatch-courier")) &&
	    str_eq(c->socket_group, STR("www-data")), "users");
	CHECK(c->worker_memory == 64 << 20 && c->in_flight == 1024 &&
	    c->max_body == 26 << 20, "promise 8's numbers");
	CHECK(c->read_timeout == 30000 && c->max_deadline == 10000, "times");
	CHECK(c->inbox_bytes == 10ULL << 30 && c->inbox_age == 30 * 86400000LL &&
	    c->inbox_keep == 86400000 && c->remember == 7 * 86400000LL,
	    "retention");
	CHECK(c->nhooks == 0, "no hooks");
	conf_free(c);
}

/* --- printing and comparing -------------------------------------------------------- */

/* Pairs that differ in one key: neither may equal the other. */
static const char *const differ[][2] = {
	{ "{}", "{\"inbox\":\"none\"}" },
	{ "{\"inbox\":\"none\"}", "{\"inbox\":\"stdout:\"}" },
	{ "{\"inbox\":\"sqlite:/a\"}", "{\"inbox\":\"sqlite:/b\"}" },
	{ "{\"inbox\":\"redis://h/0/s\"}", "{\"inbox\":\"redis://h/1/s\"}" },
	{ "{\"inbox\":\"rediss://[::1]:7/0/s\"}", "{\"inbox\":\"redis://h/0/s?wait=1\"}" },
	{ "{\"inbox\":\"nats://h/S/a.b\"}", "{\"inbox\":\"nats+tls://h,i:4/S/a.b\"}" },
	{ "{\"inbox\":\"kafka://h/t\"}", "{\"inbox\":\"kafka+tls://h:9,i/t?scram\"}" },
	{ "{}", "{\"inbox_secret\":\"env:A\"}" },
	{ "{}", "{\"durability\":\"engine-default\"}" },
	{ "{}", "{\"claim_check\":\"https://h/b\"}" },
	{ "{}", "{\"claim_check_token\":\"google\"}" },
	{ "{}", "{\"courier\":\"unix:/c\"}" },
	{ "{}", "{\"log\":\"syslog\"}" },
	{ "{}", "{\"log\":\"stdout\"}" },
	{ "{}", "{\"health\":\"none\"}" },
	{ "{}", "{\"metrics\":\"/metrics\"}" },
	{ "{\"health\":\"/\"}", "{\"health\":\"none\"}" },
	{ "{}", "{\"providers\":\"/etc/hooklatch/\xc3\xa4 \\\"x\\\"\"}" },
	{ "{}", "{\"volatile\":true}" },
	{ "{}", "{\"workers\":1}" },
	{ "{}", "{\"users\":{\"handler\":\"x\"}}" },
	{ "{}", "{\"users\":{\"courier\":\"x\"}}" },
	{ "{}", "{\"users\":{\"group\":\"x\"}}" },
	{ L("\"worker_memory\":\"1m\""), L("\"worker_memory\":\"1025k\"") },
	{ L("\"in_flight\":1"), L("\"in_flight\":2") },
	{ L("\"body\":1"), L("\"body\":1073741823") },
	{ L("\"json_depth\":1"), L("\"json_depth\":2") },
	{ L("\"json_values\":1"), L("\"json_values\":2") },
	{ L("\"read_timeout\":\"100ms\""), L("\"read_timeout\":\"101ms\"") },
	{ L("\"deadline\":\"1s\""), L("\"deadline\":\"1m\"") },
	{ L("\"inbox_bytes\":\"1024t\""), L("\"inbox_bytes\":\"65537\"") },
	{ L("\"inbox_age\":0"), L("\"inbox_age\":\"36500d\"") },
	{ L("\"inbox_keep\":0"), L("\"inbox_keep\":1") },
	{ L("\"remember\":0"), L("\"remember\":\"25h\"") },
	{ "{}", H("\"secret\":\"env:A\"") },
	{ "{\"hooks\":{\"/a\":{\"auth\":\"none\"}}}",
	  "{\"hooks\":{\"/b\":{\"auth\":\"none\"}}}" },
	{ "{\"hooks\":{\"/a\":{\"auth\":\"none\"}}}",
	  "{\"hooks\":{\"/a\":{\"auth\":\"none\"},\"/b\":{\"auth\":\"none\"}}}" },
	{ "{\"hooks\":{\"/\":{\"auth\":\"none\"}}}",
	  "{\"hooks\":{\"/\":{\"provider\":\"a\"}}}" },
	{ "{\"hooks\":{\"/a\":{\"provider\":\"a\"}}}",
	  "{\"hooks\":{\"/a\":{\"provider\":\"b\"}}}" },
	{ "{\"hooks\":{\"/a\":{\"provider\":{\"a\":1}}}}",
	  "{\"hooks\":{\"/a\":{\"provider\":{\"a\":2 // x\n}}}}" },
	{ "{\"hooks\":{\"/!\\\"$&'()*+,-.\":{\"auth\":\"none\"}}}",
	  "{\"hooks\":{\"/:;<=>@[\\\\]^_`{|}~\":{\"auth\":\"none\"}}}" },
	{ H("\"secret\":\"env:A\""), H("\"secret\":\"env:B\"") },
	{ H("\"secret\":[\"env:A\"]"), H("\"secret\":[\"env:A\",\"env:B\"]") },
	{ H("\"secret\":[\"env:B\",\"env:A\"]"),
	  H("\"secret\":[\"env:A\",\"env:B\"]") },
	{ H("\"secret\":\"plain:a\\n\\t\\\"\\\\ \\u00e4\\ud83d\\ude00\""),
	  H("\"secret\":\"plain:a\"") },
	{ H("\"from\":\"0.0.0.0/0\""), H("\"from\":\"::/0\"") },
	{ H("\"from\":\"10.0.0.0/8\""), H("\"from\":\"10.0.0.0/9\"") },
	{ H("\"from\":[\"10.0.0.1\",\"::1\"]"), H("\"from\":\"10.0.0.1\"") },
	{ H("\"from\":\"::fffe:0:0/95\""), H("\"from\":\"::ffff:0:0/96\"") },
	{ H("\"from\":\"2001:db8::/32\""), H("\"from\":\"2001:db9::/32\"") },
	{ H("\"window\":1"), H("\"window\":\"2m\"") },
	{ H("\"methods\":\"GET\""), H("\"methods\":[\"GET\",\"POST\"]") },
	{ H("\"body\":1"), H("\"body\":\"1k\"") },
	{ H("\"deadline\":1"), H("\"deadline\":\"2500ms\"") },
	{ H("\"pass\":\"@a\""), H("\"pass\":\"@b\"") },
	{ H("\"handshake\":\"open\""), H("\"handshake\":\"verified\"") },
	{ H("\"replay\":\"refuse\""), H("\"replay\":\"store\"") },
	{ H("\"client_cert\":\"verified\""), H("\"client_cert\":"
	  "\"da39a3ee5e6b4b0d3255bfef95601890afd80709\"") },
	{ H("\"verify_token\":\"env:A\""), H("\"verify_token\":\"env:B\"") },
	{ H("\"public_key\":\"a\""), H("\"public_key\":\"b\"") },
	{ H("\"client_id\":\"a\""), H("\"client_id\":\"b\"") },
	{ H("\"app_key\":\"a\""), H("\"app_key\":\"b\"") },
	{ H("\"key_id\":\"a\""), H("\"key_id\":\"b\"") },
	{ H("\"topic_arn\":\"arn:a\""), H("\"topic_arn\":\"arn:b\"") },
	{ H("\"webhook_id\":\"a\""), H("\"webhook_id\":\"b\"") },
	{ H("\"audience\":\"a\""), H("\"audience\":\"b\"") },
	{ H("\"email\":\"a\""), H("\"email\":\"b\"") },
	{ H("\"origin\":\"a\""), H("\"origin\":\"b\"") },
	{ H("\"topic\":\"a\""), H("\"topic\":\"b\"") },
	{ H("\"url\":\"https://a\""), H("\"url\":\"https://b\"") },
	{ "{}", D("\"exec\":\"/x\"") },
	{ D("\"exec\":\"/x\""), D("\"exec\":[\"/x\",\"y\",\"\"]") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"directory\":\"/y\"") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"environment\":{\"A\":\"env:B\"}") },
	{ D("\"exec\":\"/x\",\"environment\":{\"A\":\"b\"}"),
	  D("\"exec\":\"/x\",\"environment\":{\"A\":\"c\"}") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"one_at_a_time\":true") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"latest_wins\":true") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"serialize_by\":\"body:a.b\"") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"delay\":1") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"timeout\":1") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"concurrency\":1") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"retry\":{\"first\":1}") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"retry\":{\"most\":\"2h\"}") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"retry\":{\"tries\":3}") },
	{ D("\"exec\":\"/x\""), D("\"exec\":\"/x\",\"retry\":{\"give_up\":\"1d\"}") },
	{ D("\"http\":\"http://a\""), D("\"http\":\"http://b/{id}\"") },
	{ D("\"http\":\"http://a\""), D("\"http\":\"http://a\",\"method\":\"PUT\"") },
	{ D("\"http\":\"http://a\""), D("\"http\":\"http://a\",\"headers\":{\"A\":\"{id}\"}") },
	{ D("\"http\":\"http://a\""), D("\"http\":\"http://a\",\"body\":\"{\\\"a\\\":1}\"") },
	{ D("\"http\":\"http://a\""), D("\"http\":\"http://a\",\"sign\":\"env:A\"") },
	{ D("\"http\":\"http://a\""), D("\"http\":\"http://a\",\"bearer\":\"env:A\"") },
	{ D("\"http\":\"http://a\""), D("\"http\":\"http://a\",\"basic\":\"file:/a\"") },
	{ D("\"http\":\"http://a\",\"google\":\"id\""),
	  D("\"http\":\"http://a\",\"google\":\"access\",\"scope\":\"a b\"") },
	{ D("\"http\":\"http://a\",\"google\":\"id\""),
	  D("\"http\":\"http://a\",\"google\":\"id\",\"audience\":\"a\","
	  "\"credentials\":\"file:/a\"") },
	{ D("\"service\":\"pubsub\",\"topic\":\"projects/p/topics/t\""),
	  D("\"service\":\"pubsub\",\"topic\":\"projects/p/topics/u\"") },
	{ D("\"service\":\"pubsub\",\"topic\":\"projects/p/topics/t\""),
	  D("\"topic\":\"projects/p/topics/t\",\"ordering_key\":\"say \\\"{type}\\\"\","
	  "\"service\":\"pubsub\",\"endpoint\":\"http://127.0.0.1:1/\"") },
	{ D("\"service\":\"bigquery\",\"table\":\"projects/p/datasets/d/tables/t\""),
	  D("\"service\":\"bigquery\",\"table\":\"projects/p/datasets/d/tables/t\","
	  "\"body\":\"{\\\"rows\\\":[]}\",\"scope\":\"s\"") },
	{ D("\"http\":\"http://a\"," OAUTH1),
	  D("\"http\":\"http://a\",\"oauth1\":{\"token\":\"env:A\",\"consumer_key\":"
	  "\"env:A\",\"consumer_secret\":\"file:/b\",\"token_secret\":\"env:A\"}") },
	{ D("\"http\":\"http://a\",\"per_day\":1"),
	  D("\"http\":\"http://a\",\"per_day\":2") },
	{ D("\"service\":\"x\",\"reply_to\":\"{body:a}\",\"text\":\"{type}\","
	  "\"each_costs\":\"i know\",\"per_day\":9," OAUTH1),
	  D("\"service\":\"x\",\"reply_to\":\"{body:a}\",\"text\":\"{type}!\","
	  "\"each_costs\":\"i know\",\"per_day\":9," OAUTH1) },
	{ D("\"service\":\"cloud-run\",\"url\":\"https://a/\""),
	  D("\"service\":\"cloud-run\",\"url\":\"https://a/\",\"audience\":\"b\"") },
	{ D("\"service\":\"fcm\",\"project\":\"projects/p\",\"to_topic\":\"a\""),
	  D("\"service\":\"fcm\",\"project\":\"projects/p\",\"fid\":\"{body:f}\"") },
	{ D("\"service\":\"cloud-tasks\",\"queue\":\"projects/p/locations/l/queues/q\","
	  "\"url\":\"https://a/\""),
	  D("\"service\":\"cloud-tasks\",\"queue\":\"projects/p/locations/l/queues/q\","
	  "\"url\":\"https://a/\",\"service_account\":\"a@b\"") },
	{ "{\"hooks\":{\"/a\":{\"auth\":\"none\",\"deliver\":\"d\"}},"
	  "\"destinations\":{\"d\":{\"exec\":\"/x\"}}}",
	  "{\"hooks\":{\"/a\":{\"auth\":\"none\",\"deliver\":{\"to\":\"d\",\"when\":"
	  "{\"type\":[\"a\"]}}}},\"destinations\":{\"d\":{\"exec\":\"/x\"}}}" },
};

static void
test_round(void)
{
	struct buf b = BUF(MANY);
	struct err e;
	size_t i, j;

	for (i = 0; i < sizeof(differ) / sizeof(differ[0]); i++) {
		struct conf *c[2];

		for (j = 0; j < 2; j++) {
			c[j] = read_text(differ[i][j], &e);
			CHECKF(c[j] != NULL, "%s is read: %s", differ[i][j],
			    e.text);
			if (c[j] != NULL)
				goes_round(differ[i][j], c[j]);
		}
		CHECKF(c[0] != NULL && c[1] != NULL && !conf_equal(c[0], c[1]) &&
		    !conf_equal(c[1], c[0]), "%s is not %s", differ[i][0],
		    differ[i][1]);
		conf_free(c[0]);
		conf_free(c[1]);
	}

	/* Every default, as the manual shows it. */
	struct conf *c = read_text("{}", &e);
	CHECK(c != NULL, "an empty object is read");
	if (c != NULL)
		conf_print(&b, c);
	CHECKF(str_eq(buf_str(&b), STR(
	    "{\n"
	    "\t\"durability\": \"strict\",\n"
    "\t\"log\": \"stderr\",\n"
	    "\t\"health\": \"/health\",\n"
	    "\t\"volatile\": false,\n"
	    "\t\"workers\": 0,\n"
	    "\t\"users\": {\n"
	    "\t\t\"handler\": \"hooklatch\",\n"
	    "\t\t\"courier\": \"hooklatch-courier\",\n"
	    "\t\t\"group\": \"www-data\"\n"
	    "\t},\n"
	    "\t\"limits\": {\n"
	    "\t\t\"worker_memory\": \"64m\",\n"
	    "\t\t\"in_flight\": 1024,\n"
	    "\t\t\"body\": \"26m\",\n"
	    "\t\t\"json_depth\": 128,\n"
	    "\t\t\"json_values\": 1000000,\n"
	    "\t\t\"read_timeout\": \"30s\",\n"
	    "\t\t\"deadline\": \"10s\",\n"
	    "\t\t\"inbox_bytes\": \"10g\",\n"
	    "\t\t\"inbox_age\": \"30d\",\n"
	    "\t\t\"inbox_keep\": \"1d\",\n"
	    "\t\t\"remember\": \"7d\",\n"
	    "\t\t\"quarantine_requests\": 100,\n"
	    "\t\t\"quarantine_bytes\": \"16m\"\n"
	    "\t},\n"
	    "\t\"hooks\": {\n"
	    "\t},\n"
	    "\t\"destinations\": {\n"
	    "\t}\n"
	    "}\n")), "defaults are printed: %.*s", STR_ARG(buf_str(&b)));
	conf_free(c);
	buf_free(&b);
}

/* The files that ship, and the copies made from the table. */
static void
test_shipped(void)
{
	static const char *const examples[] = { "examples/hooklatch.json",
	    "examples/annotated.json" };
	struct buf b = BUF(MANY);
	size_t i;
	char *p;

	for (i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct err e = { 0 };
		struct conf *c;

		p = slurp(examples[i]);
		c = conf_read(str_of(p), examples[i], &e);
		CHECKF(c != NULL, "an example is read: %s", e.text);
		if (c != NULL) {
			CHECKF(c->nhooks > 1, "%s has hooks", examples[i]);
			goes_round(examples[i], c);
		}
		conf_free(c);
		free(p);
	}

	conf_schema(&b);
	CHECK(json_scan(buf_str(&b), (struct json_limits){ 64, 10000 }, NULL) ==
	    JSON_OK, "the schema is JSON");
	p = slurp("examples/hooklatch.schema.json");
	CHECK(str_eq(buf_str(&b), str_of(p)),
	    "examples/hooklatch.schema.json is not stale: script/update-docs");
	free(p);
	buf_reset(&b);
	conf_manual(&b);
	buf_putc(&b, '\0');
	p = slurp("man/hooklatch.json.5");
	CHECK(strstr(p, b.p) != NULL,
	    "man/hooklatch.json.5 is not stale: script/update-docs");
	free(p);
	buf_free(&b);
}

/* The EXAMPLES of the manual, each between .Bd -literal and .Ed. */
static void
test_manual_examples(void)
{
	char *page = slurp("man/hooklatch.json.5"), *p, *end;
	unsigned n = 0;

	p = strstr(page, ".Sh EXAMPLES");
	while (p != NULL && (p = strstr(p, ".Bd -literal")) != NULL) {
		struct err e = { 0 };
		struct conf *c;

		p = strchr(p, '\n') + 1;
		if ((end = strstr(p, ".Ed\n")) == NULL)
			break;
		c = conf_read((struct str){ p, (size_t)(end - p) }, "example", &e);
		CHECKF(c != NULL && c->nhooks > 0, "example %u is read: %s", n,
		    e.text);
		conf_free(c);
		p = end;
		n++;
	}
	CHECK(n >= 3, "the manual has examples");
	free(page);
}

static void
test_nearest(void)
{
	static const char *const words[] = { "secret", "from", "body", NULL };
	const char *p;

	p = conf_nearest(STR("secert"), words);
	CHECK(p != NULL && strcmp(p, "secret") == 0, "letters swapped");
	p = conf_nearest(STR("SECRET"), words);
	CHECK(p != NULL && strcmp(p, "secret") == 0, "capitals");
	p = conf_nearest(STR("form"), words);
	CHECK(p != NULL && strcmp(p, "from") == 0, "a short word");
	CHECK(conf_nearest(STR("inbox"), words) == NULL, "none is near");
	CHECK(conf_nearest(STR(""), words) == NULL, "nothing is near nothing");
}

/* --- the environment, the place -------------------------------------------------- */

/* "NAME=value" in pairs, ended by NULL: what fake_env() answers from. */
static const char *const *fake;

static const char *
fake_env(const char *name)
{
	size_t i;

	for (i = 0; fake[i] != NULL; i += 2)
		if (strcmp(fake[i], name) == 0)
			return fake[i + 1];
	return NULL;
}

static bool
under_run(const char *path)
{
	return strncmp(path, "/run/", 5) == 0;
}

static const struct {
	const char *says;
	const char *text;		/* of a file; NULL: the environment alone */
	const char *env[16];
	struct conf_place at;
	const char *error;		/* the sentence's beginning, or ... */
	const char *same;		/* ... the configuration that it is, or ... */
	const char *inbox, *courier;	/* ... what comes of it in that place */
	const char *warning;
} places[] = {
	/* the environment in place of a file */
	{ "the guide's example", .env = { "SECRET", "s3cr3t" },
	  .same = "{\"hooks\":{\"/\":{\"provider\":\"secret-header\","
	  "\"secret\":\"env:SECRET\"}}}" },
	{ "a provider", .env = { "SECRET", "x", "PROVIDER", "github" },
	  .same = "{\"hooks\":{\"/\":{\"provider\":\"github\","
	  "\"secret\":\"env:SECRET\"}}}" },
	{ "a provider with a key", .env = { "PROVIDER", "discord", "PUBLIC_KEY",
	  "ab" }, .same = "{\"hooks\":{\"/\":{\"provider\":\"discord\","
	  "\"public_key\":\"env:PUBLIC_KEY\"}}}" },
	{ "all there is", .env = { "SECRET", "x", "PROVIDER", "meta", "INBOX",
	  "none", "VERIFY_TOKEN", "v", "PUBLIC_URL", "https://h/", "PUBLIC_KEY",
	  "k" },
	  .same = "{\"inbox\":\"none\",\"hooks\":{\"/\":{\"provider\":\"meta\","
	  "\"secret\":\"env:SECRET\",\"verify_token\":\"env:VERIFY_TOKEN\","
	  "\"public_key\":\"env:PUBLIC_KEY\",\"url\":\"https://h/\"}}}" },
	{ "an engine", .env = { "SECRET", "x", "INBOX", "redis://h/0/s",
	  "INBOX_SECRET", "u:s3cr3t", "DURABILITY", "engine-default" },
	  .same = "{\"inbox\":\"redis://h/0/s\",\"inbox_secret\":\"env:INBOX_SECRET\","
	  "\"durability\":\"engine-default\",\"hooks\":{\"/\":{\"provider\":"
	  "\"secret-header\",\"secret\":\"env:SECRET\"}}}" },
	{ "a bucket's", .env = { "SECRET", "x", "CLAIM_CHECK", "https://h/b",
	  "CLAIM_CHECK_TOKEN", "s3cr3t" },
	  .same = "{\"claim_check\":\"https://h/b\",\"claim_check_token\":"
	  "\"env:CLAIM_CHECK_TOKEN\",\"hooks\":{\"/\":{\"provider\":"
	  "\"secret-header\",\"secret\":\"env:SECRET\"}}}" },
	{ "a token's", .env = { "PROVIDER", "pubsub", "AUDIENCE", "https://h/",
	  "EMAIL", "a@b", "TOKEN", "verify" },
	  .same = "{\"hooks\":{\"/\":{\"provider\":\"pubsub\",\"audience\":"
	  "\"https://h/\",\"email\":\"a@b\",\"token\":\"verify\"}}}" },
	{ "a shell's, without a provider", .env = { "SECRET", "x", "EMAIL",
	  "a@b" }, .same = "{\"hooks\":{\"/\":{\"provider\":\"secret-header\","
	  "\"secret\":\"env:SECRET\"}}}" },
	{ "empty is not set", .env = { "SECRET", "x", "INBOX", "", "PROVIDER",
	  "" }, .same = "{\"hooks\":{\"/\":{\"provider\":\"secret-header\","
	  "\"secret\":\"env:SECRET\"}}}" },
	{ "nothing", .env = { NULL },
	  .error = "there is neither a configuration file nor a SECRET: set SECRET" },
	{ "an empty secret", .env = { "SECRET", "" },
	  .error = "there is neither a configuration file nor a SECRET: set SECRET" },
	{ "an inbox that is none", .env = { "SECRET", "x", "INBOX", "here\"" },
	  .error = "environment:2:2: \"inbox\" must be" },
	{ "a provider that breaks out", .env = { "SECRET", "x", "PROVIDER",
	  "a\",\"auth\":\"none" },
	  .error = "environment:4:4: \"provider\" must be" },

	/* a place */
	{ "root", "{}", .at = { .root = true },
	  .inbox = "sqlite:/var/lib/hooklatch/inbox.db",
	  .courier = "/var/lib/hooklatch/inbox.db.sock",
	  .warning = "there are no hooks" },
	{ "systemd", H("\"secret\":\"env:A\""), .at = { .root = true,
	  .state_directory = "/var/lib/h:/x", .runtime_directory = "/run/h" },
	  .inbox = "sqlite:/var/lib/h/inbox.db",
	  .courier = "/var/lib/h/inbox.db.sock" },
	{ "a user with XDG_STATE_HOME", "{}",
	  .at = { .xdg_state_home = "/home/u/state", .home = "/home/u" },
	  .inbox = "sqlite:/home/u/state/hooklatch/inbox.db",
	  .courier = "/home/u/state/hooklatch/inbox.db.sock",
	  .warning = "there are no hooks" },
	{ "a relative XDG_STATE_HOME", "{}", .at = { .xdg_state_home = "state",
	  .home = "/home/u" },
	  .inbox = "sqlite:/home/u/.local/state/hooklatch/inbox.db",
	  .courier = "/home/u/.local/state/hooklatch/inbox.db.sock",
	  .warning = "there are no hooks" },
	{ "a user at home", "{}", .at = { .home = "/home/u",
	  .xdg_state_home = "" },
	  .inbox = "sqlite:/home/u/.local/state/hooklatch/inbox.db",
	  .courier = "/home/u/.local/state/hooklatch/inbox.db.sock",
	  .warning = "there are no hooks" },
	{ "a relative state directory", "{}",
	  .at = { .state_directory = "state", .home = "/home/u" },
	  .inbox = "sqlite:/home/u/.local/state/hooklatch/inbox.db",
	  .courier = "/home/u/.local/state/hooklatch/inbox.db.sock",
	  .warning = "there are no hooks" },
	{ "nobody, nowhere", "{}", .at = { .home = "" },
	  .error = "t.json: there is no place for the inbox: set \"inbox\"" },
	{ "what the file says", "{\"inbox\":\"sqlite:/a/b\","
	  "\"courier\":\"unix:/c\"}", .at = { .root = true,
	  .state_directory = "/s" }, .inbox = "sqlite:/a/b", .courier = "/c",
	  .warning = "there are no hooks" },
	{ "no inbox", "{\"inbox\":\"none\"}", .at = { .root = true },
	  .inbox = "none", .courier = "/run/hooklatch/courier.sock",
	  .warning = "there are no hooks" },
	{ "no inbox under systemd", "{\"inbox\":\"stdout:\"}",
	  .at = { .root = true, .runtime_directory = "/run/h:/run/i" },
	  .inbox = "stdout:", .courier = "/run/h/courier.sock",
	  .warning = "there are no hooks" },
	{ "metrics and no inbox", "{\"inbox\":\"none\",\"metrics\":\"/m\","
	  "\"hooks\":{\"/\":{\"auth\":\"none\"}}}", .at = { .root = true },
	  .inbox = "none", .courier = "/run/hooklatch/courier.sock",
	  .warning = "\"metrics\" are what a courier" },
	{ "Cloud Run", H("\"secret\":\"env:A\""), .at = { .cloud_run = true,
	  .home = "/root" }, .inbox = "none",
	  .courier = "/run/hooklatch/courier.sock",
	  .warning = "the disk of Cloud Run" },
	{ "Cloud Run and no inbox", "{\"inbox\":\"none\",\"hooks\":"
	  "{\"/\":{\"auth\":\"none\"}}}", .at = { .cloud_run = true },
	  .inbox = "none", .courier = "/run/hooklatch/courier.sock" },
	{ "a local inbox on Cloud Run", "{\"inbox\":\"sqlite:/data/i.db\"}",
	  .at = { .cloud_run = true },
	  .error = "t.json: \"inbox\" is on the disk of Cloud Run, which is memory and "
	  "goes with the instance: set \"inbox\" to an engine or \"none\", or "
	  "\"volatile\"" },
	{ "the same when it may be lost", "{\"inbox\":\"sqlite:/data/i.db\","
	  "\"volatile\":true,\"hooks\":{\"/\":{\"auth\":\"none\"}}}",
	  .at = { .cloud_run = true }, .inbox = "sqlite:/data/i.db",
	  .courier = "/data/i.db.sock" },
	{ "an engine",
	  "{\"inbox\":\"redis://h/0/s\",\"inbox_secret\":\"env:A\","
	  "\"hooks\":{\"/\":{\"auth\":\"none\"}}}", .at = { .root = true },
	  .inbox = "redis://h/0/s", .courier = "/run/hooklatch/courier.sock" },
	{ "an engine and a user at home", "{\"inbox\":\"redis://h/0/s\"}",
	  .at = { .home = "/home/u" }, .inbox = "redis://h/0/s",
	  .courier = "/home/u/.local/state/hooklatch/courier.sock",
	  .warning = "there are no hooks" },
	{ "an engine under systemd", "{\"inbox\":\"redis://h/0/s\"}",
	  .at = { .home = "/", .runtime_directory = "/run/h" },
	  .inbox = "redis://h/0/s", .courier = "/run/h/courier.sock",
	  .warning = "there are no hooks" },
	{ "an engine on Cloud Run",
	  "{\"inbox\":\"nats://h/S/a\",\"durability\":"
	  "\"engine-default\",\"hooks\":{\"/\":{\"auth\":\"none\"}}}",
	  .at = { .cloud_run = true }, .inbox = "nats://h/S/a",
	  .courier = "/run/hooklatch/courier.sock" },
	{ "Pub/Sub on Cloud Run",
	  "{\"inbox\":\"pubsub:projects/p/topics/t?endpoint=http://h:1/&ordering=hook\","
	  "\"hooks\":{\"/\":{\"auth\":\"none\"}}}", .at = { .cloud_run = true },
	  .inbox = "pubsub:projects/p/topics/t?endpoint=http://h:1/&ordering=hook",
	  .courier = "/run/hooklatch/courier.sock" },
	{ "a secret for no engine", "{\"inbox\":\"none\",\"inbox_secret\":"
	  "\"env:A\"}", .at = { .root = true },
	  .error = "t.json: \"inbox_secret\" is for an inbox in an engine" },
	{ "a durability for no engine", "{\"durability\":\"engine-default\"}",
	  .at = { .root = true },
	  .error = "t.json: \"durability\" is for an inbox in an engine" },
	{ "a bucket for no engine", "{\"claim_check\":\"gs://b\"}",
	  .at = { .root = true },
	  .error = "t.json: \"claim_check\" is for an inbox in an engine" },
	{ "a token for no bucket", "{\"inbox\":\"redis://h/0/s\","
	  "\"claim_check_token\":\"google\"}", .at = { .root = true },
	  .error = "t.json: \"claim_check_token\" is for the bucket of "
	  "\"claim_check\"" },
	{ "an engine and replays refused",
	  "{\"inbox\":\"kafka://h/t\",\"hooks\":"
	  "{\"/a\":{\"auth\":\"none\",\"replay\":\"refuse\"}}}",
	  .at = { .root = true },
	  .error = "t.json:1:33: hook \"/a\": \"replay\": \"refuse\" needs an "
	  "inbox of SQLite" },
	{ "an engine and a captured secret",
	  "{\"inbox\":\"kafka://h/t\",\"hooks\":"
	  "{\"/a\":{\"provider\":\"x\",\"secret\":\"captured:n\"}}}",
	  .at = { .root = true },
	  .error = "t.json:1:33: hook \"/a\": \"captured:\" secrets are kept "
	  "beside an inbox of SQLite" },
	{ "no inbox, and a destination that waits for it", "{\"inbox\":\"none\","
	  "\"hooks\":{\"/a\":{\"provider\":\"x\",\"deliver\":\"d\"}},"
	  "\"destinations\":{\"d\":{\"exec\":\"/x\"}}}", .at = { .root = true },
	  .error = "t.json:1:26: \"deliver\" to \"d\" wants an inbox in which events "
	  "wait: set \"inbox\": \"sqlite:/PATH\", or the destination's \"mode\"" },
	{ "no inbox, and one that does not", "{\"inbox\":\"none\","
	  "\"hooks\":{\"/a\":{\"provider\":\"x\",\"deliver\":\"d\"}},"
	  "\"destinations\":{\"d\":{\"exec\":\"/x\",\"mode\":\"answer\"}}}",
	  .at = { .root = true }, .inbox = "none",
	  .courier = "/run/hooklatch/courier.sock" },
	{ "lines of events, and a destination", "{\"inbox\":\"stdout:\","
	  "\"hooks\":{\"/a\":{\"provider\":\"x\",\"deliver\":\"d\"}},"
	  "\"destinations\":{\"d\":{\"exec\":\"/x\",\"mode\":\"answer\"}}}",
	  .at = { .root = true }, .error = "t.json:1:29: \"deliver\" to \"d\" wants an "
	  "inbox in which" },
	{ "a tmpfs", "{\"inbox\":\"sqlite:/run/i.db\"}", .at = { .root = true,
	  .is_tmpfs = under_run },
	  .error = "t.json: the inbox /run/i.db is on a tmpfs, which is memory: set "
	  "\"inbox\" to a path on a disk, or \"volatile\"" },
	{ "a tmpfs by default", "{}", .at = { .state_directory = "/run/state",
	  .is_tmpfs = under_run },
	  .error = "t.json: the inbox /run/state/inbox.db is on a tmpfs" },
	{ "a tmpfs that may be", "{\"volatile\":true,"
	  "\"inbox\":\"sqlite:/run/i.db\"}", .at = { .root = true,
	  .is_tmpfs = under_run }, .inbox = "sqlite:/run/i.db",
	  .courier = "/run/i.db.sock", .warning = "there are no hooks" },
	{ "a disk", "{\"inbox\":\"sqlite:/srv/i.db\"}", .at = { .root = true,
	  .is_tmpfs = under_run }, .inbox = "sqlite:/srv/i.db",
	  .courier = "/srv/i.db.sock", .warning = "there are no hooks" },
	{ "an inbox whose socket would have too long a path",
	  "{\"inbox\":\"sqlite:/"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", .at = { .root = true },
	  .error = "t.json: the path of the courier's socket is longer" },
};

/* By its row; NULL: it is refused where it is read. */
static struct conf *
place_read(size_t i, struct buf *text, struct err *e)
{
	memset(e, 0, sizeof(*e));
	if (places[i].text != NULL)
		return read_text(places[i].text, e);
	buf_reset(text);
	fake = places[i].env;
	if (conf_from_environment(text, fake_env, e) == -1)
		return NULL;
	CHECKF(memmem(text->p, text->n, "s3cr3t", 6) == NULL,
	    "%s: the text holds no secret", places[i].says);
	return conf_read(buf_str(text), CONF_ENVIRONMENT, e);
}

/* Settled once, and once more. */
static void
place_settled(size_t i, struct conf *c, struct buf *warn)
{
	const char *says = places[i].says;
	struct err e = { 0 };

	CHECKF(str_eq(c->inbox, str_of(places[i].inbox)),
	    "inbox, %s: %.*s", says, STR_ARG(c->inbox));
	CHECKF(str_eq(c->courier, str_of(places[i].courier)),
	    "courier, %s: %.*s", says, STR_ARG(c->courier));
	CHECKF((c->inbox_kind == INBOX_SQLITE) == (c->inbox_path.p != NULL),
	    "%s: an inbox with a path is a file", says);
	buf_putc(warn, '\0');
	if (places[i].warning != NULL)
		CHECKF(begins(warn->p, places[i].warning), "%s: %s", says, warn->p);
	else
		CHECKF(warn->n == 1, "%s: %s", says, warn->p);
	goes_round(says, c);
	CHECKF(conf_settle(c, &places[i].at, NULL, &e) == 0 &&
	    str_eq(c->inbox, str_of(places[i].inbox)), "%s, once more", says);
}

static void
test_place(void)
{
	struct buf text = BUF(MANY), warn = BUF(MANY);
	struct conf *c, *same;
	struct err e, ignored;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		bool taken;

		buf_reset(&warn);
		c = place_read(i, &text, &e);
		taken = c != NULL && (places[i].same != NULL ||
		    conf_settle(c, &places[i].at, &warn, &e) == 0);
		if (places[i].error != NULL) {
			CHECKF(!taken && begins(e.text, places[i].error), "%s: %s",
			    places[i].says, taken ? "taken" : e.text);
		} else if (!taken) {
			CHECKF(taken, "%s: %s", places[i].says, e.text);
		} else if (places[i].same != NULL) {
			same = read_text(places[i].same, &ignored);
			CHECKF(same != NULL && conf_equal(c, same), "%s: %.*s",
			    places[i].says, STR_ARG(buf_str(&text)));
			conf_free(same);
		} else {
			place_settled(i, c, &warn);
		}
		conf_free(c);
	}
	/* DESIGN.md, section 6: the one warning of Cloud Run names the engine. */
	c = read_text("{}", &e);
	buf_reset(&warn);
	conf_settle(c, &(struct conf_place){ .cloud_run = true }, &warn, &e);
	CHECK(memmem(warn.p, warn.n, "pubsub:", 7) != NULL,
	    "the warning names what will help");
	conf_free(c);
	buf_free(&text);
	buf_free(&warn);
}

/* --- the bundle ------------------------------------------------------------------- */

static void
put_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((f = fopen(path, "w")) == NULL)
		return;
	fputs(text, f);
	fclose(f);
}

static void
test_gather(void)
{
	char dir[] = "/tmp/test_conf.XXXXXX", path[600], text[2048], want[700];
	static const char *const files[] = { "c.json", "token", "key", "p/acme.json",
	    "p/README", "p/.x.json", NULL };
	struct err e = { 0 };
	struct bundle *b;
	size_t i;

	if (mkdtemp(dir) == NULL) {
		CHECK(false, "a directory for the test");
		return;
	}
	snprintf(path, sizeof(path), "%s/p", dir);
	mkdir(path, 0700);
	put_file(dir, "p/acme.json", "{\"name\":\"Acme\"}");
	put_file(dir, "p/README", "no provider");
	put_file(dir, "p/.x.json", "hidden");
	put_file(dir, "token", "tok\n");
	put_file(dir, "key", "line\n\n");
	snprintf(text, sizeof(text), "{ \"providers\": \"%s/p\", \"hooks\": {\n"
	    "\"/a\": { \"provider\": \"acme\", \"secret\": [\"env:TEST_CONF_A\", "
	    "\"plain:x\"],\n\"verify_token\": \"file:%s/token\", "
	    "\"public_key\": \"file:%s/key\" } } }", dir, dir, dir);
	put_file(dir, "c.json", text);
	snprintf(path, sizeof(path), "%s/c.json", dir);

	setenv("TEST_CONF_A", "alpha", 1);
	b = conf_gather(path, HALF_ROAD, &e);
	CHECKF(b != NULL, "a file and its secrets are gathered: %s", e.text);
	if (b != NULL) {
		CHECK(str_eq(bundle_get(b, STR("conf")), str_of(text)),
		    "the text as it was");
		CHECK(str_eq(bundle_secret(b, STR("env:TEST_CONF_A")),
		    STR("alpha")), "a variable");
		CHECK(str_eq(bundle_secret(b, STR("plain:x")), STR("x")),
		    "a plain text");
		snprintf(want, sizeof(want), "file:%s/token", dir);
		CHECK(str_eq(bundle_secret(b, str_of(want)), STR("tok")),
		    "a file without its newline");
		snprintf(want, sizeof(want), "file:%s/key", dir);
		CHECK(str_eq(bundle_secret(b, str_of(want)), STR("line\n")),
		    "one newline only");
		CHECK(str_eq(bundle_get(b, STR("provider:acme")),
		    STR("{\"name\":\"Acme\"}")), "a provider's file");
		CHECK(str_ends(bundle_get(b, STR("providers")), STR("/p")),
		    "where that came from");
		CHECK(bundle_count(b) == 6, "and nothing else");
	}
	bundle_free(b);

	unsetenv("TEST_CONF_A");
	b = conf_gather(path, HALF_ROAD, &e);
	snprintf(want, sizeof(want), "%s:2:1: hook \"/a\": ", path);
	CHECKF(b == NULL && begins(e.text, want) &&
	    strstr(e.text, "TEST_CONF_A") != NULL,
	    "a variable that is not set: %s", e.text);
	bundle_free(b);
	b = conf_gather(path, HALF_NONE, &e);
	CHECK(b != NULL && bundle_count(b) == 3, "who only looks needs none");
	bundle_free(b);
	b = conf_gather(path, HALF_COURIER, &e);
	CHECK(b != NULL && bundle_count(b) == 3,
	    "the courier's half names no secret of the hooks");
	bundle_free(b);

	put_file(dir, "d.json", "{ \"hooks\": { \"/a\": { \"provider\": \"github\", "
	    "\"secret\": \"env:TEST_CONF_B\" } },\n\"destinations\": { \"d\": { "
	    "\"http\": \"http://x\", \"headers\": { \"A\": \"env:TEST_CONF_A\" } } } }");
	snprintf(path, sizeof(path), "%s/d.json", dir);
	b = conf_gather(path, HALF_COURIER, &e);
	snprintf(want, sizeof(want), "%s:2:19: destination \"d\": ", path);
	CHECKF(b == NULL && begins(e.text, want) &&
	    strstr(e.text, "TEST_CONF_A") != NULL, "the courier wants what it sends: %s",
	    e.text);
	bundle_free(b);
	setenv("TEST_CONF_B", "beta", 1);
	b = conf_gather(path, HALF_ROAD, &e);
	CHECK(b != NULL && bundle_count(b) == 2, "which the road does not");
	bundle_free(b);
	unsetenv("TEST_CONF_B");
	snprintf(path, sizeof(path), "%s/c.json", dir);

	/* Secrets that only the courier can fetch, and what it needs for it. */
	put_file(dir, "d.json", "{ \"hooks\": { \"/a\": { \"provider\": \"github\", "
	    "\"secret\": \"gcp:projects/p/secrets/s\" } } }");
	snprintf(path, sizeof(path), "%s/d.json", dir);
	snprintf(want, sizeof(want), "%s/key", dir);
	setenv("GOOGLE_APPLICATION_CREDENTIALS", want, 1);
	b = conf_gather(path, HALF_ROAD, &e);
	i = 0;
	CHECK(b != NULL && str_eq(bundle_lacks(b, &i), STR("gcp:projects/p/secrets/s"))
	    && bundle_count(b) == 2, "the road lacks it");
	bundle_free(b);
	b = conf_gather(path, HALF_COURIER, &e);
	i = 0;
	snprintf(want, sizeof(want), "file:%s/key", dir);
	CHECK(b != NULL && bundle_lacks(b, &i).p == NULL && bundle_count(b) == 2 &&
	    bundle_secret(b, str_of(want)).n > 0, "the courier has by what to ask");
	bundle_free(b);
	unsetenv("GOOGLE_APPLICATION_CREDENTIALS");
	snprintf(path, sizeof(path), "%s/c.json", dir);

	/* Without a file. */
	unsetenv("SECRET");
	unsetenv("PROVIDER");
	unsetenv("INBOX");
	b = conf_gather(NULL, HALF_ROAD, &e);
	CHECKF(b == NULL && strstr(e.text, "set SECRET") != NULL,
	    "neither file nor SECRET: %s", e.text);
	bundle_free(b);
	b = conf_gather(NULL, HALF_COURIER, &e);
	CHECKF(b != NULL, "the courier needs no SECRET: %s", e.text);
	bundle_free(b);
	setenv("SECRET", "s", 1);
	b = conf_gather(NULL, HALF_ROAD, &e);
	CHECK(b != NULL && str_eq(bundle_secret(b, STR("env:SECRET")), STR("s")),
	    "SECRET alone");
	bundle_free(b);
	unsetenv("SECRET");

	put_file(dir, "c.json", "{\"providers\":\"/nowhere/at/all\"}");
	b = conf_gather(path, HALF_ROAD, &e);
	CHECKF(b == NULL && strstr(e.text, "/nowhere/at/all") != NULL,
	    "a directory that is not there: %s", e.text);
	bundle_free(b);

	for (i = 0; files[i] != NULL; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	b = conf_gather(path, HALF_ROAD, &e);
	CHECKF(b == NULL && strstr(e.text, path) != NULL,
	    "a file that is not there: %s", e.text);
	bundle_free(b);
	snprintf(path, sizeof(path), "%s/p", dir);
	rmdir(path);
	rmdir(dir);
}

int
main(int argc, char **argv)
{
	struct buf b = BUF(MANY);

	if (argc == 2 && strcmp(argv[1], "--schema") == 0)
		conf_schema(&b);
	if (argc == 2 && strcmp(argv[1], "--manual") == 0)
		conf_manual(&b);
	if (argc > 1) {
		fwrite(b.p, 1, b.n, stdout);
		buf_free(&b);
		return fflush(stdout) != 0;
	}
	test_refused();
	test_long();
	test_lands();
	test_presets();
	test_round();
	test_shipped();
	test_manual_examples();
	test_nearest();
	test_place();
	test_gather();
	TEST_END("conf");
}
