"""A Django site: django.contrib.auth and sessions, CSRF tokens in them, the users in a database."""

import os
from pathlib import Path

from memrep_settings import *  # noqa: F403

SITE = Path(os.environ["SITE"])

SECRET_KEY = "secret"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "pages"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": SITE / "users.sqlite"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick; nobody's password is at stake
USE_TZ = True
# In a cookie of its own the token would outlive every session.
CSRF_USE_SESSIONS = True
