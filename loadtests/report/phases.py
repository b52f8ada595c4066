"""Texts about each phase of a request: what costs time in Flask, and what the core does instead.

They describe flask 3.1.3, werkzeug 3.1 and this project. ``rungs/phases.py`` defines the phases.
"""

from __future__ import annotations

from loadtests.rungs.phases import PHASES

# For each phase: Flask, the core.
_WORDS = (
    (
        "`Request` reads everything that it may need from the environ: it decodes two paths, wraps the headers, and"
        " reads the server's address. `create_url_adapter` computes and checks the host, `bind_to_environ` computes it"
        " again, and makes a `MapAdapter`.",
        "Reads the method, and everything else only when it is used. Path and method are looked up in a dictionary"
        " that is made with the URL map. Only rules with variables, and hosts that need a check, need the adapter.",
    ),
    (
        "Pushes two contexts, and makes a null session although it is not used. Werkzeug's matcher walks the path part"
        " by part. Sends four signals without a receiver. Walks the teardown tables, and reads `request.blueprints`"
        " through a proxy.",
        "Pushes the same two contexts. Without a session cookie, the session is opened only when it is used. The rule"
        " is known already. A signal without receivers costs one check.",
    ),
    (
        "Reads `request.blueprints` through a proxy, looks up each name in two tables, and calls `iscoroutinefunction`"
        " for each function.",
        "First checks whether there are any functions. The request comes from the context variable. A flag of a"
        " function's code tells whether it is `async`.",
    ),
    (
        "`get_json` parses the content type with its parameters and wraps the body's stream. `jsonify` makes a"
        " `JSONEncoder` for each call (`json.dumps` with options). `Response` parses its status, and checks and adds"
        " its headers one by one.",
        "Compares a plain content type as a whole, reads a short body with one call, calls the JSON scanner directly,"
        " makes the encoder only once, and sets the two headers of a complete body without checks.",
    ),
    (
        "Hardly anything: the view has returned a response object, and checks for tuple, `None` and class find that.",
        "The same, but the class is checked first.",
    ),
    (
        "Reads two proxies, a chain of blueprint names and a table, calls `iscoroutinefunction` for each function, and"
        " checks the null session. What the function itself does to the headers is Werkzeug's work on both sides.",
        "Reads the context variable once, and the table only if it has functions. A session that was not opened needs"
        " no check.",
    ),
    (
        "`get_wsgi_headers` copies the headers and checks which of them to rewrite. A generator inside a"
        " `ClosingIterator` encodes the body.",
        "If the body is one chunk and the headers need no change, sends a copy of the list of headers, and a list with"
        " a `close` method.",
    ),
    (
        "Calls `wsgi_app`, `full_dispatch_request` and `finalize_request` themselves, and sends two more signals"
        " without a receiver.",
        "Calls the same functions, and sends the signals only if there is a receiver.",
    ),
)

MADE_OF = dict(zip(PHASES, _WORDS, strict=True))
