/*
 * test_auth.c - what a provider's file may not say, what a request may not be, and
 * what is answered to strangers.  Signatures here were computed by another program.
 *
 * In the files of these tables ' stands for ".
 */
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "auth_key.h"
#include "auth_sign.h"
#include "base/arena.h"
#include "handshake.h"
#include "key_source.h"
#include "test.h"

#define ONE(lit)	{ &STR(lit), 1 }	/* a parameter of one text */
#define COUNT(t)	(sizeof(t) / sizeof((t)[0]))
#define T		1700000000000	/* the clock, ms */
#define B		"{\"id\":\"evt_1\"}"

/* HMAC with the key "sec" unless it says otherwise. */
#define HEX	"e6558ba374111fb2261e949c77fadd6ee545a377abd40dfae7e8fa5804956e66"
#define HEX_2	"beaf909c833844f8d4248aafffb3327b13c3ee981f0dd95385409e6d5518296d"
#define HEX_UP	"E6558BA374111FB2261E949C77FADD6EE545A377ABD40DFAE7E8FA5804956E66"
#define HEX_NO	"0000000000000000000000000000000000000000000000000000000000000000"
#define B64	"5lWLo3QRH7ImHpScd/rdbuVFo3er1A365+j6WASVbmY="
#define B64URL	"5lWLo3QRH7ImHpScd_rdbuVFo3er1A365-j6WASVbmY"
#define SHA1	"2cb542e6a119e39e09885552072aab2d14c04b4b"
#define SHA384	"1e814dbb7255bc9e8e2427544bc1ae3ea64cef8dc656af5205f9f25f208f5958" \
		"96bfe6718b7aeec85b9ba857ff88aa2b"
#define SHA512	"8f27feed1abff682f8daa5cacac73978e5a14f48cc4effbccfb0b4a9573f6bfd" \
		"7e1dbbc9cc44aa291b92ed742aa0579ee645e7e8b5f056067f14c3718eecf2ab"
#define HEX_T	"7a7a91b2d6928690fa076a072d8a1074956049bb0f53f14171d0b59167585191"
#define HEX_T2	"e4ebdeedf0c7b4de7c291e71ce345c3a889006080f1e28fe333c6ab0198c36d4"
#define HEX_MS	"6cd43d1945feda61d067b9141208b191a16e7debddb76ddfa85336eb0feab9e7"
#define HEX_ISO	"9bb479fae3fee3437452eeffe21e7a33bd771015a9ee9df46819a1194c98c3d4"
#define HEX_NIL	"8f454156e3f22cb61925eb2b40e7e8aa9929e55410209b9d5bf68229e586712c"
#define PLAIN	"f8d7176bed17fdd9b18acd66b6fbef705397b8a55047aded820fd42f022370a2"
#define HEX_URL	"58032733e6ac05429ffe1f358420b97c57a4d069d65a29ce7f65893af3255712"
#define HEX_FORM "46f2eb08bf19dfaa915cc51640eb105040e878e93f8bb1c8e64a654967e50886"
#define HEX_TOK	"a372bf695815b2f2e7a50b9517dbdacd1d97f9c26fb57e058bf4a7a7f6b14cdb"
#define SHA_B	"40993c639ffb5f13a0a2ef5c93c965f10b405f2b87a379272381da2dbc158dfa"
#define HEX_Q	"07d810f55a38c8c4032728b79c4a4a87b2f1d1fde88e8bad860299c2acd04dc9"
#define HEX_AMP	"5ed58818b45e85c5f444a5a19b9695532d76cecb8b5e6f4efeeb169d8411fe6a"
#define HEX_DIG	"26a7558ca83325dac7cda410399ae04cfad89684b943be11cbec51d49aad6cba"
#define HEX_HDR	"419affd5e99d2fb17f005db8e1bfef4e0948eea78cfe180b39ab74ab60217f14"

#define PART(name)	"\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"

static struct arena *arena;

static struct str
quotes(const char *text)
{
	struct str s = arena_str(arena, str_of(text));

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\'')
			((char *)(uintptr_t)s.p)[i] = '"';
	return s;
}

/* --- files that are refused ------------------------------------------------------- */

#define SIG(more)	"{'signature':{'header':'X-Sig','algorithm':'hmac-sha256'" more "}}"
#define MAC		"'signature':{'header':'X-Sig','algorithm':'hmac-sha256'}"

