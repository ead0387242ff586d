/*
 * classic_fcgi.c - a webhook handler as examples of libfcgi write it: processes
 * that each take one request, wait for all of it, answer, and take the next.
 *
 * It checks a GitHub push: HMAC-SHA256 by OpenSSL, JSON by json-c.  Connections
 * are not kept: one that is pins the process that has it.
 *
 * usage: classic_fcgi SOCKET PROCESSES     (until it is ended; they follow)
 * BENCH_SECRET is the secret.
 */
#include <fcgiapp.h>
#include <json-c/json.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_MAX	(26u * 1024 * 1024)

static int
genuine(const char *secret, const char *signature, const char *body, size_t n)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	char expected[7 + 2 * EVP_MAX_MD_SIZE + 1] = "sha256=";
	unsigned len, i;

	if (signature == NULL || HMAC(EVP_sha256(), secret, (int)strlen(secret),
	    (const unsigned char *)body, n, mac, &len) == NULL)
		return 0;
	for (i = 0; i < len; i++)
		sprintf(expected + 7 + 2 * i, "%02x", mac[i]);
	return strlen(signature) == strlen(expected) &&
	    CRYPTO_memcmp(signature, expected, strlen(expected)) == 0;
}

static int
well_formed(struct json_tokener *t, const char *body, size_t n)
{
	struct json_object *tree;
	int fine;

	json_tokener_reset(t);
	tree = json_tokener_parse_ex(t, body, (int)n);
	fine = json_tokener_get_error(t) == json_tokener_success;
	json_object_put(tree);
	return fine;
}

static void
work(int listener, const char *secret)
{
	struct json_tokener *t = json_tokener_new();
	char *body = malloc(BODY_MAX);
	const char *length, *answer;
	FCGX_Request r;
	long n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	FCGX_Init();
	FCGX_InitRequest(&r, listener, 0);
	while (FCGX_Accept_r(&r) == 0) {
		length = FCGX_GetParam("CONTENT_LENGTH", r.envp);
		n = length == NULL ? 0 : atol(length);
		if (n <= 0 || n > (long)BODY_MAX ||
		    FCGX_GetStr(body, (int)n, r.in) != n)
			answer = "Status: 400 Bad Request\r\n\r\n";
		else if (!genuine(secret, FCGX_GetParam(
		    "HTTP_X_HUB_SIGNATURE_256", r.envp), body, (size_t)n))
			answer = "Status: 401 Unauthorized\r\n\r\n";
		else if (!well_formed(t, body, (size_t)n))
			answer = "Status: 400 Bad Request\r\n\r\n";
		else
			answer = "Status: 200 OK\r\n\r\n";
		FCGX_PutS(answer, r.out);
		FCGX_Finish_r(&r);
	}
	_exit(1);
}

int
main(int argc, char **argv)
{
	const char *secret = getenv("BENCH_SECRET");
	int listener;

	if (argc != 3 || secret == NULL) {
		fputs("usage: BENCH_SECRET=... classic_fcgi SOCKET PROCESSES\n",
		    stderr);
		return 64;
	}
	FCGX_Init();
	if ((listener = FCGX_OpenSocket(argv[1], 4096)) == -1 ||
	    chmod(argv[1], 0666) == -1) {
		perror(argv[1]);
		return 71;
	}
	for (int i = 0; i < atoi(argv[2]); i++)
		if (fork() == 0)
			work(listener, secret);
	pause();	/* libfcgi has taken SIGTERM: it ends this, and not us */
	return 0;
}
