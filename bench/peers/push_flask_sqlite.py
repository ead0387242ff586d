"""push_flask_sqlite.py - the same, and kept before the 200: one commit for each.

BENCH_DATABASE names the file.  WAL and synchronous=FULL: a commit returns when
its log is synced, as hooklatch's does.
"""
import os
import sqlite3
import threading

from flask import Flask, request

from push_flask import genuine

app = Flask(__name__)
mine = threading.local()


def database():
    if not hasattr(mine, "db"):
        mine.db = sqlite3.connect(os.environ["BENCH_DATABASE"], timeout=30, isolation_level=None)
        mine.db.execute("PRAGMA journal_mode=WAL")
        mine.db.execute("PRAGMA synchronous=FULL")
        mine.db.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, body BLOB)")
    return mine.db


@app.route("/hooks/github", methods=["POST"])
def index():
    if not genuine():
        return ("Unauthorized", 401)
    request.get_json()
    database().execute(
        "INSERT OR IGNORE INTO events VALUES (?, ?)",
        (request.headers["X-GitHub-Delivery"], request.get_data()),
    )
    return ("", 200)
