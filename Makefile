# hooklatch: three programs and their tests.
#
#   make                 the programs, in build/
#   make check           unit tables, examples of every provider, layers
#   make test            everything (script/test: web servers, kills, faults)
#   make fuzz            every fuzz target for FUZZ_SECONDS (default 600) each
#   make soak            the long kill test
#   make install         to $(DESTDIR)$(PREFIX)
#   make SAN=1 BUILD=build/san ...   the same under ASan and UBSan

VERSION	= 0.1.0
PREFIX	= /usr/local
BUILD	= build
CC	= gcc

WARN	= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	  -Wconversion -Wno-sign-conversion -Wpointer-arith -Wwrite-strings
HARDEN	= -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	  -D_FORTIFY_SOURCE=2 -fPIE
CFLAGS	= -O2 -g
LDFLAGS	=
ifdef SAN
CFLAGS	= -O1 -g -fno-omit-frame-pointer
HARDEN	= -fsanitize=address,undefined -fno-sanitize-recover=all -fPIE
LDFLAGS	+= -fsanitize=address,undefined
endif
WITH	=			# macros of one build: see built() in tests/lib.sh
ALL_CFLAGS  = -std=c11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -I. $(WARN) $(HARDEN) $(CFLAGS) $(WITH)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)

# Engines that can be the inbox: each a file, built where its library is there.
has	= $(shell echo '\#include <$(1)>' | $(CC) -E - >/dev/null 2>&1 && echo yes)
ENGINES	=
ENGINE_LIBS =
ifeq ($(call has,hiredis/hiredis.h),yes)
ENGINES	+= courier/engine_redis
ENGINE_LIBS += -lhiredis
endif
ifeq ($(call has,nats/nats.h),yes)
ENGINES	+= courier/engine_nats
ENGINE_LIBS += -lnats
endif
ifeq ($(call has,librdkafka/rdkafka.h),yes)
ENGINES	+= courier/engine_kafka
ENGINE_LIBS += -lrdkafka
endif

# What each program is made of.  The lists are the map: the road never holds
# the courier, the courier never holds FastCGI.
BASE	= base/arena base/buf base/codec base/digest base/err base/json \
	  base/log base/os base/sign base/str base/trace base/when
WALL	= event wire bundle letter service service_texts engine_url key_source stats \
	  conf conf_keys conf_values conf_objects conf_print conf_place
# The leaves of judging know keys and bytes only.
LEAVES	= auth_mac auth_key auth_static auth_jws auth_cert auth_cipher
JUDGE	= $(LEAVES) request body template condition reply answer \
	  provider provider_words provider_signature provider_answer deliver \
	  route keyring auth auth_keys auth_look auth_event handshake
PROVIDERS = provider_find provider_texts
ROAD	= frame handler link lacking counted lines pool fcgi_main
COURIER	= courier/main courier/door courier/store_sqlite courier/batch courier/bodies \
	  courier/inbox courier/repeat_key courier/seen courier/gather courier/retention \
	  courier/checkpoint courier/reader courier/reader_deliveries \
	  courier/half courier/transfer courier/keys courier/vault \
	  courier/captured courier/quarantine courier/errands \
	  courier/ledger courier/delivery courier/asking courier/attempt \
	  courier/exec courier/google courier/oauth1 courier/http courier/totals \
	  courier/engine courier/claim courier/engine_pubsub $(ENGINES)
# Requests made, not judged: in the tool and the tests, never in the handler.
SAMPLE	= auth_sign forge provider_examples provider_schema \
	  provider_trial sent
CLI	= cli/main cli/serve cli/rundir cli/probe cli/webserver cli/check \
	  cli/providers cli/catalog cli/describe cli/asked cli/events cli/deliveries cli/capture cli/stats cli/explain cli/dump cli/rewrite cli/sample cli/send cli/sign $(SAMPLE)

obj	= $(addprefix $(BUILD)/obj/,$(addsuffix .o,$(1)))

PROGRAMS = $(BUILD)/hooklatch.fcgi $(BUILD)/hooklatch-courier $(BUILD)/hooklatch

all: $(PROGRAMS)

$(BUILD)/hooklatch.fcgi: $(call obj,$(ROAD) $(JUDGE) $(WALL) $(BASE) $(PROVIDERS))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lfcgi -ljson-c -lcrypto
$(BUILD)/hooklatch-courier: $(call obj,$(COURIER) $(WALL) $(BASE) $(PROVIDERS))
	$(CC) $(ALL_LDFLAGS) -pthread -o $@ $^ -lsqlite3 -lcurl -ljson-c -lcrypto \
	    $(ENGINE_LIBS)
$(BUILD)/hooklatch: $(call obj,$(CLI) $(JUDGE) $(WALL) $(BASE) $(PROVIDERS))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcurl -ljson-c -lcrypto

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/obj/courier/%.o: ALL_CFLAGS += -pthread

