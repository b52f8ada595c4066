"""Texts about each phase of a request: what costs time in Flask, and what the core does instead.

They describe flask 3.1.3, werkzeug 3.1 and this project. ``rungs/phases.py`` defines the phases.
"""

from __future__ import annotations

from loadtests.rungs.phases import PHASES

# For each phase: Flask, the core.
_WORDS = (
    (
        "`Request` reads all it may need from the environ: it decodes two paths, wraps the headers, asks for the"
        " server. `create_url_adapter` works out and checks the host, `bind_to_environ` works it out again, and a"
        " `MapAdapter` is made.",
        "Reads the method and leaves the rest until it is used. Path and method are looked up in a dictionary that"
        " is made with the URL map; the adapter is for rules with variables, and for a host that needs a check.",
    ),
    (
        "Two contexts; a null session is made although it is not used; Werkzeug's matcher walks the path part by"
        " part; four signals are sent without a receiver; the teardown tables are walked with `request.blueprints` read"
        " through a proxy.",
        "The same two contexts. Without its cookie the session waits until it is touched, the rule is known"
        " already, and a signal without receivers is one look at them.",
    ),
    (
        "`request.blueprints` is read through a proxy, two tables are asked for each name, `iscoroutinefunction` for"
        " each function.",
        "Asks first whether there are any; the request comes from the context variable, and whether a function is"
        " `async` from a flag of its code.",
    ),
    (
        "`get_json` parses the content type with its parameters and wraps the body's stream; `jsonify` makes a"
        " `JSONEncoder` for each call (`json.dumps` with options), and `Response` parses its status and puts its"
        " headers in one by one, checking each.",
        "The plain content type is compared as a whole, a short body is one read, the JSON scanner is called directly,"
        " the encoder is made once, and a finished body gets its two headers as they stand.",
    ),
    (
        "Nothing to speak of: the view has made the response, and the checks for tuple, `None` and class find so.",
        "The same, with the class asked first.",
    ),
    (
        "Two proxies, a chain of blueprint names and a table; `iscoroutinefunction` for each function; the null session"
        " is looked at. What the function itself does to the headers is Werkzeug's on both sides.",
        "The context variable once; the table only if it has functions; a session that is not open is left alone.",
    ),
    (
        "`get_wsgi_headers` copies the headers and walks them for what it may have to rewrite; the body goes through a"
        " generator that encodes it, inside a `ClosingIterator`.",
        "One finished chunk with headers that need no work goes out as it is: a copy of the list, and a list with"
        " `close`.",
    ),
    (
        "`wsgi_app`, `full_dispatch_request` and `finalize_request` themselves, with two more signals that nothing"
        " receives.",
        "The same functions; the signals are sent only if there is a receiver.",
    ),
)

MADE_OF = dict(zip(PHASES, _WORDS, strict=True))
