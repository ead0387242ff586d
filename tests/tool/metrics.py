#!/usr/bin/python3
# metrics.py - reads Prometheus' text with the parser of its own client library and
# prints one sample a line, "NAME{LABEL=VALUE,...} NUMBER", labels in their order by
# name.  What the parser takes and the format forbids is an error here: a series that
# comes twice, a histogram that goes down, a family without its help.
#
# usage: metrics.py [--not-less OLD] <TEXT
#   --not-less OLD   and no counter is less than in OLD, which this program printed

import sys

from prometheus_client.parser import text_string_to_metric_families


def fail(*words):
    sys.exit("metrics: " + " ".join(str(w) for w in words))


def name_of(sample):
    labels = ",".join("%s=%s" % kv for kv in sorted(sample.labels.items()))
    return sample.name + ("{" + labels + "}" if labels else "")


def check_histogram(family):
    before = {}
    for s in family.samples:
        if not s.name.endswith("_bucket"):
            continue
        key = tuple(sorted((k, v) for k, v in s.labels.items() if k != "le"))
        bound, count = before.get(key, (float("-inf"), 0))
        if float(s.labels["le"]) <= bound or s.value < count:
            fail("a bucket goes down:", name_of(s))
        before[key] = (float(s.labels["le"]), s.value)
    if any(bound != float("inf") for bound, _ in before.values()):
        fail("no bucket +Inf:", family.name)


samples, counters = {}, set()
for family in text_string_to_metric_families(sys.stdin.read()):
    if family.type == "unknown" or not family.documentation:
        fail("a family without type or help:", family.name)
    if family.type == "histogram":
        check_histogram(family)
    for s in family.samples:
        name = name_of(s)
        if name in samples:
            fail("twice:", name)
        samples[name] = s.value
        if family.type != "gauge":
            counters.add(name)

if len(sys.argv) == 3 and sys.argv[1] == "--not-less":
    with open(sys.argv[2]) as old:
        for line in old:
            name, value = line.rstrip("\n").rsplit(" ", 1)
            # a gauge may; what is gone was one that went to 0
            if name in counters and samples[name] < float(value):
                fail("it went down:", name, value, samples[name])
            if name not in samples and "_total" in name:
                fail("it is gone:", name)

for name in sorted(samples):
    print(name, "%.15g" % samples[name])
