#!/usr/bin/python3
"""cloudrun.py - reads a service.yaml as Cloud Run would.

    cloudrun.py check FILE CONF NGINX_CONF   one sentence for each thing that is wrong
    cloudrun.py containers FILE              its containers, the one with the port last
    cloudrun.py podman FILE CONTAINER DIR    the arguments of "podman run" for one, NUL after
                                             each: environment, volumes (DIR/VOLUME), memory,
                                             user's command, image, arguments

check goes by the fields of Knative's Service (serving.knative.dev/v1) that Cloud Run takes,
https://cloud.google.com/run/docs/reference/yaml/v1, and by what our programs read: the
configuration CONF, and nginx's.
"""
import json
import os
import re
import sys

import yaml

RESOURCES = {"limits": {"cpu": str, "memory": str}}
PROBE = {
    "httpGet": {"path": str, "port": int},
    "tcpSocket": {"port": int},
    "initialDelaySeconds": int, "periodSeconds": int, "timeoutSeconds": int,
    "failureThreshold": int,
}
CONTAINER = {
    "name": str, "image": str, "command": [str], "args": [str],
    "ports": [{"name": str, "containerPort": int}],
    "env": [{"name": str, "value": str,
             "valueFrom": {"secretKeyRef": {"name": str, "key": str}}}],
    "resources": RESOURCES, "startupProbe": PROBE, "livenessProbe": PROBE,
    "volumeMounts": [{"name": str, "mountPath": str}],
}
SERVICE = {
    "apiVersion": str, "kind": str,
    "metadata": {"name": str, "labels": {"*": str}, "annotations": {"*": str}},
    "spec": {
        "template": {
            "metadata": {"labels": {"*": str}, "annotations": {"*": str}},
            "spec": {
                "serviceAccountName": str, "containerConcurrency": int, "timeoutSeconds": int,
                "containers": [CONTAINER],
                "volumes": [{
                    "name": str,
                    "emptyDir": {"medium": str, "sizeLimit": str},
                    "secret": {"secretName": str, "items": [{"key": str, "path": str}]},
                }],
            },
        },
        "traffic": [{"percent": int, "latestRevision": bool}],
    },
}
# What annotations there are: of the service, and of a revision.
ANNOTATIONS = {
    "run.googleapis.com/ingress": r"all|internal|internal-and-cloud-load-balancing",
    "run.googleapis.com/cpu-throttling": r"true|false",
    "run.googleapis.com/startup-cpu-boost": r"true|false",
    "run.googleapis.com/execution-environment": r"gen1|gen2",
    "run.googleapis.com/container-dependencies": r"\{.*\}",
    "autoscaling.knative.dev/minScale": r"\d+",
    "autoscaling.knative.dev/maxScale": r"\d+",
}


def shape(value, wanted, where):
    """What of it is no field, or of another kind."""
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            yield f"{where} is no object"
            return
        for key, inner in value.items():
            if key not in wanted and "*" not in wanted:
                yield f"{where}.{key} is no field of Cloud Run's"
            else:
                yield from shape(inner, wanted.get(key, wanted.get("*")), f"{where}.{key}")
    elif isinstance(wanted, list):
        if not isinstance(value, list) or not value:
            yield f"{where} is no list with something in it"
            return
        for i, inner in enumerate(value):
            yield from shape(inner, wanted[0], f"{where}[{i}]")
    elif type(value) is not wanted:
        yield f"{where} is {value!r} and must be of the kind {wanted.__name__}"


def parts(service):
    spec = service["spec"]["template"]["spec"]
    return spec["containers"], {v["name"]: v for v in spec.get("volumes", [])}


def comments_off(text):
    return re.sub(r"^\s*//.*$|\s//\s.*$", "", text, flags=re.M)


