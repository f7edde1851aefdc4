import os
import secrets
from pathlib import Path

from flask import Flask, abort, flash, redirect, render_template, request, send_from_directory, session, url_for
from werkzeug.utils import secure_filename


def create_app():
    app = Flask(__name__)
    app.secret_key = os.environ["SECRET_KEY"]
    app.config["MAX_CONTENT_LENGTH"] = 4 * 1024 * 1024
    uploads = Path(os.environ["DATA_DIR"], "uploads")
    uploads.mkdir(parents=True, exist_ok=True)

    @app.before_request
    def check_token():
        if request.method == "POST" and request.form.get("token") != session.get("token"):
            abort(403)

    @app.get("/")
    def home():
        session["visits"] = session.get("visits", 0) + 1
        session.setdefault("token", secrets.token_hex())
        here = url_for("home", _external=True)
        return render_template("home.html", visits=session["visits"], here=here, files=sorted(os.listdir(uploads)))

    @app.post("/add")
    def add():
        name = secure_filename(request.form["text"])
        request.files["file"].save(uploads / name)
        flash(f"Kept {name}")
        return redirect(url_for("home"))

    @app.get("/file/<name>")
    def file(name):
        return send_from_directory(uploads, name, as_attachment=True)

    return app
