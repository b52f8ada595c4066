"""A solution for each exercise: pairs of a text in the chapter's program and the text that replaces it."""

from __future__ import annotations

MAIN = '\n\nif __name__ == "__main__":'

SOLUTIONS: dict[str, list[tuple[str, str]]] = {
    "0a": [(
        '    length = int(',
        '    if environ["REQUEST_METHOD"] != "POST":\n'
        '        start_response("405 Method Not Allowed", [("Allow", "POST")])\n'
        "        return [b'']\n    length = int(",
    )],
    "0b": [(
        '    numbers = json.loads(environ["wsgi.input"].read(length))\n',
        "    try:\n"
        '        numbers = json.loads(environ["wsgi.input"].read(length))\n'
        "    except ValueError:\n"
        '        start_response("400 Bad Request", [("Content-Type", "application/json")])\n'
        """        return [b'{"error": "not JSON"}']\n""",
    )],
    "1a": [('{"sum": sum(numbers)}', '{"sum": sum(numbers) * request.args.get("times", 1, int)}')],
    "1b": [(
        "numbers = request.get_json()",
        'form = request.mimetype == "application/x-www-form-urlencoded"\n'
        '        numbers = request.form.getlist("number", int) if form else request.get_json()',
    )],
    "2a": [(
        "    # A response is",
        "    response.add_etag()\n    response.make_conditional(environ)\n    # A response is",
    )],
    "2b": [(
        "    return Response(json.dumps",
        '    if request.accept_mimetypes.best_match(["application/json", "text/plain"]) == "text/plain":\n'
        "        return Response(str(sum(numbers)))\n    return Response(json.dumps",
    )],
    "3a": [(MAIN, (
        '\n\n@app.route("/power/<int:base>/<int:exponent>")\n'
        'def power(request, base, exponent):\n    return {"power": base**exponent}\n'
    ) + MAIN)],
    "3b": [
        ("from werkzeug.routing import Map", "from werkzeug.routing import BaseConverter, Map"),
        ("        self.url_map = Map()\n", '        self.url_map = Map(converters={"hex": HexConverter})\n'),
        ("class App:", (
            "class HexConverter(BaseConverter):\n"
            '    regex = "[0-9a-f]+"\n\n    def to_python(self, value):\n        return int(value, 16)\n\n\nclass App:'
        )),
        (MAIN, (
            '\n\n@app.route("/hex/<hex:number>")\ndef show(request, number):\n    return {"number": number}\n'
        ) + MAIN),
    ],
    "4a": [
        ("\n\nclass Namespace", '\ncurrent_app = LocalProxy(_current, "app")\n\n\nclass Namespace'),
        (MAIN, (
            '\n\n@app.route("/rules")\ndef rules():\n'
            '    return {"rules": len(list(current_app.url_map.iter_rules()))}\n'
        ) + MAIN),
    ],
    "4b": [(MAIN, (
        "\n\ndef copy_current_context(func):\n"
        "    context = _current.get()\n\n"
        "    def wrapper():\n"
        "        token = _current.set(context)\n"
        "        try:\n            return func()\n        finally:\n            _current.reset(token)\n\n"
        "    return wrapper\n\n\n"
        '@app.route("/thread")\ndef in_a_thread():\n'
        "    from threading import Thread\n\n"
        "    seen = []\n"
        "    thread = Thread(target=copy_current_context(lambda: seen.append(request.path)))\n"
        "    thread.start()\n    thread.join()\n"
        '    return {"path": seen[0]}\n'
    ) + MAIN)],
    "5a": [
        ("for func in reversed(self.after_request_funcs):", (
            'for func in [*getattr(g, "after", []), *reversed(self.after_request_funcs)]:'
        )),
        (MAIN, (
            "\n\ndef after_this_request(func):\n"
            '    g.after = [*getattr(g, "after", []), func]\n\n\n'
            '@app.route("/once")\ndef once():\n'
            "    def mark(response):\n"
            '        response.headers["X-Once"] = "1"\n        return response\n\n'
            "    after_this_request(mark)\n"
            '    return {"once": True}\n'
        ) + MAIN),
    ],
    "5b": [(MAIN, (
        "\n\n@app.before_request_funcs.append\ndef maintenance():\n"
        '    if "X-Maintenance" in request.headers:\n'
        """        return Response('{"error": "maintenance"}', 503, mimetype="application/json")\n"""
    ) + MAIN)],
    "6a": [(MAIN, (
        "\n\n@app.errorhandler(404)\ndef nothing(error):\n"
        """    return Response(f'{{"error": "nothing at {request.path}"}}', 404, mimetype="application/json")\n"""
    ) + MAIN)],
    "6b": [
        ("        self.error_handlers =", "        self.propagate_exceptions = False\n        self.error_handlers ="),
        ("        logging.err", "        if self.propagate_exceptions:\n            raise error\n        logging.err"),
    ],
    "7a": [
        ("        self.name, self.routes = name, []", (
            "        self.name, self.routes, self.hooks = name, [], []\n\n"
            "    def before_request(self, func):\n        self.hooks.append(func)\n        return func"
        )),
        ("            self.route(url_prefix + rule, methods)(view)", (
            "            self.route(url_prefix + rule, methods)(self.after_hooks(blueprint.hooks, view))\n\n"
            "    def after_hooks(self, hooks, view):\n"
            "        def hooked(**arguments):\n"
            "            for hook in hooks:\n                hook()\n"
            "            return view(**arguments)\n\n"
            "        hooked.__name__ = view.__name__\n        return hooked"
        )),
    ],
    "7b": [
        ("request_finished = ", 'request_started = Namespace().signal("request-started")\nrequest_finished = '),
        ("        request.session = self.open", (
            "        if request_started.receivers:\n            request_started.send(self)\n"
            "        request.session = self.open"
        )),
    ],
    "8a": [(MAIN, (
        '\n\n@app.get("/models")\ndef models():\n'
        "    found = sorted(repository.models, key=lambda model: model.name)\n"
        '    return [{"name": model.name, "version": model.version} for model in found]\n'
    ) + MAIN)],
    "8b": [("    # A thin view", (
        "    rows = request.get_json()\n"
        "    if isinstance(rows, list) and len(rows) > 100:\n"
        '        return {"error": "at most 100 rows"}, 413\n    # A thin view'
    ))],
    "9a": [(MAIN, (
        '\n\n@app.get("/hello/<name>")\ndef hello(name):\n'
        "    from flask import render_template_string\n\n"
        '    return render_template_string("<p>Hello, {{ name }}!</p>", name=name)\n'
    ) + MAIN)],
    "9b": [(MAIN, (
        '\n\n@app.cli.command("count-rules")\ndef count_rules():\n'
        "    print(len(list(app.url_map.iter_rules())))\n"
    ) + MAIN)],
}  # fmt: skip


def solved(name: str, text: str) -> str:
    """Return the text of the chapter's program with the solution of the exercise `name`.

    Raises ValueError unless each text to replace occurs exactly once in `text`.
    """
    for old, new in SOLUTIONS[name]:
        if text.count(old) != 1:
            raise ValueError(f"{name}: {old!r} does not occur exactly once.")
        text = text.replace(old, new)
    return text
