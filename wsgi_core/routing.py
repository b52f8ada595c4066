"""The URL map: registering rules, matching a request to one, building URLs.

A request gets here when its context is made. Rules without a variable part are found in a dictionary by
path and method; everything else, errors and redirects included, is Werkzeug's matcher's work.
"""

from __future__ import annotations

import re
import sys
import typing as t
from collections import Counter
from functools import lru_cache
from urllib.parse import quote

from werkzeug.exceptions import BadRequest
from werkzeug.routing import BuildError, MapAdapter, RequestRedirect, Rule
from werkzeug.routing import Map as BaseMap
from werkzeug.routing.exceptions import NoMatch
from werkzeug.routing.matcher import StateMachineMatcher
from werkzeug.wsgi import get_host

from . import typing as ft
from .context import _cv_app, _cv_request
from .lazy import cached_attribute
from .scaffold import AppMixin, _endpoint_from_view_func, setupmethod
from .wrappers import decode_environ, split_blueprint_path

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.routing import RuleFactory

    from .wrappers import Request

_ANY_MAP = BaseMap()


# PERF: checking a host costs as much as matching a URL, and the same few hosts come all the time.
@lru_cache(maxsize=256)
def _is_plain_host(host: str) -> bool:
    """Return whether Werkzeug takes ``host`` as it is: a name or an address, with or without a port."""
    environ = {"HTTP_HOST": host, "wsgi.url_scheme": ""}  # a scheme without a default port, which would be cut off
    try:
        taken = _ANY_MAP.bind(get_host(environ)).server_name
    except BadRequest:
        return False
    return host != "" and taken == host.lower()


class Matcher(StateMachineMatcher):
    """Werkzeug's matcher, but an unknown path is tried again with its slashes merged only if it has some to merge."""

    def __init__(self, matcher: StateMachineMatcher) -> None:
        super().__init__(matcher.merge_slashes)
        self._once = StateMachineMatcher(merge_slashes=False)
        self._root = self._once._root = matcher._root

    def match(self, domain: str, path: str, method: str, websocket: bool) -> tuple[Rule, t.MutableMapping[str, t.Any]]:
        # PERF: the base matches each unknown path twice.
        match = super().match if "//" in path else self._once.match
        try:
            return match(domain, path, method, websocket)
        except NoMatch as refused:
            # For a refused method too: the second pass can change the order of the set of methods, and so of Allow.
            if "//" in path or not refused.have_match_for:
                raise
        return super().match(domain, path, method, websocket)


class Map(BaseMap):
    """Werkzeug's map, with a dictionary of the rules whose path is plain text."""

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._matcher = Matcher(self._matcher)

    def add(self, rulefactory: RuleFactory) -> None:
        super().add(rulefactory)
        self.__dict__.pop("static_rules", None)

    @cached_attribute
    def static_rules(self) -> dict[str, dict[str, Rule]]:
        """Path -> method -> the rule for exactly this path; the matcher is needed for every other request."""
        by_path: dict[str, list[Rule]] = {}
        if self.host_matching or self.default_subdomain:
            return {}
        # "//" stands in a rule for "/" too: such a rule may come first, so that its path is left to the matcher.
        for rule in self._rules:
            by_path.setdefault(re.sub("/{2,}", "/", rule.rule), []).append(rule)
        return {path: self._only_rules(rules) for path, rules in by_path.items() if all(map(self._is_static, rules))}

    def _only_rules(self, rules: list[Rule]) -> dict[str, Rule]:
        """Return the rule of each method that only one of ``rules`` allows.

        Where several allow it, the matcher takes the rule that was added first. Only the matcher knows which
        one that is: Werkzeug's map keeps its rules by endpoint.
        """
        allowed = Counter(method for rule in rules for method in rule.methods or ())
        return {method: rule for rule in rules for method in rule.methods or () if allowed[method] == 1}

    def bind_plain(self, environ: dict[str, t.Any]) -> MapAdapter:
        """Do as `bind_to_environ` for a host that needs no check and has no subdomain."""
        # PERF: takes a quarter of the time of bind_to_environ, which parses the host twice.
        scheme, host = environ["wsgi.url_scheme"], environ["HTTP_HOST"].lower()
        host = host.removesuffix(":443" if scheme == "https" else ":80")
        root, path = decode_environ(environ.get("SCRIPT_NAME", "/")), decode_environ(environ.get("PATH_INFO", "/"))
        query = decode_environ(environ["QUERY_STRING"]) if "QUERY_STRING" in environ else None
        return MapAdapter(self, host, root, "", scheme, path, environ["REQUEST_METHOD"], query)

    def _is_static(self, rule: Rule) -> bool:
        """Return whether a request for exactly this path can only mean this rule, and nothing is left to do."""
        plain_path = rule.rule.isascii() and not set(rule.rule) & set("<>|\\") and "//" not in rule.rule
        elsewhere = rule.subdomain or rule.host or rule.websocket or rule.alias or rule.build_only
        answers = rule.methods is not None and rule.redirect_to is None
        return plain_path and answers and not (rule.arguments or elsewhere)


