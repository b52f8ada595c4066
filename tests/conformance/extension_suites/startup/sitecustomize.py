"""Python runs this at the start of each process of a suite, so that the commands of a test see the test's Flask."""

import os

import flask_alias

if os.environ.get("FLASK_SUITE_SUBJECT") == "core":
    flask_alias.say_version(flask_alias.VERSION)
    flask_alias.find_plugins_of_flask()
    flask_alias.install()
