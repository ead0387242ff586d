"""push_flask.py - the guide's Flask example, for a GitHub push.

The same lines, with an HMAC where the guide compares a secret in a header.
"""
import hashlib
import hmac
import os

from flask import Flask, request

app = Flask(__name__)
secret = os.environ["BENCH_SECRET"].encode()


def genuine():
    expected = "sha256=" + hmac.new(secret, request.get_data(), hashlib.sha256).hexdigest()
    given = request.headers.get("X-Hub-Signature-256", "")
    return hmac.compare_digest(expected.encode(), given.encode())


@app.route("/hooks/github", methods=["POST"])
def index():
    if not genuine():
        return ("Unauthorized", 401)
    request.get_json()  # 400 where it is none
    return ("", 200)
