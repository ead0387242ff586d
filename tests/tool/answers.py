#!/usr/bin/env python3
"""answers.py PORT FILE - a receiver that answers in every way there is.

The path says how.  Each request is a line of FILE: its path and the event's id; so a
test sees what was asked and how often.  Answers hold a number that counts up, so two
of them are never alike.
"""

import http.server
import itertools
import sys
import time

PORT, FILE = int(sys.argv[1]), sys.argv[2]
COUNT = itertools.count(1)


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(FILE, "a") as f:
            print(self.path, self.headers.get("Hooklatch-Event"), file=f)
        text = b'{"text":"answer %d to %d bytes"}' % (next(COUNT), len(body))
        json = [("Content-Type", "application/json; charset=utf-8")]
        if self.path == "/taken":
            self.say(204, b"")
        elif self.path == "/refused":
            self.say(500, text, json)
        elif self.path == "/answer":
            self.say(200, text, json + [("Content-Language", "de")])
        elif self.path == "/headers":
            self.say(200, text, json + [("Set-Cookie", "session=stolen"),
                ("X-Accel-Redirect", "/health"), ("X-Accel-Expires", "60"),
                ("X-Accel-Buffering", "no"), ("Location", "https://example.com/")])
        elif self.path == "/hang":
            time.sleep(60)
        elif self.path == "/long":
            self.say(200, b"x" * 65537, json)
        elif self.path == "/full":
            self.say(200, b"x" * 65536, [("Content-Type", "text/plain")])
        elif self.path == "/packed":
            self.say(200, text, json + [("Content-Encoding", "gzip")])
        elif self.path == "/secret":
            self.say(200, b"you said " + self.headers["Authorization"].encode(), json)
        elif self.path == "/redirect":
            self.say(302, b"", [("Location", "/answer")])
        elif self.path == "/garbage":
            self.wfile.write(b"\0\1\2 this is no HTTP\r\n\r\n")
            self.close_connection = True

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Answers).serve_forever()