static void
test_refused_files(void)
{
	static const struct {
		const char *file, *sentence;
	} t[] = {
		{ "[]", "p.json:1:1: a provider must be an object, not a list" },
		{ "{'nmae':'x'}", "p.json:1:2: unknown word \"nmae\" in a provider; did "
		    "you mean \"name\"?" },
		{ "{'xyzzy':'x'}", "p.json:1:2: unknown word \"xyzzy\" in a provider" },
		{ "{'name':''}", "p.json:1:2: \"name\" is empty" },
		{ "{'name':1}", "p.json:1:2: \"name\" must be a text, not a number" },
		{ "{'bodies':['jsno']}", "p.json:1:12: \"jsno\" is no \"bodies\"; did "
		    "you mean \"json\"?" },
		{ "{'bodies':[]}", "p.json:1:2: \"bodies\" is empty" },
		{ "{'methods':['post']}", "p.json:1:2: a method is in capitals: "
		    "\"POST\"" },
		{ "{'retries':'often'}", "p.json:1:2: \"retries\" is \"none\" or like "
		    "\"3 days\" (seconds, minutes, hours, days, weeks)" },
		{ "{'deadline':-1}", "p.json:1:2: \"deadline\" must be a whole number "
		    "from 0 to 2592000" },
		{ "{'any_type':true}", "p.json:1:1: with \"any_type\" the one kind of "
		    "body must stand in \"bodies\"" },
		{ "{'asks':['ulr']}", "p.json:1:10: \"ulr\" is no \"asks\"; there is "
		    "\"verify_token\", \"public_key\", \"client_id\", \"app_key\", "
		    "\"key_id\", \"topic_arn\", \"webhook_id\", \"audience\", "
		    "\"email\", \"origin\", \"topic\", \"issuer\", \"url\"" },
		{ "{'signature':{'header':'X-Sig'}}", "p.json:1:2: a signature needs an "
		    "\"algorithm\"" },
		{ "{'signature':{'algorithm':'hmac-sha256'}}", "p.json:1:2: a signature "
		    "needs a \"header\", \"query\", \"field\" or \"body\" where it "
		    "stands" },
		{ "{'signature':{'header':'A','query':'b','algorithm':'equal'}}",
		    "p.json:1:28: \"header\" and \"query\": a value stands in one "
		    "place" },
		{ "{'signature':{'header':'X-Sig','algorithm':'hmac-sha265'}}",
		    "p.json:1:32: \"hmac-sha265\" is no \"algorithm\"; did you mean "
		    "\"hmac-sha256\"?" },
		{ "{'signature':{'header':'X-Sig','algorithm':'md5'}}",
		    "p.json:1:32: \"md5\" is no \"algorithm\"; docs/providers.md has "
		    "them" },
		{ "{'signature':{'header':'X_Sig','algorithm':'equal'}}", "p.json:1:15: "
		    "\"X_Sig\": web servers drop headers with \"_\" in their names" },
		{ "{'signature':{'header':'X Sig','algorithm':'equal'}}", "p.json:1:15: "
		    "\"X Sig\" is no name of a header" },
		{ "{'signature':{'query':'s','repeats':true,'algorithm':'equal'}}",
		    "p.json:1:2: only a header may have \"repeats\"" },
		{ SIG(",'form':'v1={time}'"), "p.json:1:58: \"form\" does not say where "
		    "{sig} is" },
		{ SIG(",'form':'v1={sig}'"), "p.json:1:58: \"form\" must say how the "
		    "signature is written: {sig:hex}, {sig:base64} or "
		    "{sig:base64url}" },
		{ SIG(",'form':'v1={sig:hxe}'"), "p.json:1:58: \"hxe\" is no "
		    "\"encoding\"; there is \"raw\", \"hex\", \"base64\", "
		    "\"base64url\", \"base64-hex\", \"auto\"" },
		{ SIG(",'form':'v1={sig:hex'"), "p.json:1:58: a brace without its "
		    "partner in \"form\"" },
		{ SIG(",'form':'{time}{sig:hex}'"), "p.json:1:58: two names in \"form\" "
		    "without text between them" },
		{ SIG(",'form':'t={time},u={time},{sig:hex}'"), "p.json:1:58: {time} "
		    "stands twice in \"form\"" },
		{ SIG(",'form':'{body}:{sig:hex}'"), "p.json:1:58: {body} in \"form\": "
		    "the name has a meaning already" },
		{ SIG(",'list':',,'"), "p.json:1:58: \"list\" is one separator, or two "
		    "different ones: of groups, and of the items in a group" },
		{ SIG(",'signs':'{bdoy}'"), "p.json:1:58: unknown name {bdoy} in a "
		    "template; did you mean {body}?" },
		{ SIG(",'signs':'{body'"), "p.json:1:58: a brace without its partner; a "
		    "brace itself is written twice" },
		{ SIG(",'signs':'body}'"), "p.json:1:58: a brace without its partner; a "
		    "brace itself is written twice" },
		{ SIG(",'signs':''"), "p.json:1:58: \"signs\" holds nothing of the "
		    "request" },
		{ SIG(",'signs':'constant'"), "p.json:1:58: \"signs\" holds nothing of "
		    "the request" },
		{ SIG(",'signs':'{secret}{body}'"), "p.json:1:58: {secret} may only "
		    "stand in what a plain hash signs" },
		{ SIG(",'signs':'{time}.{body}'"), "p.json:1:58: {time} is not known "
		    "here: \"time\" does not say where it is" },
		{ SIG(",'signs':'{sha256hxe(body)}'"), "p.json:1:58: unknown name "
		    "{sha256hxe} in a template; did you mean {sha256hex}?" },
		{ SIG(",'signs':'{hmac-sha256-hex(body)}'"), "p.json:1:58: {hmac-sha256-"
		    "hex(...)}: there is no key here to compute it with" },
		{ SIG(",'signs':'{body?}'"), "p.json:1:58: {body?}: only a place may be "
		    "absent" },
		{ SIG(",'signs':'{cookie:x}'"), "p.json:1:58: \"cookie:x\" is no place: "
		    "it begins with \"header:\", \"query:\", \"field:\", "
		    "\"body:\", \"token:\", \"claim:\" or \"item:\"" },
		{ SIG(",'signs':'{header:}'"), "p.json:1:58: \"header:\" names "
		    "nothing" },
		{ SIG(",'key':'hexx'"), "p.json:1:58: \"hexx\" is no \"key\"; did you "
		    "mean \"hex\"?" },
		{ SIG(",'key':'auto'"), "p.json:1:58: \"auto\" is for public keys" },
		{ SIG(",'key':{'decoed':'hex'}"), "p.json:1:65: unknown word \"decoed\" "
		    "in \"key\"; did you mean \"decode\"?" },
		{ SIG(",'for':['xml']"), "p.json:1:65: \"xml\" is no \"for\"; "
		    "there is \"json\", \"form\", \"multipart\", \"any\"" },
		{ SIG(",'time':{'unit':'s','window':300}"), "p.json:1:58: \"time\" does "
		    "not say where it is, and \"form\" captures no {time}" },
		{ SIG(",'time':{'header':'X-Time','window':300}"), "p.json:1:58: the "
		    "time has a \"window\" but is not signed: whoever repeats the "
		    "request can change it" },
		{ SIG(",'form':'t={time},s={sig:hex}','list':',','time':{'window':3}"),
		    "p.json:1:99: the time has a \"window\" but is not signed: whoever "
		    "repeats the request can change it" },
		{ "{" MAC ",'time':{'header':'X-Time','window':300}}",
		    "p.json:1:2: the time has a \"window\" but is not signed: whoever "
		    "repeats the request can change it" },
		{ "{'time':{'header':'X-Time'}}", "p.json:1:2: \"time\" without a "
		    "\"signature\" that signs it" },
		{ SIG(",'time':{'header':'X','unit':'sec'}"), "p.json:1:79: \"sec\" is "
		    "no \"unit\"; there is \"s\", \"ms\", \"iso8601\", \"http\"" },
		{ SIG(",'also':[{'place':'query:h'}]"), "p.json:1:66: an item of "
		    "\"also\" needs \"place\" and \"equals\"" },
		{ "{'signature':{'header':'S','algorithm':'sha256'}}", "p.json:1:2: a "
		    "plain hash needs \"signs\", with {secret} in it" },
		{ "{'signature':{'header':'S','algorithm':'sha256','signs':'{body}'}}",
		    "p.json:1:49: without {secret} in \"signs\" anybody could compute "
		    "a plain hash" },
		{ "{'signature':{'header':'S','algorithm':'equal','signs':'{body}'}}",
		    "p.json:1:48: nothing is signed with \"equal\": leave out "
		    "\"signs\"" },
		{ "{'signature':{'header':'S','algorithm':'equal','key':'hex'}}",
		    "p.json:1:48: with \"equal\" the secret is compared as it is: "
		    "leave out \"key\"" },
		{ "{'signature':[]}", "p.json:1:2: \"signature\" is empty" },
		{ "{'signature':null}", "p.json:1:2: \"signature\" in a provider is "
		    "null: leave it out" },
		{ "{" MAC ",'event':{'id':'X-Id'}}", "p.json:1:68: \"X-Id\" is no place: "
		    "it begins with \"header:\", \"query:\", \"field:\", "
		    "\"body:\", \"token:\", \"claim:\" or \"item:\"" },
		{ "{" MAC ",'event':{'id':'header:X-Id','proven':true}}", "p.json:1:87: "
		    "\"proven\" is not so: by what is signed the id is not proven" },
		{ "{" MAC ",'event':{'id':'body:id','proven':false}}", "p.json:1:83: "
		    "\"proven\" is not so: by what is signed the id is proven" },
		{ "{" MAC ",'event':{'proven':true}}", "p.json:1:68: \"proven\" without "
		    "an \"id\"" },
		{ "{" MAC ",'event':{'merge':{'window':60}}}", "p.json:1:68: \"merge\" "
		    "needs a \"window\" and a \"reason\"" },
		{ "{" MAC ",'event':{'id':'body:id','merge':{'window':60,'reason':'x'}"
		    "}}", "p.json:1:83: \"merge\" is for providers without an \"id\"" },
		{ "{'accepted':{'status':99}}", "p.json:1:14: \"status\" must be a number "
		    "from 200 to 599" },
		{ "{'accepted':{'headers':{'X-Accel-Redirect':'/x'}}}", "p.json:1:25: "
		    "the header \"X-Accel-Redirect\" is not the file's to set" },
		{ "{'accepted':{'headers':{'A':'b\\r\\nC: d'}}}", "p.json:1:25: a "
		    "header's name and value must be printable ASCII" },
		{ "{'signature':{'item':'s','each':'list','algorithm':'hmac-sha256',"
		    "'signs':'{body:a}{item:b}'}}", "p.json:1:66: with \"each\" what is "
		    "signed stands in the item: a body would be read again for each" },
		/* Where keys come from. */
#define KEYED(keys)	SIG(",'keys':" keys)
		{ KEYED("1"), "p.json:1:58: \"keys\" must be an object" },
		{ KEYED("{}"), "p.json:1:58: \"keys\" needs a \"url\" that begins "
		    "with \"https://\" or {issuer}, or is {key}" },
		{ KEYED("{'url':'http://a.example/'}"), "p.json:1:58: \"keys\" needs a "
		    "\"url\" that begins with \"https://\" or {issuer}, or is {key}" },
		{ KEYED("{'url':'{origin}/k'}"), "p.json:1:58: \"keys\" needs a "
		    "\"url\" that begins with \"https://\" or {issuer}, or is {key}" },
		{ KEYED("{'url':'https://a.example/{'}"), "p.json:1:66: a brace in "
		    "\"keys\" that opens no name" },
		{ KEYED("{'url':'https://a.example/{sub}'}"), "p.json:1:66: unknown name "
		    "{sub} in \"keys\"" },
		{ KEYED("{'url':'https://a.example/{fetch_secret}'}"), "p.json:1:66: a "
		    "secret does not stand in a URL" },
		{ KEYED("{'url':'https://a.example/{verify_token}'}"), "p.json:1:66: "
		    "unknown name {verify_token} in \"keys\"" },
		{ KEYED("{'url':'{key}','name':'header:K'}"), "p.json:1:58: where the "
		    "request names the URL, \"hosts\" and \"path\" must say which may "
		    "be asked" },
		{ KEYED("{'url':'{key}','hosts':['a.example'],'name':'header:K'}"),
		    "p.json:1:58: where the request names the URL, \"hosts\" and "
		    "\"path\" must say which may be asked" },
		{ KEYED("{'url':'https://a.example/','hosts':['b.example']}"),
		    "p.json:1:58: \"hosts\" and \"path\" are for a URL that the "
		    "request names: \"url\": \"{key}\"" },
		{ KEYED("{'url':'https://a.example/{key}'}"), "p.json:1:58: \"keys\" "
		    "needs a \"name\": where the request says which key it is" },
		{ KEYED("{'url':'https://a.example/','token':{'url':'http://b.example'}}"),
		    "p.json:1:93: \"token\" needs a \"url\" of https" },
		{ KEYED("{'url':'https://a.example/','hsots':1}"), "p.json:1:93: unknown "
		    "word \"hsots\" in \"keys\"" },
		{ "{'signature':{'header':'X-Sig','algorithm':'equal','keys':{'url':"
		    "'https://a.example/'}}}", "p.json:1:52: \"keys\" are fetched for "
		    "HMACs, public keys and tokens" },
		/* Certificates: whose word is it? */
		{ "{'signature':{'header':'X','algorithm':'jws-es256','certificate':{"
		    "'in':'token'}}}", "p.json:1:52: a certificate in the token proves "
		    "nothing without \"roots\" that it must be from; and \"keys\" are "
		    "not needed then" },
		{ "{'signature':{'header':'X','algorithm':'jws-es256','certificate':{"
		    "'name':'a'}}}", "p.json:1:52: where is the certificate fetched "
		    "from?  Say \"keys\", or \"in\": \"token\"" },
		{ "{'signature':{'header':'X','algorithm':'jws-es256','certificate':{"
		    "'roots':['00']}}}", "p.json:1:52: a root is PEM, or the SHA-256 of "
		    "its DER in hex" },
		{ "{'signature':{'header':'X','algorithm':'jws-hs256','keys':{'url':"
		    "'https://a.example/'},'certificate':{}}}", "p.json:1:88: a "
		    "certificate holds a public key: the algorithm needs none" },
		{ "{'signature':{'header':'X','algorithm':'jws-es256','keys':{'url':"
		    "'https://a.example/'},'certificate':{'extensions':['1.2.3']}}}",
		    "p.json:1:88: \"extensions\" are looked at in a chain, and that "
		    "needs \"roots\"" },
		{ "{'signature':{'header':'X','algorithm':'jws-es256','keys':{'url':"
		    "'https://a.example/'},'certificate':{'extensions':['one']}}}",
		    "p.json:1:88: \"one\" is no OID" },
		/* Tokens. */
		{ SIG(",'token':{}"), "p.json:1:58: \"token\" is for the algorithms "
		    "that begin with \"jws-\"" },
		{ "{'signature':{'header':'X','algorithm':'jws-es256','token':{"
		    "'unencoded':true}}}", "p.json:1:52: only a payload that is "
		    "\"detached\" can be \"unencoded\"" },
		{ "{'signature':{'header':'X','algorithm':'jws-es256','token':{"
		    "'detached':true,'require':['exp']}}}", "p.json:1:52: a detached "
		    "payload has no claims that could be required" },
		{ "{'signature':{'header':'X','algorithm':'jws-es256','signs':'{body}'}}",
		    "p.json:1:52: a token holds what it signs: leave out \"signs\", or "
		    "say \"token\": {\"detached\": true}" },
		{ "{'signature':{'header':'X','form':'{sig:hex}','algorithm':'jws-es256'}}",
		    "p.json:1:28: a token stands as it is: {sig}" },
		/* Templates and places. */
		{ SIG(",'signs':'{lower(lower(lower(lower(lower(body)))))}'"),
		    "p.json:1:58: {lower(...)}: nested too deep" },
		{ SIG(",'signs':'{lower(path,body)}'"), "p.json:1:58: {lower(...)} takes "
		    "one argument" },
		{ SIG(",'signs':'{sha1hex(body,body,body,body,body,body,body,body,body)}'"),
		    "p.json:1:58: {sha1hex(...)}: more than 8 arguments" },
		{ SIG(",'signs':'{hmac-sha256-hex(body)}'"), "p.json:1:58: "
		    "{hmac-sha256-hex(...)}: there is no key here to compute it with" },
		{ SIG(",'signs':'{source(header:X)}'"), "p.json:1:58: {source(...)} "
		    "takes a place in JSON" },
		{ SIG(",'signs':'{a|body}'"), "p.json:1:58: {a|body}: text that goes "
		    "with a value is written {before|value|after}" },
		{ SIG(",'signs':'{body:a->}'"), "p.json:1:58: \"->\" leads nowhere" },
		{ SIG(",'signs':'{body:a->b->c->d->e->f->g->h}'"), "p.json:1:58: more "
		    "than 6 \"->\"" },
		{ SIG(",'signs':'{time?}'"), "p.json:1:58: {time?}: only a place may be "
		    "absent" },
		/* What pairs pass over is not signed with them. */
		{ "{'signature':{'query':'s','algorithm':'hmac-sha256','pairs':{'from':"
		    "'query','except':['s','t'],'each':'{name}{value}'},'signs':"
		    "'{pairs}'},'time':{'query':'t','window':300}}", "p.json:1:2: the "
		    "time has a \"window\" but is not signed: whoever repeats the "
		    "request can change it" },
		{ "{'signature':{'field':'s','algorithm':'hmac-sha256','pairs':{"
		    "'except':['s','id'],'each':'{name}{value}'},'signs':'{pairs}'},"
		    "'event':{'id':'field:id','proven':true}}", "p.json:1:150: "
		    "\"proven\" is not so: by what is signed the id is not proven" },
		{ "{'accepted':{'body':'{query:a}'}}", "p.json:1:2: the answer to an "
		    "event does not repeat what came" },
		{ "{'accepted':{'headers':{'X-A':'{header:X-A}'}}}", "p.json:1:2: the "
		    "answer to an event does not repeat what came" },
		{ "{'accepted':{'body':'a','json':{}}}", "p.json:1:25: \"body\" or "
		    "\"json\", not both" },
		{ "{'handshakes':[{}]}", "p.json:1:16: a handshake needs a \"when\"" },
		{ "{'handshakes':[{'when':{}}]}", "p.json:1:17: \"when\" is empty: it "
		    "would fit every request" },
		{ "{'handshakes':[{'when':{'body:x':null}}]}", "p.json:1:25: in "
		    "\"when\": a text, a number, true (is there) or false (is not "
		    "there)" },
		{ "{'handshakes':[{'when':{'query:c':true},'answer':{'type':'text/html',"
		    "'body':'{query:c}'}}]}", "p.json:1:51: what repeats the request "
		    "goes out as text/plain or as \"json\"" },
		{ "{'handshakes':[{'when':{'query:c':true},'signed':true}]}",
		    "p.json:1:16: a \"signed\" handshake of a provider without a "
		    "\"signature\"" },
		{ "{'handshakes':[{'when':{'query:c':true},'open':true}]}",
		    "p.json:1:16: \"open\" is for a handshake that is \"signed\"" },
		{ "{" MAC ",'handshakes':[{'when':{'query:c':true},'answer':{'body':"
		    "'{hmac-sha256-hex(query:c)}'}}]}", "p.json:1:73: a handshake that "
		    "is not signed and answers an hmac would sign events for anybody: "
		    "only with \"bodies\": [\"json\"] and \"signs\": \"{body}\" can the "
		    "two be told apart" },
		{ "{'bodies':['json'],'signature':{'header':'S','algorithm':'hmac-sha256"
		    "','signs':'{header:X-T}.{body}'},'handshakes':[{'when':{'query:c':t"
		    "rue},'answer':{'body':'{hmac-sha256-hex(query:c)}'}}]}",
		    "p.json:1:117: a handshake that is not signed and answers an hmac "
		    "would sign events for anybody: only with \"bodies\": [\"json\"] "
		    "and \"signs\": \"{body}\" can the two be told apart" },
		{ "{" MAC ",'handshakes':[{'when':{'query:c':true},'answer':{'body':"
		    "'{secret}'}}]}", "p.json:1:108: {secret} may only stand in what a "
		    "plain hash signs" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e = { .text = "" };
		struct provider *p;

		arena_reset(arena);
		p = provider_read(quotes(t[i].file), STR("own"), "p.json", &e);
		CHECKF(p == NULL, "is refused: %s", t[i].file);
		CHECKF(strcmp(e.text, t[i].sentence) == 0, "%s: \"%s\", not \"%s\"",
		    t[i].file, t[i].sentence, e.text);
		provider_free(p);
	}
}

/* --- requests -------------------------------------------------------------------------- */

struct try {
	const char	*says;
	const char	*file;		/* NULL: the last one */
	const char	*headers;	/* "X-Sig: ab\nX-Time: 1" */
	const char	*body;		/* NULL: B */
	const char	*target;	/* NULL: "/hook" */
	int64_t		 now;		/* 0: T */
	enum verdict_code want;
	const char	*secret;	/* the one that matched; NULL: not asked */
};

/* "X-Sig: ab" lines as a web server's parameters. */
static void
make_request(struct request *q, const char *headers, const char *body,
    const char *target)
{
	struct str rest = str_of(headers);
	char *env[REQUEST_HEADERS_MAX + 3];
	size_t n = 0;

	while (rest.p != NULL && rest.n > 0) {
		struct str value = str_cut(&rest, '\n');
		struct str name = str_cut(&value, ':');
		char *s = arena_bytes(arena, name.n + value.n + 8), *at = s;

		if (!str_eq_nocase(name, STR("Content-Type"))) {
			memcpy(at, "HTTP_", 5);
			at += 5;
		}
		for (size_t i = 0; i < name.n; i++)
			*at++ = name.p[i] == '-' ? '_' : name.p[i] >= 'a' &&
			    name.p[i] <= 'z' ? (char)(name.p[i] - 'a' + 'A') :
			    name.p[i];
		*at++ = '=';
		value = str_trim(value);
		if (value.n > 0)
			memcpy(at, value.p, value.n);
		at[value.n] = '\0';
		env[n++] = s;
	}
	env[n++] = (char *)(uintptr_t)arena_str(arena,
	    STR("REQUEST_METHOD=POST")).p;
	env[n++] = (char *)(uintptr_t)arena_printf(arena, "REQUEST_URI=%s",
	    target != NULL ? target : "/hook").p;
	env[n] = NULL;
	if (request_init(q, arena, env) != 0)
		abort();
	q->body = str_of(body != NULL ? body : B);
}

static struct provider *
own_provider(const char *file)
{
	struct err e;
	struct provider *p = provider_read(quotes(file), STR("own"), "p.json", &e);

	CHECKF(p != NULL, "a good file: %s: %s", file, e.text);
	if (p == NULL)
		exit(1);
	return p;
}

static void
test_verdicts(void)
{
	static const struct try t[] = {
		/* one header, hex */
		{ "hex", "{'signature':{'header':'X-Sig','form':'sha256={sig:hex}',"
		    "'algorithm':'hmac-sha256'}}", "X-Sig: sha256=" HEX, NULL, NULL, 0,
		    VERDICT_GENUINE, "one" },
		{ "hex in capitals", NULL, "X-Sig: sha256=" HEX_UP, NULL, NULL, 0,
		    VERDICT_GENUINE, NULL },
		{ "the prefix in capitals", NULL, "X-Sig: SHA256=" HEX, NULL, NULL, 0,
		    VERDICT_GENUINE, NULL },
		{ "the second secret", NULL, "X-Sig: sha256=" HEX_2, NULL, NULL, 0,
		    VERDICT_GENUINE, "two" },
		{ "an empty body, signed", NULL, "X-Sig: sha256=" HEX_NIL, "", NULL, 0,
		    VERDICT_GENUINE, NULL },
		{ "an empty body under another's signature", NULL,
		    "X-Sig: sha256=" HEX, "", NULL, 0, VERDICT_FORGED, NULL },
		{ "a body with one more byte", NULL, "X-Sig: sha256=" HEX, B "\n",
		    NULL, 0, VERDICT_FORGED, NULL },
		{ "no header", NULL, "", NULL, NULL, 0, VERDICT_ABSENT, NULL },
		{ "an empty header", NULL, "X-Sig:", NULL, NULL, 0, VERDICT_ABSENT,
		    NULL },
		{ "an empty signature", NULL, "X-Sig: sha256=", NULL, NULL, 0,
		    VERDICT_ABSENT, NULL },
		{ "without its prefix", NULL, "X-Sig: " HEX, NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "another prefix", NULL, "X-Sig: sha1=" HEX, NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "one digit short", NULL, "X-Sig: sha256=e6558ba374111fb2261e949c77"
		    "fadd6ee545a377abd40dfae7e8fa5804956e6", NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "one byte short", NULL, "X-Sig: sha256=e6558ba374111fb2261e949c77"
		    "fadd6ee545a377abd40dfae7e8fa5804956e", NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "one byte long", NULL, "X-Sig: sha256=" HEX "00", NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "no hex", NULL, "X-Sig: sha256=zz" HEX, NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "all zero", NULL, "X-Sig: sha256=" HEX_NO, NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "twice", NULL, "X-Sig: sha256=" HEX "\nX-Sig: sha256=" HEX, NULL,
		    NULL, 0, VERDICT_DOUBLED, NULL },
		{ "twice, one of them empty", NULL, "X-Sig: sha256=" HEX "\nX-Sig:",
		    NULL, NULL, 0, VERDICT_DOUBLED, NULL },
		{ "joined by the web server", NULL, "X-Sig: sha256=" HEX
		    ", sha256=" HEX, NULL, NULL, 0, VERDICT_DOUBLED, NULL },
		{ "joined with rubbish", NULL, "X-Sig: x, sha256=" HEX, NULL, NULL, 0,
		    VERDICT_DOUBLED, NULL },
		{ "in the query instead", NULL, "", NULL, "/hook?X-Sig=sha256=" HEX, 0,
		    VERDICT_ABSENT, NULL },
		/* other hashes and encodings */
		{ "base64", "{'signature':{'header':'X-Sig','form':'{sig:base64}',"
		    "'algorithm':'hmac-sha256'}}", "X-Sig: " B64, NULL, NULL, 0,
		    VERDICT_GENUINE, NULL },
		{ "base64 without its padding", NULL, "X-Sig: 5lWLo3QRH7ImHpScd/rdbuVF"
		    "o3er1A365+j6WASVbmY", NULL, NULL, 0, VERDICT_FORGED, NULL },
		{ "base64 with other trailing bits", NULL, "X-Sig: 5lWLo3QRH7ImHpScd/r"
		    "dbuVFo3er1A365+j6WASVbmZ=", NULL, NULL, 0, VERDICT_FORGED,
		    NULL },
		{ "hex instead of base64", NULL, "X-Sig: " HEX, NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "base64url", "{'signature':{'header':'X-Sig','form':'{sig:base64url}',"
		    "'algorithm':'hmac-sha256'}}", "X-Sig: " B64URL, NULL, NULL, 0,
		    VERDICT_GENUINE, NULL },
		{ "SHA-1", "{'signature':{'header':'X-Sig','algorithm':'hmac-sha1'}}",
		    "X-Sig: " SHA1, NULL, NULL, 0, VERDICT_GENUINE, NULL },
		{ "SHA-256 where SHA-1 is wanted", NULL, "X-Sig: " HEX, NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "SHA-384", "{'signature':{'header':'X-Sig','algorithm':'hmac-sha384'}"
		    "}", "X-Sig: " SHA384, NULL, NULL, 0, VERDICT_GENUINE, NULL },
		{ "SHA-512", "{'signature':{'header':'X-Sig','algorithm':'hmac-sha512'}"
		    "}", "X-Sig: " SHA512, NULL, NULL, 0, VERDICT_GENUINE, NULL },
		/* keys */
		{ "a key with something appended", "{'signature':{'header':'X-Sig',"
		    "'algorithm':'hmac-sha256','key':{'append':'&'}}}",
		    "X-Sig: " HEX_AMP, NULL, NULL, 0, VERDICT_GENUINE, NULL },
		{ "and without it", NULL, "X-Sig: " HEX, NULL, NULL, 0, VERDICT_FORGED,
		    NULL },
		{ "a key that is a digest", "{'signature':{'header':'X-Sig','algorithm'"
		    ":'hmac-sha256','key':{'digest':'sha1'}}}", "X-Sig: " HEX_DIG,
		    NULL, NULL, 0, VERDICT_GENUINE, NULL },
		/* a time in the list */
		{ "signed now", "{'signature':{'header':'X-Sig','form':'t={time},v1="
		    "{sig:hex}','list':',','algorithm':'hmac-sha256','signs':'{time}."
		    "{body}'},'time':{'unit':'s','window':300}}",
		    "X-Sig: t=1700000000,v1=" HEX_T, NULL, NULL, 0, VERDICT_GENUINE,
		    NULL },
		{ "in another order", NULL, "X-Sig: v1=" HEX_T ",t=1700000000", NULL,
		    NULL, 0, VERDICT_GENUINE, NULL },
		{ "with others around it", NULL, "X-Sig: v0=ab,t=1700000000,v1=" HEX_NO
		    ",v1=" HEX_T ",v2=x", NULL, NULL, 0, VERDICT_GENUINE, NULL },
		{ "at the window's old edge", NULL, "X-Sig: t=1700000000,v1=" HEX_T,
		    NULL, NULL, T + 300000, VERDICT_GENUINE, NULL },
		{ "one millisecond too old", NULL, "X-Sig: t=1700000000,v1=" HEX_T,
		    NULL, NULL, T + 300001, VERDICT_STALE, NULL },
		{ "at the window's new edge", NULL, "X-Sig: t=1700000000,v1=" HEX_T,
		    NULL, NULL, T - 300000, VERDICT_GENUINE, NULL },
		{ "one millisecond too new", NULL, "X-Sig: t=1700000000,v1=" HEX_T,
		    NULL, NULL, T - 300001, VERDICT_STALE, NULL },
		{ "an old signature under a new time", NULL,
		    "X-Sig: t=1700000400,v1=" HEX_T, NULL, NULL, T + 400000,
		    VERDICT_FORGED, NULL },
		{ "two times", NULL, "X-Sig: t=1700000400,t=1700000000,v1=" HEX_T,
		    NULL, NULL, T + 400000, VERDICT_DOUBLED, NULL },
		{ "no time", NULL, "X-Sig: v1=" HEX_T, NULL, NULL, 0, VERDICT_ABSENT,
		    NULL },
		{ "an empty time", NULL, "X-Sig: t=,v1=" HEX_T, NULL, NULL, 0,
		    VERDICT_ABSENT, NULL },
		{ "no signature in it", NULL, "X-Sig: t=1700000000", NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "a version that is not known", NULL, "X-Sig: t=1700000000,v2=" HEX_T,
		    NULL, NULL, 0, VERDICT_FORGED, NULL },
		{ "joined with itself", NULL, "X-Sig: t=1700000000,v1=" HEX_T
		    ", t=1700000000,v1=" HEX_T, NULL, NULL, 0, VERDICT_DOUBLED, NULL },
		{ "sixteen signatures", NULL, "X-Sig: t=1700000000,v1=00,v1=00,v1=00,"
		    "v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,"
		    "v1=00,v1=" HEX_T, NULL, NULL, 0, VERDICT_GENUINE, NULL },
		{ "one signature too many", NULL, "X-Sig: t=1700000000,v1=00,v1=00,"
		    "v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,"
		    "v1=00,v1=00,v1=00,v1=" HEX_T, NULL, NULL, 0, VERDICT_DOUBLED,
		    NULL },
		/* times elsewhere */
		{ "milliseconds in a header", "{'signature':{'header':'X-Sig',"
		    "'algorithm':'hmac-sha256','signs':'{time}{body}'},'time':{'header'"
		    ":'X-Time','unit':'ms','window':1}}", "X-Sig: " HEX_MS
		    "\nX-Time: 1700000000000", NULL, NULL, T + 1000, VERDICT_GENUINE,
		    NULL },
		{ "and too old", NULL, "X-Sig: " HEX_MS "\nX-Time: 1700000000000", NULL,
		    NULL, T + 1001, VERDICT_STALE, NULL },
		{ "no time header", NULL, "X-Sig: " HEX_MS, NULL, NULL, 0,
		    VERDICT_ABSENT, NULL },
		{ "two time headers", NULL, "X-Sig: " HEX_MS "\nX-Time: 1700000000000\n"
		    "X-Time: 1700000000000", NULL, NULL, 0, VERDICT_DOUBLED, NULL },
		{ "a time with a sign", NULL, "X-Sig: " HEX_MS
		    "\nX-Time: +1700000000000", NULL, NULL, 0, VERDICT_FORGED, NULL },
		{ "ISO 8601", "{'signature':{'header':'X-Sig','algorithm':'hmac-sha256'"
		    ",'signs':'{header:X-Time}{body}'},'time':{'header':'X-Time','unit'"
		    ":'iso8601','window':300}}", "X-Sig: " HEX_ISO
		    "\nX-Time: 2023-11-14T22:13:20Z", NULL, NULL, T, VERDICT_GENUINE,
		    NULL },
		{ "and too old", NULL, "X-Sig: " HEX_ISO
		    "\nX-Time: 2023-11-14T22:13:20Z", NULL, NULL, T + 300001,
		    VERDICT_STALE, NULL },
		{ "a time that is no time, signed", "{'signature':{'header':'X-Sig',"
		    "'algorithm':'hmac-sha256','signs':'{time}.{body}'},'time':{'header'"
		    ":'X-Time','unit':'iso8601','window':300}}", "X-Sig: " HEX_T
		    "\nX-Time: 1700000000", NULL, NULL, T, VERDICT_STALE, NULL },
		{ "a time without a window is noted", "{'signature':{'header':'X-Sig',"
		    "'algorithm':'hmac-sha256','signs':'{time}.{body}'},'time':{'header'"
		    ":'X-Time'}}", "X-Sig: " HEX_T "\nX-Time: 1700000000", NULL, NULL,
		    T * 2, VERDICT_GENUINE, NULL },
		/* groups, positions, repeats */
		{ "the second group", "{'signature':{'header':'X-Sig','form':'t={time},"
		    "v1={sig:hex}','list':' ,','algorithm':'hmac-sha256','signs':"
		    "'{time}.{body}'},'time':{'window':300}}", "X-Sig: t=1700000000,v1="
		    HEX_NO " t=1700000100,v1=" HEX_T2, NULL, NULL, 0, VERDICT_GENUINE,
		    NULL },
		{ "a time of one group, a signature of another", NULL,
		    "X-Sig: t=1700000100,v1=" HEX_T " t=1700000000,v1=" HEX_T2, NULL,
		    NULL, 0, VERDICT_FORGED, NULL },
		{ "by position", "{'signature':{'header':'X-Sig','form':'{time},"
		    "{sig:hex}','list':',','algorithm':'hmac-sha256','signs':'{time}."
		    "{body}'},'time':{'window':300}}", "X-Sig: 1700000000," HEX_T, NULL,
		    NULL, 0, VERDICT_GENUINE, NULL },
		{ "the last position repeats", NULL, "X-Sig: 1700000000," HEX_NO ","
		    HEX_T, NULL, NULL, 0, VERDICT_GENUINE, NULL },
		{ "the wrong way round", NULL, "X-Sig: " HEX_T ",1700000000", NULL,
		    NULL, 0, VERDICT_FORGED, NULL },
		{ "two headers where it may repeat", "{'signature':{'header':'X-Sig',"
		    "'form':'sha256={sig:hex}','repeats':true,'algorithm':'hmac-sha256'"
		    "}}", "X-Sig: sha256=" HEX_NO "\nX-Sig: sha256=" HEX, NULL, NULL, 0,
		    VERDICT_GENUINE, NULL },
		{ "and joined", NULL, "X-Sig: sha256=" HEX_NO ", sha256=" HEX, NULL,
		    NULL, 0, VERDICT_GENUINE, NULL },
		{ "and both wrong", NULL, "X-Sig: sha256=" HEX_NO ", sha256=" HEX_NO,
		    NULL, NULL, 0, VERDICT_FORGED, NULL },
		{ "nine of them", NULL, "X-Sig: a, a, a, a, a, a, a, a, sha256=" HEX,
		    NULL, NULL, 0, VERDICT_DOUBLED, NULL },
		{ "an alias", "{'signature':{'header':['X-New','X-Old'],'algorithm':"
		    "'hmac-sha256'}}", "X-Old: " HEX, NULL, NULL, 0, VERDICT_GENUINE,
		    NULL },
		{ "the first alias counts", NULL, "X-Old: " HEX "\nX-New: " HEX_NO, NULL,
		    NULL, 0, VERDICT_FORGED, NULL },
		/* other places */
		{ "in the query", "{'signature':{'query':'s','algorithm':'hmac-sha256'}"
		    "}", "", NULL, "/hook?s=" HEX, 0, VERDICT_GENUINE, NULL },
		{ "twice in the query", NULL, "", NULL, "/hook?s=" HEX "&s=" HEX, 0,
		    VERDICT_DOUBLED, NULL },
		{ "in the JSON", "{'signature':{'body':'sig.v','algorithm':"
		    "'hmac-sha256','signs':'{body:sig.t}{body:sig.n}'}}", "",
		    "{\"sig\":{\"t\":1700000000,\"n\":\"t\\u006fk\",\"v\":\"" HEX_TOK
		    "\"}}", NULL, 0, VERDICT_GENUINE, NULL },
		{ "twice in the JSON", NULL, "", "{\"sig\":{\"t\":1700000000,\"n\":\"to"
		    "k\",\"v\":\"" HEX_TOK "\"},\"sig\":{}}", NULL, 0, VERDICT_ABSENT,
		    NULL },
		{ "a signed name twice in the JSON", NULL, "", "{\"sig\":{\"t\":17000000"
		    "00,\"n\":\"tok\",\"n\":\"x\",\"v\":\"" HEX_TOK "\"}}", NULL, 0,
		    VERDICT_ABSENT, NULL },
		{ "in JSON that is broken", NULL, "", "{\"sig\":{\"t\":1700000000,\"n\":"
		    "\"tok\",\"v\":\"" HEX_TOK "\"}", NULL, 0, VERDICT_ABSENT, NULL },
		{ "a signature that is no string", NULL, "", "{\"sig\":{\"t\":17000000"
		    "00,\"n\":\"tok\",\"v\":[\"" HEX_TOK "\"]}}", NULL, 0,
		    VERDICT_ABSENT, NULL },
		/* what is signed */
		{ "the URL", "{'signature':{'header':'X-Sig','algorithm':'hmac-sha256',"
		    "'signs':'{url}{body}'}}", "X-Sig: " HEX_URL, NULL, "/hook?a=1", 0,
		    VERDICT_GENUINE, NULL },
		{ "another query", NULL, "X-Sig: " HEX_URL, NULL, "/hook?a=2", 0,
		    VERDICT_FORGED, NULL },
		{ "no query", NULL, "X-Sig: " HEX_URL, NULL, "/hook", 0, VERDICT_FORGED,
		    NULL },
		{ "Host does not matter", NULL, "X-Sig: " HEX_URL "\nHost: evil", NULL,
		    "/hook?a=1", 0, VERDICT_GENUINE, NULL },
		{ "fields, sorted", "{'signature':{'header':'X-Sig','algorithm':"
		    "'hmac-sha256','signs':'{url}{fields}'}}", "X-Sig: " HEX_FORM
		    "\nContent-Type: application/x-www-form-urlencoded", "b=3&a=1&b=2",
		    NULL, 0, VERDICT_GENUINE, NULL },
		{ "equal fields count once", NULL, "X-Sig: " HEX_FORM "\nContent-Type: "
		    "application/x-www-form-urlencoded", "b=3&a=1&b=2&a=1", NULL, 0,
		    VERDICT_GENUINE, NULL },
		{ "one more field", NULL, "X-Sig: " HEX_FORM "\nContent-Type: applicatio"
		    "n/x-www-form-urlencoded", "b=3&a=1&b=2&c=4", NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "a body of another kind has no fields, not zero", NULL, "X-Sig: "
		    HEX_FORM "\nContent-Type: text/plain", "b=3&a=1&b=2", NULL, 0,
		    VERDICT_ABSENT, NULL },
		{ "fields of a multipart body", NULL, "X-Sig: " HEX_FORM "\nContent-Type: "
		    "multipart/form-data; boundary=x", "--x" PART("b") "3\r\n--x"
		    PART("a") "1\r\n--x" PART("b") "2\r\n--x--", NULL, 0,
		    VERDICT_GENUINE, NULL },
		{ "with a file that nobody signed", NULL, "X-Sig: " HEX_FORM "\nContent"
		    "-Type: multipart/form-data; boundary=x", "--x" PART("b") "3\r\n--"
		    "x" PART("a") "1\r\n--x" PART("b") "2\r\n--x" PART("f\"; filename"
		    "=\"f") "evil\r\n--x--", NULL, 0, VERDICT_ABSENT, NULL },
		{ "a header that is signed", "{'signature':{'header':'X-Sig','algorithm'"
		    ":'hmac-sha256','signs':'{header:X-Id}.{body}'}}", "X-Sig: " HEX_HDR
		    "\nX-Id: i1", NULL, NULL, 0, VERDICT_GENUINE, NULL },
		{ "another one", NULL, "X-Sig: " HEX_HDR "\nX-Id: i2", NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "not there", NULL, "X-Sig: " HEX_HDR, NULL, NULL, 0, VERDICT_ABSENT,
		    NULL },
		{ "twice", NULL, "X-Sig: " HEX_HDR "\nX-Id: i1\nX-Id: i1", NULL, NULL, 0,
		    VERDICT_ABSENT, NULL },
		{ "an optional value that is not there", "{'signature':{'header':'X-Sig'"
		    ",'algorithm':'hmac-sha256','signs':'{header:X-Id?}{body}'}}",
		    "X-Sig: " HEX, NULL, NULL, 0, VERDICT_GENUINE, NULL },
		{ "what else must hold", "{'signature':{'header':'X-Sig','algorithm':"
		    "'hmac-sha256','signs':'{query}','also':[{'place':'query:h','equals'"
		    ":'{sha256hex(body)}'}]}}", "X-Sig: " HEX_Q, NULL,
		    "/hook?h=" SHA_B, 0, VERDICT_GENUINE, NULL },
		{ "and does not", NULL, "X-Sig: " HEX_Q, "{}", "/hook?h=" SHA_B, 0,
		    VERDICT_FORGED, NULL },
		/* a plain hash */
		{ "a plain hash", "{'signature':{'header':'X-Sig','algorithm':'sha256',"
		    "'signs':'{secret}{body}'}}", "X-Sig: " PLAIN, NULL, NULL, 0,
		    VERDICT_GENUINE, "one" },
		{ "an HMAC instead", NULL, "X-Sig: " HEX, NULL, NULL, 0, VERDICT_FORGED,
		    NULL },
		{ "the hash of the body alone", NULL, "X-Sig: " SHA_B, NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		/* the secret itself */
		{ "the secret", "{'signature':{'header':'X-Secret','algorithm':'equal'}"
		    "}", "X-Secret: sec", NULL, NULL, 0, VERDICT_GENUINE, "one" },
		{ "the other one", NULL, "X-Secret: second", NULL, NULL, 0,
		    VERDICT_GENUINE, "two" },
		{ "its beginning", NULL, "X-Secret: se", NULL, NULL, 0, VERDICT_FORGED,
		    NULL },
		{ "more than it", NULL, "X-Secret: secx", NULL, NULL, 0, VERDICT_FORGED,
		    NULL },
		{ "in capitals", NULL, "X-Secret: SEC", NULL, NULL, 0, VERDICT_FORGED,
		    NULL },
		{ "joined", NULL, "X-Secret: sec, sec", NULL, NULL, 0, VERDICT_FORGED,
		    NULL },
		{ "twice", NULL, "X-Secret: sec\nX-Secret: sec", NULL, NULL, 0,
		    VERDICT_DOUBLED, NULL },
		{ "Basic", "{'signature':{'header':'Authorization','form':'Basic "
		    "{sig:base64}','algorithm':'equal'}}", "Authorization: Basic c2Vj",
		    NULL, NULL, 0, VERDICT_GENUINE, NULL },
		{ "basic", NULL, "Authorization: basic c2Vj", NULL, NULL, 0,
		    VERDICT_GENUINE, NULL },
		{ "Bearer", NULL, "Authorization: Bearer c2Vj", NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		{ "not encoded", NULL, "Authorization: Basic sec", NULL, NULL, 0,
		    VERDICT_FORGED, NULL },
		/* alternatives */
		{ "the second alternative", "{'signature':[{'header':'X-A','algorithm':"
		    "'hmac-sha256'},{'header':'X-B','algorithm':'hmac-sha1','for':"
		    "['form']}]}", "X-B: " SHA1 "\nContent-Type: application/x-www-form"
		    "-urlencoded", NULL, NULL, 0, VERDICT_GENUINE, NULL },
		{ "for bodies of another kind", NULL, "X-B: " SHA1, NULL, NULL, 0,
		    VERDICT_ABSENT, NULL },
		{ "the first is doubled, the second good", NULL, "X-A: x\nX-A: x\nX-B: "
		    SHA1 "\nContent-Type: application/x-www-form-urlencoded", NULL,
		    NULL, 0, VERDICT_DOUBLED, NULL },
		{ "for somebody else", "{'signature':{'header':'X-Sig','form':"
		    "'{key_id}|{sig:hex}','algorithm':'hmac-sha256'}}", "X-Sig: other|"
		    HEX, NULL, NULL, 0, VERDICT_FORGED, NULL },
		{ "for us", NULL, "X-Sig: kid|" HEX, NULL, NULL, 0, VERDICT_GENUINE,
		    NULL },
		{ "for others and for us", "{'signature':{'header':'X-Sig','form':"
		    "'{key_id}|{sig:hex}','list':'&','algorithm':'hmac-sha256'}}",
		    "X-Sig: other|" HEX_NO "&kid|" HEX, NULL, NULL, 0, VERDICT_GENUINE,
		    NULL },
		{ "our signature for others", NULL, "X-Sig: other|" HEX "&kid|" HEX_NO,
		    NULL, NULL, 0, VERDICT_FORGED, NULL },
		{ "seventeen in two groups", "{'signature':{'header':'X-Sig','form':"
		    "'v1={sig:hex}','list':' ,','algorithm':'hmac-sha256'}}", "X-Sig: "
		    "v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00,v1=00 v1=00,v1=00,v1=00,"
		    "v1=00,v1=00,v1=00,v1=00,v1=00,v1=" HEX, NULL, NULL, 0,
		    VERDICT_DOUBLED, NULL },
	};
	static const struct str names[] = { STR("one"), STR("two") };
	static const struct str texts[] = { STR("sec"), STR("second") };
	const struct texts params[PARAM_COUNT] = {
		[PARAM_URL] = ONE("https://example.com/hook?old=1"),
		[PARAM_KEY_ID] = ONE("kid"),
	};
	struct hook hook = { .path = STR("/hook"), .window = -1 };
	struct provider *p = NULL;
	struct route *r = NULL;
	struct request q;
	struct verdict v;
	struct err e;

	for (size_t i = 0; i < COUNT(t); i++) {
		arena_reset(arena);
		if (t[i].file != NULL) {
			route_free(r);
			provider_free(p);
			p = own_provider(t[i].file);
			if ((r = route_new(p, &hook, names, texts, 2, params,
			    &e)) == NULL) {
				printf("%s: %s\n", t[i].says, e.text);
				exit(1);
			}
		}
		make_request(&q, t[i].headers, t[i].body, t[i].target);
		v = auth_verify(r, &q, NULL, t[i].now != 0 ? t[i].now : T);
		CHECKF(v.code == t[i].want, "%zu: %s: %s, not %s (%s)", i, t[i].says,
		    verdict_name(t[i].want), verdict_name(v.code), v.reason);
		CHECKF(t[i].secret == NULL || str_eq(v.secret, str_of(t[i].secret)),
		    "%s: by %s", t[i].says, t[i].secret);
		CHECKF(v.code == VERDICT_GENUINE || v.secret.n == 0,
		    "%s: what is refused names no secret", t[i].says);
	}
	route_free(r);
	provider_free(p);
}

/* --- windows of the hook ------------------------------------------------------------------- */

#define TIMED	"{'signature':{'header':'X-Sig','form':'t={time},v1={sig:hex}','list':"	\
		"',','algorithm':'hmac-sha256','signs':'{time}.{body}'},'time':"	\
		"{'window':300}}"

static enum verdict_code
at_window(int64_t window, int64_t now)
{
	static const struct str name = STR("one"), text = STR("sec");
	struct hook hook = { .path = STR("/hook"), .window = window };
	struct provider *p = own_provider(TIMED);
	struct err e;
	struct route *r = route_new(p, &hook, &name, &text, 1, NULL, &e);
	struct request q;
	enum verdict_code code;

	make_request(&q, "X-Sig: t=1700000000,v1=" HEX_T, NULL, NULL);
	code = auth_verify(r, &q, NULL, now).code;
	route_free(r);
	provider_free(p);
	return code;
}

static void
test_windows(void)
{
	arena_reset(arena);
	CHECK(at_window(-1, T + 299000) == VERDICT_GENUINE, "the file's window");
	CHECK(at_window(-1, T + 301000) == VERDICT_STALE, "and past it");
	CHECK(at_window(1000, T + 2000) == VERDICT_STALE, "the hook's own is narrower");
	CHECK(at_window(600000, T + 301000) == VERDICT_GENUINE, "or wider");
	CHECK(at_window(0, T + 900000000) == VERDICT_GENUINE, "or none");
	CHECK(at_window(1000, INT64_MAX) == VERDICT_STALE, "the end of time");
	CHECK(at_window(1000, INT64_MIN) == VERDICT_STALE, "and its beginning");
}

/* --- public keys ------------------------------------------------------------------------------ */

static void
test_keys(void)
{
	/* RFC 8032, section 7.1, tests 1 to 3. */
	static const struct {
		const char *key, *message, *sig;
	} t[] = {
		{ "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
		    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
		{ "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "r",
		    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
	};
	static const struct key_scheme ed25519 = { KEY_ED25519, 0, SIG_PLAIN };
	unsigned char sig[64];
	struct err e;
	size_t n;

	for (size_t i = 0; i < COUNT(t); i++) {
		struct pubkey *k = pubkey_new(KEY_ED25519, str_of(t[i].key), &e);
		struct str m = str_of(t[i].message);
		struct str halves[2] = { str_head(m, m.n / 2),
		    str_skip(m, m.n / 2) };

		hex_decode(str_of(t[i].sig), sig, sizeof(sig), &n);
		CHECK(k != NULL && pubkey_fits(k, &ed25519, &m, 1,
		    (struct str){ (char *)sig, 64 }), "RFC 8032's signature holds");
		CHECK(pubkey_fits(k, &ed25519, halves, 2, (struct str){ (char *)sig, 64 }),
		    "in pieces, too");
		CHECK(!pubkey_fits(k, &ed25519, &m, 1, (struct str){ (char *)sig, 63 }),
		    "a short one does not");
		CHECK(!pubkey_fits(k, &ed25519, &STR("x"), 1, (struct str){ (char *)sig, 64 }),
		    "nor over another message");
		sig[0] ^= 1;
		CHECK(!pubkey_fits(k, &ed25519, &m, 1, (struct str){ (char *)sig, 64 }),
		    "nor with one bit flipped");
		pubkey_free(k);
	}
}

static void
test_bad_keys(void)
{
	static const struct {
		enum key_type type;
		const char *says, *text;
	} t[] = {
		{ KEY_ED25519, "empty", "" },
		{ KEY_ED25519, "too short", "d75a98" },
		{ KEY_ED25519, "no key", "a secret of mine" },
		{ KEY_ED25519, "a key of P-256", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83"
		    "T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVp"
		    "iglSI8eNEc6wEA3F+g==" },
		{ KEY_P256, "a key of Ed25519", "d75a980182b10ab7d54bfed3c964073a0ee"
		    "172f3daa62325af021a68f707511a" },
		{ KEY_P256, "a point that is not on the curve", "04"
		    "0000000000000000000000000000000000000000000000000000000000000001"
		    "0000000000000000000000000000000000000000000000000000000000000001" },
		{ KEY_P256, "a PEM that is none", "-----BEGIN PUBLIC KEY-----\nAAAA\n"
		    "-----END PUBLIC KEY-----\n" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e = { .text = "" };
		struct pubkey *k = pubkey_new(t[i].type, str_of(t[i].text), &e);

		CHECKF(k == NULL && strstr(e.text, "it is not a public key of ") != NULL,
		    "%s is refused", t[i].says);
		pubkey_free(k);
	}
}

/* One key of RSA, in every armour that is met. */
static void
test_rsa_armour(void)
{
	static const char *const spki =
	    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA5HJHGtYrRQ8SUkD93WwD"
	    "haSl22vSI3hC3Vy1nksGJRa/RDXUFhst08KO/14Z79WU/TCv0vq2VNwQpL1Di6lp"
	    "yyfdQoOptylitoQq9JDdJAx9zUWVbOpxvAFFFlt7JcO9+OuguspYtDD0Vb2+l2Ti"
	    "iEMyVbZG22Dvksd79YrjlrNT8n7tgmzEpRziOIZjkPX6fkx2YAz1h+uJJdDpp2XH"
	    "s2zajcm9IA/7v90yTMF6bAJkkYayFopWoTfD1Q0dZQYW+2dUvPVIIwXTPlqqQxaK"
	    "5FU1uZQDOtx+rewSSDetAsxNoT03RRrz5Ph+FRJ1+ysV54Mz4EJXAcJI0SVjPwfU"
	    "lQIDAQAB";
	static const char *const pkcs1 =
	    "MIIBCgKCAQEA5HJHGtYrRQ8SUkD93WwDhaSl22vSI3hC3Vy1nksGJRa/RDXUFhst"
	    "08KO/14Z79WU/TCv0vq2VNwQpL1Di6lpyyfdQoOptylitoQq9JDdJAx9zUWVbOpx"
	    "vAFFFlt7JcO9+OuguspYtDD0Vb2+l2TiiEMyVbZG22Dvksd79YrjlrNT8n7tgmzE"
	    "pRziOIZjkPX6fkx2YAz1h+uJJdDpp2XHs2zajcm9IA/7v90yTMF6bAJkkYayFopW"
	    "oTfD1Q0dZQYW+2dUvPVIIwXTPlqqQxaK5FU1uZQDOtx+rewSSDetAsxNoT03RRrz"
	    "5Ph+FRJ1+ysV54Mz4EJXAcJI0SVjPwfUlQIDAQAB";
	static const struct {
		const char *says, *label, *breaks;
		bool is_pkcs1;
	} t[] = {
		{ "SPKI", "PUBLIC KEY", "\n", false },
		{ "SPKI without line breaks", "PUBLIC KEY", "", false },
		{ "PKCS#1", "RSA PUBLIC KEY", "\n", true },
		{ "SPKI that says it were PKCS#1", "RSA PUBLIC KEY", " ", false },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e;
		struct str text = arena_printf(arena, "-----BEGIN %s-----%s%s%s"
		    "-----END %s-----", t[i].label, t[i].breaks,
		    t[i].is_pkcs1 ? pkcs1 : spki, t[i].breaks, t[i].label);
		struct pubkey *k = pubkey_new(KEY_RSA, text, &e);

		CHECKF(k != NULL && pubkey_type(k) == KEY_RSA, "a key: %s",
		    t[i].says);
		pubkey_free(k);
	}
}

/* Every algorithm with a private key signs what its public half takes. */
static void
test_key_signatures(void)
{
	static const struct {
		const char *says, *algorithm, *public, *private;
	} t[] = {
		{ "Ed25519", "'ed25519'",
		    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
		    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60" },
		/* RFC 6979, section A.2.5. */
		{ "ECDSA, ASN.1", "'ecdsa-p256-sha256'", "04"
		    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
		    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
		    "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721" },
		{ "ECDSA, raw", "'ecdsa-p256-sha256-raw'", "03"
		    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
		    "ya+p2EW6dRZrXCFXZ7HWk05Qw9s26JsSe4piKxIPZyE=" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct hook hook = { .path = STR("/hook"), .window = -1 };
		struct texts params[PARAM_COUNT] = { { NULL, 0 } };
		struct str public = str_of(t[i].public);
		struct sign_wish w = { .url = STR("https://h/hook"), .body = STR(B),
		    .now = T, .alternative = -1,
		    .private_key = str_of(t[i].private) };
		struct sent out;
		struct provider *p;
		struct route *r;
		struct request q;
		struct err e = { .text = "" };
		const char *lines;

		arena_reset(arena);
		p = own_provider(arena_printf(arena, "{'signature':{'header':'X-Sig',"
		    "'form':'{sig:base64}','algorithm':%s,'signs':'{time}{body}'},'tim"
		    "e':{'header':'X-Time','window':300}}", t[i].algorithm).p);
		params[PARAM_PUBLIC_KEY] = (struct texts){ &public, 1 };
		r = route_new(p, &hook, NULL, NULL, 0, params, &e);
		CHECKF(r != NULL, "%s: a route: %s", t[i].says, e.text);
		CHECKF(auth_sign(r, &w, arena, &out, &e) == 0, "%s: signs: %s",
		    t[i].says, e.text);
		lines = "";
		for (size_t j = 0; j < out.nheaders; j++)
			lines = arena_printf(arena, "%s%.*s: %.*s\n", lines,
			    STR_ARG(out.headers[j].name),
			    STR_ARG(out.headers[j].value)).p;
		make_request(&q, lines, NULL, NULL);
		CHECKF(auth_verify(r, &q, NULL, T).code == VERDICT_GENUINE,
		    "%s: and it holds", t[i].says);
		CHECKF(auth_verify(r, &q, NULL, T + 300001).code == VERDICT_STALE,
		    "%s: but not for ever", t[i].says);
		make_request(&q, lines, "{}", NULL);
		CHECKF(auth_verify(r, &q, NULL, T).code == VERDICT_FORGED,
		    "%s: nor for another body", t[i].says);
		route_free(r);
		provider_free(p);
	}
}

/* --- handshakes --------------------------------------------------------------------------------- */

#define ECHO	"{'bodies':['json']," MAC ",'handshakes':["				\
		"{'when':{'method':'GET','query:c':true,'query:mode':'sub'},"		\
		"'verify':{'query:tok':'{verify_token}'},'answer':{'body':'{query:c}'}},"\
		"{'when':{'method':'GET','query:crc':true},'answer':{'json':{'r':"	\
		"'sha256={hmac-sha256-base64(query:crc)}','hub.c':[1,true,null]}}},"	\
		"{'when':{'body:type':1},'signed':true,'answer':{'json':{'type':1}}},"	\
		"{'when':{'body:challenge':true},'signed':true,'open':true,'answer':"	\
		"{'body':'{body:challenge}'}}]}"

static void
test_handshakes(void)
{
	static const struct {
		const char *says, *method, *target, *body;
		bool verified, open;
		enum handshake_step want;
		int status;
		const char *answer;
	} t[] = {
		{ "the right token", "GET", "/h?mode=sub&c=42&tok=vt", "", false, false,
		    HANDSHAKE_ANSWER, 200, "42" },
		{ "HEAD asks what GET asks", "HEAD", "/h?mode=sub&c=42&tok=vt", "",
		    false, false, HANDSHAKE_ANSWER, 200, "42" },
		{ "a wrong token", "GET", "/h?mode=sub&c=42&tok=vx", "", false, false,
		    HANDSHAKE_REFUSE, 403, "" },
		{ "no token", "GET", "/h?mode=sub&c=42", "", false, false,
		    HANDSHAKE_REFUSE, 403, "" },
		{ "two tokens", "GET", "/h?mode=sub&c=42&tok=vt&tok=vt", "", false,
		    false, HANDSHAKE_REFUSE, 403, "" },
		{ "another mode", "GET", "/h?mode=un&c=42&tok=vt", "", false, false,
		    HANDSHAKE_NONE, 0, NULL },
		{ "another method", "POST", "/h?mode=sub&c=42&tok=vt", "", false, false,
		    HANDSHAKE_NONE, 0, NULL },
		{ "an echo with a control byte", "GET", "/h?mode=sub&c=a%0Ab&tok=vt",
		    "", false, false, HANDSHAKE_REFUSE, 403, "" },
		{ "an echo that is not ASCII", "GET", "/h?mode=sub&c=%C3%A9&tok=vt", "",
		    false, false, HANDSHAKE_REFUSE, 403, "" },
		{ "an echo with a NUL", "GET", "/h?mode=sub&c=a%00b&tok=vt", "", false,
		    false, HANDSHAKE_REFUSE, 403, "" },
		{ "markup is text", "GET", "/h?mode=sub&c=%3Cb%3E&tok=vt", "", false,
		    false, HANDSHAKE_ANSWER, 200, "<b>" },
		/* The oracle: HMAC("sec", "challenge_string"). */
		{ "a computed answer", "GET", "/h?crc=challenge_string", "", false,
		    false, HANDSHAKE_ANSWER, 200, "{\"r\":\"sha256=VTs2Gkxz62JiFvAzuM44"
		    "mCFkgkAMDnOfaKvBDaJ4ACw=\",\"hub.c\":[1,true,null]}" },
		{ "an event's body as a token", "GET", "/h?crc=%7B%22id%22%3A1%7D", "",
		    false, false, HANDSHAKE_REFUSE, 403, "" },
		{ "a number is a body, too", "GET", "/h?crc=12345", "", false, false,
		    HANDSHAKE_REFUSE, 403, "" },
		{ "and so is a literal", "GET", "/h?crc=true", "", false, false,
		    HANDSHAKE_REFUSE, 403, "" },
		{ "and nothing at all", "GET", "/h?crc=", "", false, false,
		    HANDSHAKE_REFUSE, 403, "" },
		{ "and a string", "GET", "/h?crc=%22a%22", "", false, false,
		    HANDSHAKE_REFUSE, 403, "" },
		/* signed ones */
		{ "a signed one is verified first", "POST", "/h", "{\"type\":1}", false,
		    false, HANDSHAKE_VERIFY, 0, NULL },
		{ "and answered then", "POST", "/h", "{\"type\":1}", true, false,
		    HANDSHAKE_ANSWER, 200, "{\"type\":1}" },
		{ "an event is verified, too", "POST", "/h", "{\"type\":2}", false,
		    false, HANDSHAKE_VERIFY, 0, NULL },
		{ "and is one then", "POST", "/h", "{\"type\":2}", true, false,
		    HANDSHAKE_NONE, 0, NULL },
		{ "broken JSON is no handshake", "POST", "/h", "{\"type\":1", true,
		    false, HANDSHAKE_NONE, 0, NULL },
		{ "a number is not its text in quotes", "POST", "/h", "{\"type\":1.0}",
		    true, false, HANDSHAKE_NONE, 0, NULL },
		{ "a challenge", "POST", "/h", "{\"challenge\":\"x\\u0041\"}", true,
		    false, HANDSHAKE_ANSWER, 200, "xA" },
		{ "not before the secret held", "POST", "/h", "{\"challenge\":\"x\"}",
		    false, false, HANDSHAKE_VERIFY, 0, NULL },
		{ "unless the hook is open", "POST", "/h", "{\"challenge\":\"x\"}",
		    false, true, HANDSHAKE_ANSWER, 200, "x" },
		{ "a challenge that is no text", "POST", "/h", "{\"challenge\":{}}",
		    true, false, HANDSHAKE_NONE, 0, NULL },
		{ "no body, no question", "POST", "/h", "", false, false,
		    HANDSHAKE_NONE, 0, NULL },
	};
	static const struct str name = STR("one"), text = STR("sec");
	struct texts params[PARAM_COUNT] = { [PARAM_VERIFY_TOKEN] = ONE("vt") };
	struct provider *p;
	struct err e;

	arena_reset(arena);
	p = own_provider(ECHO);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct hook hook = { .path = STR("/h"), .window = -1,
		    .open_handshake = t[i].open };
		struct route *r = route_new(p, &hook, &name, &text, 1, params, &e);
		struct handshake hs;
		struct request q;

		arena_reset(arena);
		make_request(&q, "", t[i].body, t[i].target);
		q.method = str_of(t[i].method);
		hs = handshake_try(r, &q, t[i].verified);
		CHECKF(hs.step == t[i].want, "%s: step %d, not %d (%s)", t[i].says,
		    t[i].want, hs.step, hs.reason);
		CHECKF(t[i].status == 0 || hs.answer.status == t[i].status,
		    "%s: status %d, not %d", t[i].says, t[i].status,
		    hs.answer.status);
		CHECKF(t[i].answer == NULL || str_eq(hs.answer.body,
		    str_of(t[i].answer)), "%s: \"%s\", not \"%.*s\"", t[i].says,
		    t[i].answer, STR_ARG(hs.answer.body));
		CHECKF(hs.answer.body.n == 0 || hs.answer.type.n > 0,
		    "%s: has a type", t[i].says);
		route_free(r);
	}
	provider_free(p);
}

static void
test_stored_handshakes(void)
{
	static const struct str name = STR("one"), text = STR("sec");
	struct texts params[PARAM_COUNT] = { [PARAM_VERIFY_TOKEN] = ONE("vt") };
	struct hook hook = { .path = STR("/h"), .window = -1 };
	struct provider *p;
	struct route *r;
	struct request q;
	struct err e;
	char *big;

	arena_reset(arena);
	p = own_provider(ECHO);
	r = route_new(p, &hook, &name, &text, 1, params, &e);
	make_request(&q, "", "{\"challenge\":\"x\"}", NULL);
	CHECK(handshake_try(r, &q, true).store,
	    "one that is known by a field's presence is an event, too");
	make_request(&q, "", "{\"type\":1}", NULL);
	CHECK(!handshake_try(r, &q, true).store, "one that says what it is is none");
	hook.open_handshake = true;
	make_request(&q, "", "{\"challenge\":\"x\"}", NULL);
	CHECK(!handshake_try(r, &q, false).store, "nor one that nobody proved");
	big = arena_bytes(arena, 4096);
	memset(big, 'a', 4095);
	big[4095] = '\0';
	make_request(&q, "", arena_printf(arena, "{\"challenge\":\"%.1024s\"}",
	    big).p, NULL);
	CHECK(handshake_try(r, &q, true).step == HANDSHAKE_ANSWER, "1 KiB is echoed");
	make_request(&q, "", arena_printf(arena, "{\"challenge\":\"%.1025s\"}",
	    big).p, NULL);
	CHECK(handshake_try(r, &q, true).step == HANDSHAKE_REFUSE, "no more");
	route_free(r);
	provider_free(p);
}

/* Where events sign a text and the body, a token must not begin with that text. */
static void
test_oracle_prefix(void)
{
	static const struct str name = STR("one"), text = STR("sec");
	struct hook hook = { .path = STR("/h"), .window = -1 };
	struct provider *p;
	struct route *r;
	struct request q;
	struct err e;

	arena_reset(arena);
	p = own_provider("{'bodies':['json'],'signature':{'header':'S','algorithm':"
	    "'hmac-sha256','signs':'hmacsha256={body}'},'handshakes':[{'when':"
	    "{'query:c':true},'answer':{'body':'{hmac-sha256-hex(query:c)}'}}]}");
	r = route_new(p, &hook, &name, &text, 1, NULL, &e);
	make_request(&q, "", "", "/h?c=890e4665-4dfe-4ab1-b689-ed553bceeed0");
	CHECK(handshake_try(r, &q, false).step == HANDSHAKE_ANSWER, "a UUID is signed");
	make_request(&q, "", "", "/h?c=hmacsha256%3D123");
	CHECK(handshake_try(r, &q, false).step == HANDSHAKE_REFUSE,
	    "an event is not");
	route_free(r);
	provider_free(p);
}

/* Whatever of a request is signed for a stranger, wherever it is answered. */
static void
test_oracle_whole(void)
{
#define SIGNS_FOR(signature, answer) "{'bodies':['json'],'signature':{'header':'S',"	\
		"'algorithm':" signature "},'handshakes':[{'when':{'query:c':true},"	\
		"'answer':{" answer "}}]}"
	static const struct { const char *says, *answer; } t[] = {
		{ "a body", "'body':'{hmac-sha256-hex(%s)}'" },
		{ "JSON", "'json':{'r':'{hmac-sha256-hex(%s)}'}" },
		{ "a header", "'headers':{'X-R':'{hmac-sha256-hex(%s)}'}" },
	};
	static const struct { const char *of, *target, *body; bool fine; } of[] = {
		{ "query:c", "/h?c=token", "", true },
		{ "query:c", "/h?c=%7B%22a%22%3A1%7D", "", false },
		{ "query:c", "/h?c=17", "", false },
		{ "lower(query:c)", "/h?c=%7B%7D", "", false },
		{ "body", "/h?c=token", "{\"a\":1}", false },
		{ "query", "/h?{\"a\":\"&c=x&\"}", "", false },
		{ "path", "/h?c=token", "", false },
		{ "method", "/h?c=token", "", false },
		{ "header:X-C?", "/h?c=token", "", true },
	};
	static const struct str name = STR("one"), text = STR("sec");
	struct hook hook = { .path = STR("/h"), .window = -1 };
	struct err e;

	for (size_t i = 0; i < COUNT(t); i++)
		for (size_t j = 0; j < COUNT(of); j++) {
			char answer[128];
			struct provider *p;
			struct handshake hs;
			struct request q;
			struct route *r;

			arena_reset(arena);
			snprintf(answer, sizeof(answer), t[i].answer, of[j].of);
			p = own_provider(arena_printf(arena, SIGNS_FOR(
			    "'hmac-sha256'", "%s"), answer).p);
			r = route_new(p, &hook, &name, &text, 1, NULL, &e);
			make_request(&q, "", of[j].body, of[j].target);
			hs = handshake_try(r, &q, false);
			CHECKF(hs.step == (of[j].fine ? HANDSHAKE_ANSWER :
			    HANDSHAKE_REFUSE), "%s that signs {%s} of %s %s",
			    t[i].says, of[j].of, of[j].target, of[j].body);
			route_free(r);
			provider_free(p);
		}
	/* Where the two cannot be told apart the file is refused. */
	for (size_t i = 0; i < COUNT(t); i++) {
		struct provider *p;
		char answer[128];

		snprintf(answer, sizeof(answer), t[i].answer, "query:c");
		p = provider_read(quotes(arena_printf(arena, SIGNS_FOR(
		    "'hmac-sha256','signs':'{body}{query:x}'", "%s"), answer).p),
		    STR("own"), "p.json", &e);
		CHECKF(p == NULL && strstr(e.text, "would sign events for anybody") !=
		    NULL, "%s that signs what an event could be", t[i].says);
		provider_free(p);
		p = provider_read(quotes(arena_printf(arena, SIGNS_FOR(
		    "'jws-hs256','token':{'detached':true}", "%s"), answer).p),
		    STR("own"), "p.json", &e);
		CHECKF(p == NULL && strstr(e.text, "would sign events for anybody") !=
		    NULL, "%s that signs what a token could be", t[i].says);
		provider_free(p);
	}
}

/* What is repeated is printable and short, also where it is more than one value. */
static void
test_repeated(void)
{
	static const struct { const char *answer, *target, *body; bool fine; } t[] = {
		{ "'body':'{query:c}'", "/h?c=abc", "", true },
		{ "'body':'{query:c}'", "/h?c=a%0ab", "", false },
		{ "'body':'{query}'", "/h?c=abc", "", true },
		{ "'body':'{query}'", "/h?c=a\x01b", "", false },
		{ "'body':'{body}'", "/h?c=1", "<p>", true },	/* as text/plain */
		{ "'body':'{body}'", "/h?c=1", "a\nb", false },
		{ "'body':'{sha256hex(body)}'", "/h?c=1", "a\nb", true },
		{ "'json':{'r':'{body}'}", "/h?c=1", "a\nb", false },
		{ "'json':{'r':'{body}'}", "/h?c=1", "a\"b", true },
		/* In a header: a token. */
		{ "'headers':{'X-R':'{query:c}'}", "/h?c=abc", "", true },
		{ "'headers':{'X-R':'{query:c}'}", "/h?c=a%0d%0aX-S%3A+1", "", false },
		{ "'headers':{'X-R':'{query:c}'}", "/h?c=a+b", "", false },
		{ "'headers':{'X-R':'{query:c}'}", "/h?c=", "", false },
		{ "'headers':{'X-R':'{query:c}'}", "/h?c=a%00b", "", false },
		{ "'headers':{'X-R':'{query:c}-{query:d?}'}", "/h?c=a&d=%0a", "",
		    false },
		{ "'headers':{'X-R':'{lower(query:c)}'}", "/h?c=a%0a", "", false },
		{ "'headers':{'X-R':'{a|query:c|b}'}", "/h?c=%0d", "", false },
	};
	struct hook hook = { .path = STR("/h"), .window = -1, .auth = AUTH_NONE };
	struct err e;

	for (size_t i = 0; i < COUNT(t); i++) {
		struct provider *p;
		struct handshake hs;
		struct request q;
		struct route *r;

		arena_reset(arena);
		p = own_provider(arena_printf(arena, "{'handshakes':[{'when':{"
		    "'query:c':true},'answer':{%s}}]}", t[i].answer).p);
		r = route_new(p, &hook, NULL, NULL, 0, NULL, &e);
		make_request(&q, "", t[i].body, t[i].target);
		hs = handshake_try(r, &q, false);
		CHECKF(hs.step == (t[i].fine ? HANDSHAKE_ANSWER : HANDSHAKE_REFUSE),
		    "%s of %s %s", t[i].answer, t[i].target, t[i].body);
		route_free(r);
		provider_free(p);
	}
}

/* --- the event ------------------------------------------------------------------------------------- */

/* Of the first provider with that file and the secret "sec". */
static void
make_event(const char *file, const char *headers, const char *body,
    const char *target, struct event *ev, struct verdict *v)
{
	static const struct str name = STR("env:S"), text = STR("sec");
	static struct hook hook = { .path = STR("/hook"), .window = -1 };
	static struct provider *p;
	static struct route *r;
	struct request q;
	struct err e;

	route_free(r);
	provider_free(p);
	r = NULL;
	p = NULL;
	if (file == NULL)
		return;
	arena_reset(arena);
	p = own_provider(file);
	r = route_new(p, &hook, &name, &text, 1, NULL, &e);
	make_request(&q, headers, body, target);
	*v = auth_verify(r, &q, NULL, T);
	*ev = (struct event){ .body_fd = -1 };
	CHECK(auth_event(r, &q, v, AUTH_KEPT, ev), "an event is made");
}

static bool
digest_is(const struct event *ev, const char *hex)
{
	return str_eq(hex_encode(arena, (struct str){ (const char *)ev->digest, 32 },
	    false), str_of(hex));
}

#define IDS	"{'signature':[{'header':'X-A','form':'{sig:hex}','algorithm':'hmac-sha256'," \
		"'signs':'{header:X-Id}.{body}'},{'header':'X-B','algorithm':"		\
		"'hmac-sha256'}],'event':{'id':['header:X-Other','header:X-Id'],"	\
		"'type':['header:X-Type','body:type']}}"

static void
test_ids(void)
{
	static const struct {
		const char *says, *headers, *body, *id;
		bool proven;
	} t[] = {
		{ "the id that is signed", "X-A: " HEX_HDR "\nX-Id: i1", NULL, "i1",
		    true },
		{ "goes before one that a stranger added", "X-A: " HEX_HDR "\nX-Id: i1\n"
		    "X-Other: evil", NULL, "i1", true },
		{ "where none is signed the first that is there counts", "X-B: " HEX
		    "\nX-Id: i1\nX-Other: o1", NULL, "o1", false },
		{ "alone it is not proven either", "X-B: " HEX "\nX-Id: i1", NULL, "i1",
		    false },
		{ "twice is none", "X-B: " HEX "\nX-Id: i1\nX-Id: i1", NULL, "", true },
		{ "empty is none", "X-B: " HEX "\nX-Id:", NULL, "", true },
		{ "none is none", "X-B: " HEX, NULL, "", true },
	};
	struct event ev;
	struct verdict v;

	for (size_t i = 0; i < COUNT(t); i++) {
		make_event(IDS, t[i].headers, t[i].body, NULL, &ev, &v);
		CHECKF(v.code == VERDICT_GENUINE, "%s: %s", t[i].says, v.reason);
		CHECKF(str_eq(ev.event_id, str_of(t[i].id)) ||
		    (t[i].id[0] == '\0' && ev.event_id.n == 0),
		    "%s: \"%s\", not \"%.*s\"", t[i].says, t[i].id,
		    STR_ARG(ev.event_id));
		CHECKF(ev.event_id.n == 0 || ev.proven == t[i].proven,
		    "%s: proven %d", t[i].says, t[i].proven);
		CHECKF(ev.signed_bytes == (ev.event_id.n > 0 && !ev.proven),
		    "%s: the digest is made where it is needed", t[i].says);
		CHECKF(!ev.signed_bytes || digest_is(&ev, SHA_B),
		    "%s: of the signed bytes", t[i].says);
	}
}

#define BODY_ID	"{'signature':{'header':'X-S','algorithm':'equal'},'event':{'id':'body:id'}}"

static void
test_body_ids(void)
{
	char long_id[400];
	const struct {
		const char *says, *body, *id;
	} t[] = {
		{ "a text", "{\"id\":\"a\\u0062\"}", "ab" },
		{ "a number is its text", "{\"id\":123456789012345678901234567890.50}",
		    "123456789012345678901234567890.50" },
		{ "an empty one", "{\"id\":\"\"}", "" },
		{ "true", "{\"id\":true}", "" },
		{ "null", "{\"id\":null}", "" },
		{ "an object", "{\"id\":{}}", "" },
		{ "a list", "{\"id\":[1]}", "" },
		{ "named twice", "{\"id\":1,\"id\":2}", "" },
		{ "in broken JSON", "{\"id\":1", "" },
		{ "too long", long_id, "" },
	};
	struct event ev;
	struct verdict v;

	snprintf(long_id, sizeof(long_id), "{\"id\":\"%0256d\"}", 1);
	for (size_t i = 0; i < COUNT(t); i++) {
		make_event(BODY_ID, "X-S: sec", t[i].body, NULL, &ev, &v);
		CHECKF(ev.event_id.n == strlen(t[i].id) && (ev.event_id.n == 0 ||
		    str_eq(ev.event_id, str_of(t[i].id))), "an id that is %s",
		    t[i].says);
		CHECKF(ev.event_id.n == 0 || (ev.proven && !ev.signed_bytes),
		    "%s: where nothing is signed it is as good as the rest",
		    t[i].says);
	}
}

#define MERGED	"{" MAC ",'event':{'merge':{'window':60,'reason':'no id'}}}"

static void
test_merge(void)
{
	struct event ev;
	struct verdict v;

	make_event(MERGED, "X-Sig: " HEX, NULL, NULL, &ev, &v);
	CHECK(ev.merge == 60 && ev.signed_bytes && digest_is(&ev, SHA_B),
	    "without an id equal bytes are one event, where the file says so");
	make_event("{'signature':{'header':'X-Sig','form':'t={time},v1={sig:hex}','lis"
	    "t':',','algorithm':'hmac-sha256','signs':'{time}.{body}'},'time':{'windo"
	    "w':300},'event':{'merge':{'window':60,'reason':'x'}}}",
	    "X-Sig: t=1700000000,v1=" HEX_T, NULL, NULL, &ev, &v);
	CHECK(ev.merge == 60 && ev.signed_bytes && digest_is(&ev, SHA_B),
	    "signed anew at another time, too: the body decides");
	make_event("{" MAC ",'retries':'2 weeks'}", "X-Sig: " HEX, NULL, NULL, &ev, &v);
	CHECK(ev.merge == 0 && !ev.signed_bytes && ev.event_id.n == 0,
	    "else nothing is merged");
	CHECK(ev.remember == 14 * 86400, "ids are remembered for its retries");
	make_event("{" MAC ",'retries':'3 hours'}", "X-Sig: " HEX, NULL, NULL, &ev, &v);
	CHECK(ev.remember == 7 * 86400, "but for a week at least");
}

static void
test_stored(void)
{
	struct event ev;
	struct verdict v;

	make_event("{'signature':[{'header':'X-Secret','algorithm':'equal'},{'query':"
	    "'tok en','algorithm':'equal'}]}", "X-Secret: sec\nX-A: \xff\"\nX-Se"
	    "cret-2: sec\nAuthorization: Bearer t", NULL,
	    "/hook?a=1&tok%20en=sec&x", &ev, &v);
	CHECK(v.code == VERDICT_GENUINE, "it is genuine");
	CHECK(str_eq(ev.headers, STR("[[\"x-secret\",\"env:S\"],[\"x-a\",{\"base64\":\""
	    "/yI=\"}],[\"x-secret-2\",\"sec\"],[\"authorization\",\"hidden\"]]")),
	    "the secret is replaced by its name, and Authorization for others hidden");
	CHECK(str_eq(ev.target, STR("/hook?a=1&tok%20en=env%3AS&x")),
	    "in the query, too");
	make_event("{'signature':[{'header':'X-Secret','algorithm':'equal'},{'query':"
	    "'t','algorithm':'equal'}]}", "X-Secret: sec", NULL, "/hook?t=guess", &ev,
	    &v);
	CHECK(str_eq(ev.target, STR("/hook?t=hidden")),
	    "what stands in a secret's place and is none is not kept either");
	make_event("{'signature':{'header':'Authorization','form':'Basic {sig:base64}',"
	    "'algorithm':'equal'}}", "Authorization: Basic c2Vj", NULL, NULL, &ev, &v);
	CHECK(str_eq(ev.headers, STR("[[\"authorization\",\"env:S\"]]")),
	    "a Basic password");
	make_event("{'signature':{'header':'Authorization','form':'HMAC {sig:base64}',"
	    "'algorithm':'hmac-sha256'}}", "Authorization: HMAC " B64, NULL, NULL,
	    &ev, &v);
	CHECK(str_eq(ev.headers, STR("[[\"authorization\",\"HMAC " B64 "\"]]")),
	    "a signature is kept: it can be verified again");
	CHECK(str_eq(ev.secret, STR("env:S")) && str_eq(ev.scheme, STR("hmac-sha256")),
	    "with the verdict's facts");
	/* {"t":"sec"}, {"t":"no!"} */
	make_event("{'signature':[{'header':'X-A->base64->t','algorithm':'equal'},{"
	    "'query':'q->base64','algorithm':'equal'}]}", "X-A: eyJ0Ijoic2VjIn0=",
	    NULL, "/hook?q=bm8h", &ev, &v);
	CHECK(v.code == VERDICT_GENUINE && str_eq(ev.headers,
	    STR("[[\"x-a\",\"env:S\"]]")), "where steps lead to it, too");
	CHECK(str_eq(ev.target, STR("/hook?q=hidden")), "and in the query");
	make_event("{'signature':[{'query':'q->base64','algorithm':'equal'},{'header':"
	    "'X-A->base64->t','algorithm':'equal'}]}", "X-A: eyJ0Ijoibm8hIn0=",
	    NULL, "/hook?q=c2Vj", &ev, &v);
	CHECK(v.code == VERDICT_GENUINE && str_eq(ev.headers,
	    STR("[[\"x-a\",\"hidden\"]]")) && str_eq(ev.target,
	    STR("/hook?q=env%3AS")), "and the other way round");
	make_event("{'signature':{'header':'X-K-{n}','algorithm':'equal'}}",
	    "X-K-1: sec\nX-K-2: no!\nX-K-x: y", NULL, NULL, &ev, &v);
	CHECK(v.code == VERDICT_GENUINE && str_eq(ev.headers, STR("[[\"x-k-1\",\"env:S"
	    "\"],[\"x-k-2\",\"hidden\"],[\"x-k-x\",\"y\"]]")),
	    "and in headers with a number each");
	make_event(NULL, NULL, NULL, NULL, &ev, &v);
}

/* --- routes --------------------------------------------------------------------------------------- */

static struct bundle *
bundle_with(const char *name, const char *bytes)
{
	struct bundle *b = bundle_new();

	if (name != NULL)
		bundle_put(b, str_of(name), quotes(bytes));
	return b;
}

static void
test_refused_routes(void)
{
	static const struct {
		const char *conf, *name, *bytes, *sentence;
	} t[] = {
		{ "{'hooks':{'/a':{'provider':'githbu','secret':'plain:x'}}}", NULL, NULL,
		    "c.json:1:11: /a: unknown provider \"githbu\"; did you mean "
		    "\"github\"?" },
		{ "{'hooks':{'/a':{'provider':'github'}}}", NULL, NULL, "c.json:1:11: "
		    "/a: the provider \"github\" also needs \"secret\"" },
		{ "{'hooks':{'/a':{'provider':'github','secret':'env:NOT_THERE'}}}",
		    NULL, NULL, "c.json:1:11: /a: the secret \"env:NOT_THERE\" is not "
		    "there" },
		{ "{'hooks':{'/a':{'provider':'github','secret':'env:E'}}}",
		    "secret:env:E", "", "c.json:1:11: /a: the secret \"env:E\" is "
		    "empty" },
		{ "{'hooks':{'/a':{'provider':'square'}}}", NULL, NULL, "c.json:1:11: "
		    "/a: the provider \"square\" also needs \"secret\", \"url\"" },
		{ "{'hooks':{'/a':{'provider':'discord'}}}", NULL, NULL, "c.json:1:11: "
		    "/a: the provider \"discord\" also needs \"public_key\"" },
		{ "{'hooks':{'/a':{'provider':'discord','secret':'plain:x','public_key':"
		    "'d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'"
		    "}}}", NULL, NULL, "c.json:1:11: /a: the provider \"discord\" has no "
		    "\"secret\": its signatures are proven by \"public_key\"" },
		{ "{'hooks':{'/a':{'provider':'discord','public_key':'d75a'}}}", NULL,
		    NULL, "c.json:1:11: /a: the \"public_key\" cannot be used: it is "
		    "not a public key of Ed25519: PEM, a JWK, or hex or base64 of the "
		    "raw key or of SPKI" },
		{ "{'hooks':{'/a':{'provider':'meta','secret':'plain:x'}}}", NULL, NULL,
		    "c.json:1:11: /a: the provider \"meta\" also needs "
		    "\"verify_token\"" },
		{ "{'hooks':{'/a':{'provider':'svix','secret':'plain:not base64!'}}}",
		    NULL, NULL, "c.json:1:11: /a: the secret \"plain\" cannot be used: "
		    "it is not written as this provider's secrets are" },
		{ "{'hooks':{'/a':{'provider':'github','secret':'plain:x','window':60}}"
		    "}", NULL, NULL, "c.json:1:11: /a: \"window\" has no meaning here: "
		    "the provider \"github\" signs no time" },
		{ "{'hooks':{'/a':{'provider':'mine','secret':'plain:x'}}}",
		    "provider:mine", "{'signature':{}}", "c.json:1:11: /a: mine.json:"
		    "1:2: a signature needs an \"algorithm\"" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e = { .text = "" };
		struct bundle *b;
		struct conf *c;
		struct routes *r = NULL;

		arena_reset(arena);
		b = bundle_with(t[i].name, t[i].bytes);
		if ((c = conf_read(quotes(t[i].conf), "c.json", &e)) != NULL)
			r = routes_new(c, b, &e);
		CHECKF(r == NULL, "is refused: %s", t[i].conf);
		CHECKF(strcmp(e.text, t[i].sentence) == 0, "%s: \"%s\", not \"%s\"",
		    t[i].conf, t[i].sentence, e.text);
		routes_free(r);
		conf_free(c);
		bundle_free(b);
	}
}

static void
test_routes(void)
{
	static const char conf[] = "{'hooks':{"
	    "'/b':{'provider':'github','secret':['env:OLD','env:NEW'],"
	    "'deadline':'3s'},"
	    "'/a':{'provider':'slack','secret':'env:NEW'},"
	    "'/open':{'auth':'none'},"
	    "'/mine':{'provider':'github-mine','secret':'plain:text'},"
	    "'/own':{'provider':{'signature':{'query':'k','algorithm':'equal'}},"
	    "'secret':'env:NEW'}}}";
	struct buf warnings = BUF(16384);
	struct bundle *b;
	struct conf *c;
	struct routes *all;
	const struct route *r;
	struct err e = { .text = "" };

	arena_reset(arena);
	b = bundle_with("provider:github-mine",
	    "{'name':'Mine','signature':{'header':'X-Mine','algorithm':'equal'}}");
	bundle_put(b, STR("secret:env:OLD"), STR("old"));
	bundle_put(b, STR("secret:env:NEW"), STR("new"));
	c = conf_read(quotes(conf), "c.json", &e);
	all = c != NULL ? routes_new(c, b, &e) : NULL;
	CHECKF(all != NULL, "routes are made: %s", e.text);
	if (all == NULL)
		return;
	CHECK(routes_count(all) == 5, "all of them");
	CHECK((r = routes_find(all, STR("/a"))) != NULL &&
	    str_eq(r->provider->id, STR("slack")), "found by path");
	CHECK(r->deadline == 2400, "its deadline is the provider's less 20 %");
	CHECK((r = routes_find(all, STR("/b"))) != NULL && r->deadline == 3000,
	    "or the hook's own");
	CHECK(routes_find(all, STR("/")) == NULL && routes_find(all, STR("/c")) == NULL &&
	    routes_find(all, STR("/a/")) == NULL && routes_find(all, STR("")) == NULL,
	    "what is not there is not found");
	CHECK((r = routes_find(all, STR("/mine"))) != NULL &&
	    str_eq(r->provider->name, STR("Mine")), "the operator's own file");
	CHECK((r = routes_find(all, STR("/open"))) != NULL && r->provider != NULL,
	    "a hook without a provider is judged by a plain one");
	routes_warn(all, &warnings);
	CHECK(memmem(warnings.p, warnings.n, "anybody may send", 16) != NULL &&
	    memmem(warnings.p, warnings.n, "plain:", 6) != NULL &&
	    memmem(warnings.p, warnings.n, "travels", 7) != NULL,
	    "a person is warned");
	CHECK(memmem(warnings.p, warnings.n, "text", 4) == NULL,
	    "and no secret is said");
	buf_free(&warnings);
	routes_free(all);
	conf_free(c);
	bundle_free(b);
}

/* As providers publish them; the first is of TrueLayer's own tests. */
static void
test_jwks(void)
{
	static const struct { const char *says, *jwk; int type; } t[] = {
		{ "a number without its leading zero", "{'kty':'EC','alg':'ES512',"
		    "'crv':'P-521','x':'oLuW4nFqoUuR8d7FVsUoI62libYdQlWGtLStnqdudLY9"
		    "2bQ0ra5eZAbkunrGTR9-w9mr4o2Etyb6pC7YB2-23WM','y':'AX1cjkGMilti"
		    "kPrkX49qwuJDdcETaTsj-kyFP8jsF9W5XAB3Z4tBiQtc72DQnJYeKyAV_T6qZTt"
		    "FKFr-Tp4iu-j7'}", KEY_P521 },
		{ "the same with it", "{'kty':'EC','crv':'P-521','x':'AKC7luJxaqFL"
		    "kfHexVbFKCOtpYm2HUJVhrS0rZ6nbnS2Pdm0NK2uXmQG5Lp6xk0ffsPZq-KNhLcm"
		    "-qQu2Advtt1j','y':'AX1cjkGMiltikPrkX49qwuJDdcETaTsj-kyFP8jsF9W5"
		    "XAB3Z4tBiQtc72DQnJYeKyAV_T6qZTtFKFr-Tp4iu-j7'}", KEY_P521 },
		{ "one of P-256", "{'kty':'EC','crv':'P-256','use':'sig','x':"
		    "'hKXLGIjWvCBv-cP5euCTxl8g9GLG9zHo_3pO5NN1DwQ','y':"
		    "'shhexqPB7YffGn6fR6h2UhTSuCtPmfzQJ6ENVIoO4Ys'}", KEY_P256 },
		{ "a number too short to be of the curve", "{'kty':'EC','crv':'P-256',"
		    "'x':'hKXL','y':'shhexqPB7YffGn6fR6h2UhTSuCtPmfzQJ6ENVIoO4Ys'}",
		    -1 },
		{ "a number too long", "{'kty':'EC','crv':'P-256','x':"
		    "'AISlyxiI1rwgb_nD-XrgpcZfIPRixvcx6P96TuTTdQ8E','y':"
		    "'shhexqPB7YffGn6fR6h2UhTSuCtPmfzQJ6ENVIoO4Ys'}", -1 },
		{ "Ed25519", "{'kty':'OKP','crv':'Ed25519','x':"
		    "'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'}", KEY_ED25519 },
		{ "Ed25519 cut short", "{'kty':'OKP','crv':'Ed25519','x':"
		    "'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ'}", -1 },
		{ "a secret", "{'kty':'oct','k':'AQAB'}", -1 },
		{ "one to encrypt with", "{'kty':'EC','crv':'P-256','use':'enc','x':"
		    "'hKXLGIjWvCBv-cP5euCTxl8g9GLG9zHo_3pO5NN1DwQ','y':"
		    "'shhexqPB7YffGn6fR6h2UhTSuCtPmfzQJ6ENVIoO4Ys'}", -1 },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e = { .text = "" };
		struct pubkey *k;

		arena_reset(arena);
		k = pubkey_jwk(quotes(t[i].jwk), &e);
		CHECKF((k != NULL ? (int)pubkey_type(k) : -1) == t[i].type,
		    "%s: %s", t[i].says, k != NULL ? "is a key" : e.text);
		pubkey_free(k);
	}
}

/* The log says what the alternative says that the token is for. */
static void
test_reasons(void)
{
	static const char file[] = "{'signature':[{'header':'X-T','algorithm':"
	    "'jws-hs256'},{'header':'X-T','algorithm':'jws-hs384'},{'header':'X-T',"
	    "'algorithm':'jws-hs512'}]}";
	static const struct { const char *header, *reason; } t[] = {
		{ "X-T: eyJhbGciOiJIUzI1NiJ9.e30.AAAA", "no secret matched" },
		{ "X-T: eyJhbGciOiJIUzM4NCJ9.e30.AAAA", "no secret matched" },
		{ "X-T: eyJhbGciOiJIUzUxMiJ9.e30.AAAA", "no secret matched" },
		{ "X-T: eyJhbGciOiJub25lIn0.e30.", "the token is signed with another "
		    "algorithm than the file's" },
		{ "X-T: eyJhbGciOiJIUzI1NiJ9.e30", "it is no token of three parts" },
	};
	static const struct str name = STR("one"), text = STR("secret");
	struct hook hook = { .path = STR("/hook"), .window = -1 };
	struct provider *p;
	struct route *r;
	struct err e;

	arena_reset(arena);
	p = own_provider(file);
	r = route_new(p, &hook, &name, &text, 1, NULL, &e);
	for (size_t i = 0; r != NULL && i < COUNT(t); i++) {
		struct request q;
		struct verdict v;

		make_request(&q, t[i].header, NULL, NULL);
		v = auth_verify(r, &q, NULL, T);
		CHECKF(v.code == VERDICT_FORGED && strcmp(v.reason,
		    t[i].reason) == 0, "%s: \"%s\", not \"%s\"", t[i].header,
		    t[i].reason, v.reason);
	}
	CHECK(r != NULL, "the file can be used");
	route_free(r);
	provider_free(p);
}

/* What cannot be changed without breaking the signature. */
static void
test_covers(void)
{
	static const struct { const char *says, *file; bool body; } t[] = {
		{ "a hash of the body in a token", "{'signature':{'header':'X-T',"
		    "'algorithm':'jws-hs256','also':[{'place':'claim:h','equals':"
		    "'{sha256hex(body)}'}]}}", true },
		{ "one that may not be there", "{'signature':{'header':'X-T',"
		    "'algorithm':'jws-hs256','also':[{'place':'claim:h','equals':"
		    "'{sha256hex(body)}','optional':true}]}}", false },
		{ "a hash of the body in a header that is not signed", "{'signature':"
		    "{'header':'X-T','algorithm':'jws-hs256','also':[{'place':"
		    "'header:X-Hash','equals':'{sha256hex(body)}'}]}}", false },
		{ "a token that says nothing of it", "{'signature':{'header':'X-T',"
		    "'algorithm':'jws-hs256'}}", false },
		{ "the same, for requests without a body", "{'signature':{'header':"
		    "'X-T','algorithm':'jws-hs256','when':{'body':false}}}", true },
		{ "the same, for requests with one", "{'signature':{'header':'X-T',"
		    "'algorithm':'jws-hs256','when':{'body':true}}}", false },
		{ "a token that is the body", "{'signature':{'body':'.',"
		    "'algorithm':'jws-hs256'}}", true },
		{ "a token with text around it that is", "{'signature':{'body':'.',"
		    "'form':'jwt={sig}','algorithm':'jws-hs256'}}", true },
		{ "a token inside of the body", "{'signature':{'body':'.->t',"
		    "'algorithm':'jws-hs256'}}", false },
		{ "a token beside something else", "{'signature':{'body':'.','form':"
		    "'{other}&jwt={sig}','algorithm':'jws-hs256'}}", false },
		{ "a token in a list", "{'signature':{'body':'.','form':'{sig}',"
		    "'list':',','algorithm':'jws-hs256'}}", false },
		{ "a hash of the body or nothing", "{'signature':{'header':'X-T',"
		    "'algorithm':'jws-hs256','also':[{'place':'claim:h','equals':"
		    "['{sha256hex(body)}','none']}]}}", false },
		{ "one of two hashes of the body", "{'signature':{'header':'X-T',"
		    "'algorithm':'jws-hs256','also':[{'place':'claim:h','equals':"
		    "['{sha256hex(body)}','{sha512hex(body)}']}]}}", true },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct provider *p = own_provider(t[i].file);

		CHECKF(((p->signatures[0].covers & COVERS_BODY) != 0) == t[i].body,
		    "%s: the body is %scovered", t[i].says,
		    t[i].body ? "" : "not ");
		provider_free(p);
	}
}

/* A key of one kind is never used as one of another. */
static void
test_confusion(void)
{
	static const char file[] = "{'signature':[{'header':'X-Sig','algorithm':"
	    "'hmac-sha256'},{'header':'X-Key','form':'{sig:hex}','algorithm':"
	    "'ed25519'}]}";
	static const struct str name = STR("one");
	struct str text = STR("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f7"
	    "07511a");
	struct texts params[PARAM_COUNT] = { [PARAM_PUBLIC_KEY] = { &text, 1 } };
	struct hook hook = { .path = STR("/hook"), .window = -1 };
	unsigned char out[HASH_MAX];
	struct provider *p;
	struct route *r;
	struct request q;
	struct mac *m;
	struct err e;
	struct str body = STR(B);

	arena_reset(arena);
	p = own_provider(file);
	/* An HMAC made with the public key, which everybody knows. */
	m = mac_new(HASH_SHA256, text);
	mac_pieces(m, &body, 1, out);
	mac_free(m);
	r = route_new(p, &hook, NULL, NULL, 0, params, &e);
	CHECK(r != NULL, "a public key alone is enough");
	make_request(&q, arena_printf(arena, "X-Sig: %.*s", STR_ARG(hex_encode(arena,
	    (struct str){ (char *)out, 32 }, false))).p, NULL, NULL);
	CHECK(auth_verify(r, &q, NULL, T).code == VERDICT_FORGED,
	    "a public key is never a shared secret");
	route_free(r);
	r = route_new(p, &hook, &name, &text, 1, NULL, &e);
	make_request(&q, "X-Key: 00", NULL, NULL);
	CHECK(r != NULL && auth_verify(r, &q, NULL, T).code == VERDICT_FORGED,
	    "a shared secret is never a public key");
	route_free(r);
	CHECK(route_new(p, &hook, NULL, NULL, 0, NULL, &e) == NULL,
	    "neither is not enough");
	provider_free(p);
}

/* --- where keys are fetched from --------------------------------------------------- */

/* The URL that is made of a name by a file's rule, or NULL. */
static const char *
key_url(const char *rule, const char *name)
{
	struct str text = quotes(rule);
	struct err e;
	struct json_doc *doc = json_read(text, "a rule", &e);
	struct buf url = BUF(4 * KEY_URL_LEN);
	struct key_source k;
	const char *why, *made = NULL;

	if (doc != NULL &&
	    key_source_read(&k, doc, json_root(doc), arena, &e) == 0 &&
	    key_source_url(&k, NULL, str_of(name), &url, &why))
		made = arena_printf(arena, "%.*s", STR_ARG(buf_str(&url))).p;
	buf_free(&url);
	json_close(doc);
	return made;
}

static void
test_key_urls(void)
{
	static const char *const named = "{'url':'{key}','hosts':["
	    "'keys.*.example.com'],'path':'/certs/one-*.pem'}";
	static const char *const inside = "{'url':'https://keys.example.com{key}',"
	    "'name':'header:X-Key'}";
	static const struct {
		const char *says, *name;
		bool fits;
	} t[] = {
		{ "the URL", "https://keys.eu.example.com/certs/one-1.pem", true },
		{ "another host", "https://evil.example/certs/one-1.pem", false },
		{ "a host that goes on", "https://keys.eu.example.com.evil.example"
		    "/certs/one-1.pem", false },
		{ "two labels for a star", "https://keys.a.b.example.com"
		    "/certs/one-1.pem", false },
		{ "a host in capitals", "https://KEYS.eu.example.com"
		    "/certs/one-1.pem", false },
		{ "a user", "https://keys.eu.example.com@evil.example"
		    "/certs/one-1.pem", false },
		{ "a port", "https://keys.eu.example.com:8443/certs/one-1.pem",
		    false },
		{ "without TLS", "http://keys.eu.example.com/certs/one-1.pem",
		    false },
		{ "another path", "https://keys.eu.example.com/one-1.pem", false },
		{ "a way up", "https://keys.eu.example.com/certs/one-/../../x.pem",
		    false },
		{ "a hidden way up", "https://keys.eu.example.com"
		    "/certs/one-%2e%2e/%2e%2e/x.pem", false },
		{ "a query for a star", "https://keys.eu.example.com"
		    "/certs/one-?do=echo&text=x.pem", false },
		{ "a fragment", "https://keys.eu.example.com/certs/one-#.pem",
		    false },
	};

	static const struct {
		const char *rule, *host;
		bool fits;
	} hosts[] = {
		{ "a.*.b", "a.x.b", true },
		{ "a.*.b", "a..b", false },
		{ "a.*.b", "a.b", false },
		{ "a.*.b", "a.x.y.b", false },
		{ "a.us-*.b", "a.us-1.b", true },
		{ "a.us-*.b", "a.us-.b", false },
		{ "a.us-*.b", "a.s3-us-1.b", false },
		{ "a.us-*.b", "a.us-1.x.b", false },
		{ "a.us-*.b", "a.us-1", false },
		{ "a.*-1.b", "a.us-1.b", true },
		{ "a.*-1.b", "a.-1.b", false },
		{ "a.u*1.b", "a.u1.b", false },
		{ "a.b", "a.b.", false },
		{ "a.b", ".a.b", false },
		{ "a.b", "A.b", false },
		{ "a.b", "", false },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		const char *url = key_url(named, t[i].name);

		CHECKF((url != NULL) == t[i].fits, "a key's URL: %s", t[i].says);
	}
	for (size_t i = 0; i < COUNT(hosts); i++)
		CHECKF((key_url(arena_printf(arena, "{'url':'{key}','hosts':['%s'],"
		    "'path':'/*'}", hosts[i].rule).p, arena_printf(arena,
		    "https://%s/k", hosts[i].host).p) != NULL) == hosts[i].fits,
		    "a host: %s for %s", hosts[i].host, hosts[i].rule);
	CHECK(key_url("{'url':'{key}','hosts':['keys.example.com'],'path':"
	    "'/key?id=*'}", "https://keys.example.com/key?id=1") != NULL,
	    "a query that the file itself begins");
	CHECK(key_url(inside, "/prod/key.pem") != NULL, "a path is a key's name");
	CHECK(key_url(inside, ".evil.example/key.pem") == NULL &&
	    key_url(inside, "@evil.example/key.pem") == NULL &&
	    key_url(inside, "/prod/../key.pem") == NULL &&
	    key_url(inside, "/prod/key.pem?x=1") == NULL,
	    "and stays behind the host");
	CHECK(key_url("{'url':'https://keys.example.com/k/{key}','name':'header:K'}",
	    "a") != NULL && key_url("{'url':'https://keys.example.com/k/{key}',"
	    "'name':'header:K'}", "/a") == NULL, "no segment is empty");
	CHECK(key_url("{'url':'https://keys.example.com/k/{key}','name':'header:K'}",
	    "a.b") != NULL && key_url("{'url':'https://keys.example.com/k/{key}',"
	    "'name':'header:K'}", ".") == NULL && key_url("{'url':'{key}','hosts':["
	    "'keys.example.com'],'path':'/k/*'}", "https://keys.example.com/k/.") ==
	    NULL, "nor one that is a dot");
}

int
main(void)
{
	arena = arena_new(8 * 1024 * 1024);
	test_refused_files();
	test_verdicts();
	test_windows();
	test_keys();
	test_bad_keys();
	test_rsa_armour();
	test_jwks();
	test_key_signatures();
	test_handshakes();
	test_stored_handshakes();
	test_oracle_prefix();
	test_oracle_whole();
	test_repeated();
	test_ids();
	test_body_ids();
	test_merge();
	test_stored();
	test_refused_routes();
	test_routes();
	test_covers();
	test_reasons();
	test_confusion();
	test_key_urls();
	arena_free(arena);
	TEST_END("auth");
}
