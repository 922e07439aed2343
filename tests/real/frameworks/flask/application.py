"""The pages of the Flask site, and the web server of one of its machines: `application.py PORT`."""

import secrets
import sys
from wsgiref.simple_server import make_server

from flask import Flask, Response, abort, jsonify, request, session
from flask_session import Session

app = Flask(__name__)
app.config.from_object("memrep_sessions")
Session(app)

USERS = {"ada": "lovelace"}


def page() -> Response:
    session.setdefault("token", secrets.token_hex())
    told = {name: session.get(name, 0) for name in ("visits", "orders")}
    return jsonify(told | {"user": session.get("user"), "token": session["token"]})


@app.before_request
def check_token() -> None:
    if request.method == "POST" and request.form.get("_token") != session.get("token", ""):
        abort(403)


@app.route("/login", methods=["GET", "POST"])
def login() -> Response:
    if request.method == "POST":
        if USERS.get(request.form["name"]) != request.form["password"]:
            abort(403)
        app.session_interface.regenerate(session)  # type: ignore[attr-defined]
        session["user"] = request.form["name"]
    return page()


def count(what: str) -> Response:
    if "user" not in session:
        abort(401)
    session[what] = session.get(what, 0) + 1
    return page()


app.add_url_rule("/", "visits", lambda: count("visits"))
app.add_url_rule("/order", "orders", lambda: count("orders"), methods=["POST"])

if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