class Routing(AppMixin):
    """What an `App` does with URLs."""

    url_rule_class = Rule
    url_map_class: type[BaseMap] = Map
    url_map: BaseMap
    subdomain_matching: bool
    url_build_error_handlers: list[Callable[..., str]]

    def _init_routing(self, host_matching: bool, subdomain_matching: bool) -> None:
        self.url_map = self.url_map_class(host_matching=host_matching)
        self.subdomain_matching = subdomain_matching
        self.url_build_error_handlers = []
        self._uses_default_url_adapter = type(self).create_url_adapter is Routing.create_url_adapter

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: ft.RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: t.Any,
    ) -> None:
        """Route ``rule`` to ``endpoint`` and the endpoint to ``view_func``.

        Raises TypeError if ``methods`` is a string, AssertionError if the endpoint has another view.
        Mirrors flask 3.1.3 sansio/app.py: App.add_url_rule.
        """
        endpoint = _endpoint_from_view_func(view_func) if endpoint is None else endpoint
        methods = options.pop("methods", None)
        if methods is None:
            methods = getattr(view_func, "methods", None) or ("GET",)
        if isinstance(methods, str):
            raise TypeError('Allowed methods must be a list of strings, for example: methods=["POST"]')
        methods = {method.upper() for method in methods}
        required = set(getattr(view_func, "required_methods", ()))
        if provide_automatic_options is None:
            provide_automatic_options = getattr(view_func, "provide_automatic_options", None)
        if provide_automatic_options is None:
            provide_automatic_options = "OPTIONS" not in methods and self.config["PROVIDE_AUTOMATIC_OPTIONS"]
            required |= {"OPTIONS"} if provide_automatic_options else set()

        rule_obj = self.url_rule_class(rule, methods=methods | required, endpoint=endpoint, **options)
        rule_obj.provide_automatic_options = provide_automatic_options  # type: ignore[attr-defined]
        self.url_map.add(rule_obj)
        if view_func is not None:
            if self.view_functions.get(endpoint, view_func) != view_func:
                raise AssertionError(f"View function mapping is overwriting an existing endpoint function: {endpoint}")
            self.view_functions[endpoint] = view_func

    def find_static_rule(self, request: Request) -> Rule | None:
        """Return the rule for a path without variables; None: `create_url_adapter` and match.

        The adapter would refuse some hosts, split others into subdomains, and treat WebSockets apart:
        whatever might need it is left to it.
        """
        url_map, environ = self.url_map, request.environ
        rules = url_map.static_rules.get(environ.get("PATH_INFO", "")) if isinstance(url_map, Map) else None
        rule = None if rules is None else rules.get(environ.get("REQUEST_METHOD", ""))
        return rule if rule is not None and self._has_plain_host(request) else None

    def _has_plain_host(self, request: Request) -> bool:
        """Return whether nothing about the host, subdomain or protocol of ``request`` could count in matching it."""
        environ = request.environ
        return (
            self._uses_default_url_adapter
            and not self.subdomain_matching
            and self.config["TRUSTED_HOSTS"] is None
            and request.trusted_hosts is None
            and "HTTP_UPGRADE" not in environ
            and environ.get("wsgi.url_scheme") in {"http", "https"}
            and _is_plain_host(environ.get("HTTP_HOST", ""))
        )

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what matches and builds URLs for ``request``, or builds them without one; None if that needs
        ``SERVER_NAME`` and it isn't set.

        Raises SecurityError (400) for a host that isn't among ``TRUSTED_HOSTS``.
        Mirrors flask 3.1.3 app.py: Flask.create_url_adapter.
        """
        server_name = self.config["SERVER_NAME"]
        if request is None:
            if server_name is None:
                return None
            return self.url_map.bind(
                server_name, script_name=self.config["APPLICATION_ROOT"], url_scheme=self.config["PREFERRED_URL_SCHEME"]
            )
        url_map = self.url_map
        plain = server_name is None and not url_map.host_matching and not url_map.default_subdomain
        if plain and self._has_plain_host(request) and isinstance(url_map, Map):
            return url_map.bind_plain(request.environ)
        if request.url_rule is None:  # else its host has passed
            if (trusted_hosts := self.config["TRUSTED_HOSTS"]) is not None:
                request.trusted_hosts = trusted_hosts
            request.host = get_host(request.environ, request.trusted_hosts)
        subdomain = None
        if self.url_map.host_matching:
            server_name = None
        elif not self.subdomain_matching:
            # SERVER_NAME serves to build URLs; it doesn't restrict which host a request may ask for.
            subdomain = self.url_map.default_subdomain or ""
        return self.url_map.bind_to_environ(request.environ, server_name=server_name, subdomain=subdomain)

    def raise_routing_exception(self, request: Request) -> t.NoReturn:
        """Raise what matching found wrong; in debug mode a redirect that would lose a form says so.

        Mirrors flask 3.1.3 app.py: Flask.raise_routing_exception.
        """
        error = request.routing_exception
        assert error is not None
        if not self.config["DEBUG"] or not isinstance(error, RequestRedirect):
            raise error
        if error.code in {307, 308} or request.method in {"GET", "HEAD", "OPTIONS"}:
            raise error
        from .debughelpers import FormDataRoutingRedirect

        raise FormDataRoutingRedirect(request)

    def url_for(
        self,
        /,
        endpoint: str,
        *,
        _anchor: str | None = None,
        _method: str | None = None,
        _scheme: str | None = None,
        _external: bool | None = None,
        **values: t.Any,
    ) -> str:
        """Return the URL of ``endpoint`` with ``values`` for its variables, what is left over as a query.

        Relative inside a request unless ``_external`` or ``_scheme`` is given; outside it needs
        ``SERVER_NAME`` and is external. A leading dot means the current blueprint. Raises RuntimeError
        without ``SERVER_NAME``, BuildError for an unknown endpoint. Mirrors flask 3.1.3 app.py: Flask.url_for.
        """
        ctx = _cv_request.get(None)
        if ctx is not None:
            adapter = ctx.url_adapter
            if endpoint.startswith("."):
                blueprint = ctx.request.blueprint
                endpoint = endpoint[1:] if blueprint is None else blueprint + endpoint
            external = _scheme is not None if _external is None else _external
        else:
            app_ctx = _cv_app.get(None)
            adapter = self.create_url_adapter(None) if app_ctx is None else app_ctx.url_adapter
            external = True if _external is None else _external
            if adapter is None:
                raise RuntimeError("Unable to build URLs outside an active request without 'SERVER_NAME' configured.")
        if _scheme is not None and not external:
            raise ValueError("When specifying '_scheme', '_external' must be True.")

        self.inject_url_defaults(endpoint, values)
        # In a request whose host was refused there is no adapter; as in Flask that is an AttributeError.
        build: Callable[..., str] = adapter.build  # type: ignore[union-attr]
        try:
            url = build(endpoint, values, method=_method, url_scheme=_scheme, force_external=external)
        except BuildError as error:
            values.update(_anchor=_anchor, _method=_method, _scheme=_scheme, _external=external)
            return self.handle_url_build_error(error, endpoint, values)
        if _anchor is not None:
            url = f"{url}#{quote(_anchor, safe='%!#$&()*+,/:;=?@' + chr(39))}"
        return url

    def inject_url_defaults(self, endpoint: str, values: dict[str, t.Any]) -> None:
        """Let the ``url_defaults`` functions of the app, then of the blueprints inwards, add values.

        Mirrors flask 3.1.3 sansio/app.py: App.inject_url_defaults.
        """
        blueprints = reversed(split_blueprint_path(endpoint.rpartition(".")[0])) if "." in endpoint else ()
        for scope in (None, *blueprints):
            for func in self.url_default_functions.get(scope, ()):
                func(endpoint, values)

    def handle_url_build_error(self, error: BuildError, endpoint: str, values: dict[str, t.Any]) -> str:
        """Ask the ``url_build_error_handlers`` in turn for a URL; raise the last BuildError if none has one.

        Mirrors flask 3.1.3 sansio/app.py: App.handle_url_build_error.
        """
        for handler in self.url_build_error_handlers:
            try:
                if (url := handler(error, endpoint, values)) is not None:
                    return url
            except BuildError as e:
                error = e
        if error is sys.exc_info()[1]:
            raise
        raise error