def strings(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def check(service, conf, nginx_conf):
    yield from shape(service, SERVICE, "service")
    if service["apiVersion"] != "serving.knative.dev/v1" or service["kind"] != "Service":
        yield "it is no Service of serving.knative.dev/v1"
    template = service["spec"]["template"]
    for of in (service["metadata"], template["metadata"]):
        for name, value in of["annotations"].items():
            if not re.fullmatch(ANNOTATIONS.get(name, r"(?!)"), value):
                yield f"the annotation {name}: {value} is none"
    containers, volumes = parts(service)
    names = [c["name"] for c in containers]
    with_port = [c for c in containers if "ports" in c]
    if len(with_port) != 1 or len(with_port[0]["ports"]) != 1:
        yield "one container, and one alone, has the port"
        return
    port = with_port[0]["ports"][0]
    if port["name"] not in ("http1", "h2c"):
        yield f"the port's name {port['name']} is neither http1 nor h2c"
    if len(names) > 1 and not re.search(rf"^\s*listen {port['containerPort']}\b", nginx_conf, re.M):
        yield f"cloudrun.conf does not listen on {port['containerPort']}"

    health = conf.get("health", "/health")
    for c in containers:
        probe = c.get("startupProbe", {}).get("httpGet")
        if probe and (probe["path"] != health or probe["port"] != port["containerPort"]):
            yield f"{c['name']} is asked at {probe}, and health is {health}"
        if "livenessProbe" in c:
            yield f"{c['name']} has a liveness probe: see the comment in service.yaml"
        for mount in c.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"{c['name']} mounts {mount['name']}, which is no volume"
    if "startupProbe" not in with_port[0]:
        yield "the container with the port has no startup probe"
    if health.endswith("z"):
        yield "Google keeps paths that end in z for itself"

    after = json.loads(template["metadata"]["annotations"]
                       .get("run.googleapis.com/container-dependencies", "{}"))
    for name, others in after.items():
        for other in [name] + others:
            if other not in names:
                yield f"container-dependencies names {other}, which is no container"
    if len(names) > 1 and names[0] not in after:
        yield "nothing says which container is started first"

    # What hooklatch reads: each variable and each file is there, and no more.
    us = [c for c in containers if "--config" in c.get("args", [])]
    if len(us) != 1:
        yield "one container, and one alone, is hooklatch"
        return
    us = us[0]
    mounted = {m["mountPath"]: volumes[m["name"]] for m in us.get("volumeMounts", [])
               if m["name"] in volumes}
    files = {f"{path}/{item['path']}" for path, v in mounted.items()
             for item in v.get("secret", {}).get("items", [])}
    wanted_files = {s[len("file:"):] for s in strings(conf) if s.startswith("file:")}
    wanted_files.add(us["args"][us["args"].index("--config") + 1])
    wanted = {s[len("env:"):] for s in strings(conf) if s.startswith("env:")}
    given = {e["name"] for e in us.get("env", [])}
    for name in sorted(wanted - given):
        yield f"the variable {name} is read and not set"
    for name in sorted(given - wanted - {"GOOGLE_CLOUD_PROJECT"}):
        yield f"the variable {name} is set and not read"
    for name in sorted(wanted_files - files):
        yield f"the file {name} is read and not mounted"
    for name in sorted(files - wanted_files):
        yield f"the file {name} is mounted and not read"
    for e in us.get("env", []):
        if e["name"] in wanted and "valueFrom" not in e:
            yield f"{e['name']} is a secret and stands in the file"

    # All that is written lies in memory, in the one place that both share.
    for c in containers:
        run = [volumes[m["name"]] for m in c.get("volumeMounts", [])
               if m["mountPath"] == "/run/hooklatch" and m["name"] in volumes]
        if len(run) != 1 or run[0].get("emptyDir", {}).get("medium") != "Memory":
            yield f"{c['name']} has no volume in memory at /run/hooklatch"
    if len(names) > 1:
        args = us["args"]
        pid = re.search(r"^pid (\S+);", nginx_conf, re.M).group(1)
        if "--no-nginx" not in args or args[args.index("--behind") + 1] != pid:
            yield f"hooklatch does not wait for nginx's {pid}"


def podman(service, name, directory):
    containers, volumes = parts(service)
    c = next(c for c in containers if c["name"] == name)
    # K_SERVICE and its like are the platform's, and PORT is the ingress container's alone.
    out = ["-e", "K_SERVICE=" + service["metadata"]["name"], "-e", "K_REVISION=hooks-00001-abc",
           "-e", "K_CONFIGURATION=" + service["metadata"]["name"]]
    if "ports" in c:
        out += ["-e", f"PORT={c['ports'][0]['containerPort']}"]
    for e in c.get("env", []):
        # A secret's value is in the environment of whoever calls us.
        out += ["-e", f"{e['name']}={e['value']}" if "value" in e else e["name"]]
    for m in c.get("volumeMounts", []):
        mode = "rw" if "emptyDir" in volumes[m["name"]] else "ro"
        out += ["-v", f"{directory}/{m['name']}:{m['mountPath']}:{mode}"]
    out += ["--memory", c["resources"]["limits"]["memory"].replace("Mi", "m")]
    if "command" in c:
        out += ["--entrypoint", json.dumps(c["command"])]
    out.append(os.environ["IMAGE"])
    return out + c.get("args", [])


def main():
    with open(sys.argv[2], encoding="utf-8") as f:
        service = yaml.safe_load(f)
    if sys.argv[1] == "check":
        with open(sys.argv[3], encoding="utf-8") as f:
            conf = json.loads(comments_off(f.read()))
        with open(sys.argv[4], encoding="utf-8") as f:
            nginx_conf = f.read()
        for sentence in check(service, conf, nginx_conf):
            print(sentence)
    elif sys.argv[1] == "containers":
        for c in sorted(parts(service)[0], key=lambda c: "ports" in c):
            print(c["name"])
    else:
        sys.stdout.write("".join(a + "\0" for a in podman(service, sys.argv[3], sys.argv[4])))


main()