# The providers' files, and the services', become one C table of texts each.
$(BUILD)/provider_texts.c: script/embed-providers $(wildcard providers/*.json)
	@mkdir -p $(@D)
	script/embed-providers providers/*.json > $@.new && mv $@.new $@
$(BUILD)/service_texts.c: script/embed-providers $(wildcard services/*.json)
	@mkdir -p $(@D)
	script/embed-providers --services services/*.json > $@.new && mv $@.new $@
$(BUILD)/obj/service_texts.o: $(BUILD)/service_texts.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<
$(BUILD)/obj/provider_texts.o: $(BUILD)/provider_texts.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# --- tests -------------------------------------------------------------------
UNIT	= base json conf service frame request wire inbox providers repeats auth \
	  handler webserver keys parked aside seen fetch exec letter oauth1 stats ledger \
	  delivery deliver lines
UNIT_BINS = $(addprefix $(BUILD)/tests/test_,$(UNIT))
FUZZ	= frame request conf provider wire signature json token source place \
	  dump rewrite letter stats plain

$(BUILD)/tests/test_%: tests/unit/test_%.c tests/unit/test.h \
    $(call obj,frame handler link counted $(SAMPLE) $(JUDGE) $(WALL) $(BASE) $(PROVIDERS))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto
$(BUILD)/tests/test_inbox: tests/unit/test_inbox.c tests/unit/test.h \
    $(call obj,courier/inbox courier/ledger courier/repeat_key courier/seen courier/gather \
    courier/bodies courier/retention $(WALL) $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pthread -o $@ $< $(filter %.o,$^) \
	    -lsqlite3 -ljson-c -lcrypto

$(BUILD)/tests/test_ledger: tests/unit/test_ledger.c tests/unit/test.h \
    $(call obj,courier/inbox courier/ledger courier/repeat_key courier/seen courier/gather \
    courier/bodies courier/retention $(WALL) $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pthread -o $@ $< $(filter %.o,$^) \
	    -lsqlite3 -ljson-c -lcrypto

$(BUILD)/tests/test_delivery: tests/unit/test_delivery.c tests/unit/test.h \
    $(call obj,courier/delivery courier/asking courier/batch courier/checkpoint courier/retention \
    courier/bodies courier/inbox courier/ledger courier/repeat_key courier/seen courier/gather \
    courier/half courier/attempt courier/exec courier/http courier/google courier/oauth1 \
    courier/transfer \
    courier/store_sqlite courier/totals $(WALL) $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pthread -o $@ $< $(filter %.o,$^) \
	    -lsqlite3 -lcurl -ljson-c -lcrypto

$(BUILD)/tests/test_repeats: tests/unit/test_repeats.c tests/unit/test.h \
    $(call obj,courier/inbox courier/ledger courier/repeat_key courier/seen courier/gather \
	courier/bodies courier/retention \
	$(SAMPLE) $(JUDGE) $(WALL) $(BASE) $(PROVIDERS))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pthread -o $@ $< $(filter %.o,$^) \
	    -lsqlite3 -ljson-c -lcrypto

$(BUILD)/tests/test_aside: tests/unit/test_aside.c tests/unit/test.h \
    $(call obj,courier/captured courier/quarantine courier/errands courier/bodies \
    courier/inbox courier/ledger courier/repeat_key courier/seen courier/gather $(WALL) $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pthread -Wl,--wrap=fsync -o $@ $< \
	    $(filter %.o,$^) -lsqlite3 -ljson-c -lcrypto

$(BUILD)/tests/test_lines: tests/unit/test_lines.c tests/unit/test.h $(call obj,lines $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto

$(BUILD)/tests/test_seen: tests/unit/test_seen.c tests/unit/test.h courier/seen.c courier/seen.h \
    $(call obj,$(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -lsqlite3 -ljson-c -lcrypto

$(BUILD)/tests/test_fetch: tests/unit/test_fetch.c tests/unit/test.h \
    $(call obj,courier/keys courier/half courier/transfer $(WALL) $(BASE) $(PROVIDERS))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pthread -Wl,--wrap=when_steady -o $@ $< \
	    $(filter %.o,$^) -lcurl -ljson-c -lssl -lcrypto

$(BUILD)/tests/test_oauth1: tests/unit/test_oauth1.c tests/unit/test.h \
    $(call obj,courier/oauth1 $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto

$(BUILD)/tests/test_exec: tests/unit/test_exec.c tests/unit/test.h \
    $(call obj,courier/exec courier/attempt $(WALL) $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pthread -o $@ $< $(filter %.o,$^) \
	    -ljson-c -lcrypto

$(BUILD)/tests/test_letter: tests/unit/test_letter.c tests/unit/test.h \
    $(call obj,letter event $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto

$(BUILD)/tests/test_conf: tests/unit/test_conf.c tests/unit/test.h \
    $(call obj,$(WALL) $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto

$(BUILD)/tests/test_service: tests/unit/test_service.c tests/unit/test.h \
    $(call obj,$(WALL) $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto

$(BUILD)/tests/test_webserver: tests/unit/test_webserver.c tests/unit/test.h \
    $(call obj,cli/webserver $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto

# Tools of the scripts in tests/: see the comment at the top of each.
TOOL_BINS = $(addprefix $(BUILD)/tests/,sender torture unframed putter judge \
	    wycheproof poster road)

$(BUILD)/tests/sender: tests/tool/sender.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -lcrypto
$(BUILD)/tests/putter: tests/tool/putter.c $(call obj,wire event $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto
$(BUILD)/tests/judge: tests/tool/judge.c \
    $(call obj,$(SAMPLE) $(JUDGE) $(WALL) $(BASE) $(PROVIDERS))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto
$(BUILD)/tests/wycheproof: tests/tool/wycheproof.c $(call obj,$(LEAVES) $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto
$(BUILD)/tests/poster: tests/tool/poster.c \
    $(call obj,courier/attempt courier/google courier/oauth1 courier/http courier/transfer $(WALL) \
    $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pthread -o $@ $< $(filter %.o,$^) -lcurl \
	    -ljson-c -lcrypto
$(BUILD)/tests/road: tests/tool/road.c $(call obj,frame $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto
$(BUILD)/tests/torture: tests/tool/torture.c tests/unit/test.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $<
$(BUILD)/tests/unframed: tests/tool/unframed.c \
    $(call obj,handler link counted $(JUDGE) $(WALL) $(BASE) $(PROVIDERS))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -lfcgi \
	    -ljson-c -lcrypto

# Fuzz targets: script/fuzz makes them, with clang.
$(BUILD)/fuzz/%: tests/fuzz/fuzz_%.c \
    $(call obj,frame handler link counted sent cli/dump cli/rewrite $(JUDGE) \
    $(WALL) $(BASE) $(PROVIDERS))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(ALL_LDFLAGS) -o $@ $< \
	    $(filter %.o,$^) -ljson-c -lcrypto

tests: $(UNIT_BINS) $(TOOL_BINS)

check: $(UNIT_BINS)
	@for t in $(UNIT_BINS); do $$t || exit 1; done

test:
	script/test

FUZZ_SECONDS = 600
fuzz:
	script/fuzz $(FUZZ_SECONDS) $(FUZZ)

soak: all
	tests/kill.sh --kills 200 --events 100000

# What a batch costs, without sockets: see the comment at its top.
$(BUILD)/bench/inbox-commit: bench/inbox-commit.c \
    $(call obj,courier/inbox courier/ledger courier/repeat_key courier/seen courier/gather courier/checkpoint \
    wire event $(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pthread -o $@ $< $(filter %.o,$^) \
	    -lsqlite3 -ljson-c -lcrypto

$(BUILD)/bench/json-scan: bench/json-scan.c $(call obj,$(BASE))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %.o,$^) -ljson-c -lcrypto

# What script/bench compares with: the road that judges nothing, the courier that
# commits each event alone, peers in C, and tools of the tests with other libraries.
$(BUILD)/obj/bench/fcgi_main.o: fcgi_main.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DBENCH_NULL -MMD -MP -c -o $@ $<
$(BUILD)/bench/ceiling: $(call obj,bench/fcgi_main $(filter-out fcgi_main,$(ROAD)) \
    $(JUDGE) $(WALL) $(BASE) $(PROVIDERS))
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lfcgi -ljson-c -lcrypto
ONE	= courier/batch courier/engine courier/engine_pubsub
$(BUILD)/obj/bench/courier/%.o: courier/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -pthread -DBENCH_ONE_COMMIT -MMD -MP -c -o $@ $<
$(BUILD)/bench/one-commit: $(call obj,$(addprefix bench/,$(ONE)) \
    $(filter-out $(ONE),$(COURIER)) $(WALL) $(BASE) $(PROVIDERS))
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -pthread -o $@ $^ -lsqlite3 -lcurl -ljson-c -lcrypto \
	    $(ENGINE_LIBS)
$(BUILD)/bench/null_fcgi $(BUILD)/bench/classic_fcgi: $(BUILD)/bench/%: bench/peers/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -O2 -Wall -Wextra -o $@ $< -lfcgi -ljson-c -lcrypto
$(BUILD)/bench/nats $(BUILD)/bench/kafka: $(BUILD)/bench/%: tests/tool/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -O2 -Wall -Wextra -o $@ $< $(if $(filter nats,$*),-lnats,-lrdkafka)

# --- install -----------------------------------------------------------------
D	= $(DESTDIR)$(PREFIX)
install: all
	install -d $(D)/bin $(D)/lib/hooklatch $(D)/share/hooklatch \
	    $(D)/share/man/man1 $(D)/share/man/man5 $(D)/share/man/man8
	install -m 755 $(BUILD)/hooklatch $(D)/bin/
	install -m 755 $(BUILD)/hooklatch.fcgi $(BUILD)/hooklatch-courier \
	    $(D)/lib/hooklatch/
	install -m 644 man/*.1 $(D)/share/man/man1/
	install -m 644 man/*.5 $(D)/share/man/man5/
	install -m 644 man/*.8 $(D)/share/man/man8/
	cp -R nginx apache systemd examples cloudrun $(D)/share/hooklatch/

clean:
	rm -rf $(BUILD)

.PHONY: all tests check test fuzz soak install clean
.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
