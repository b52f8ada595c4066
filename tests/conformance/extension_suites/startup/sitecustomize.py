"""Put wsgi_core in Flask's place at the start of each Python process of a suite, also in commands that a test runs."""

import os

import flask_alias

if os.environ.get("FLASK_SUITE_SUBJECT") == "core":
    flask_alias.say_version(flask_alias.VERSION)
    flask_alias.find_plugins_of_flask()
    flask_alias.install()
