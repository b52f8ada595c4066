"""Blueprints: a part of an app, written apart and registered later, once or several times, also nested.

What is registered on a blueprint is kept as deferred functions and tables; registering it on an app plays
the functions and merges the tables under the blueprint's dotted name.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict
from collections.abc import Callable
from functools import update_wrapper

from . import typing as ft
from .context import _sentinel
from .scaffold import (
    HOOK_TABLES,
    AfterRequest,
    BeforeRequest,
    ContextProcessor,
    Decorator,
    F,
    Folder,
    Teardown,
    URLDefault,
    URLValuePreprocessor,
    _endpoint_from_view_func,
    add_hook,
    decorator_from,
    setupmethod,
)  # fmt: skip
from .templating import BlueprintTemplating

if t.TYPE_CHECKING:
    from .app import App


class BlueprintSetupState:
    """One registration of a blueprint: the app, the options, and what they make of prefix and name.

    Mirrors flask 3.1.3 sansio/blueprints.py: BlueprintSetupState.
    """

    def __init__(self, blueprint: Blueprint, app: App, options: dict[str, t.Any], first_registration: bool) -> None:
        self.app = app
        self.blueprint = blueprint
        self.options = options
        self.first_registration = first_registration
        self.subdomain: str | None = _option(blueprint, options, "subdomain")
        self.url_prefix: str | None = _option(blueprint, options, "url_prefix")
        self.name: str = options.get("name", blueprint.name)
        self.name_prefix: str = options.get("name_prefix", "")
        self.url_defaults: dict[str, t.Any] = {**blueprint.url_values_defaults, **dict(options.get("url_defaults", ()))}

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: ft.RouteCallable | None = None, **options: t.Any
    ) -> None:
        """Add a rule to the app, with this registration's prefix, subdomain, name and defaults."""
        if self.url_prefix is not None:
            rule = f"{self.url_prefix.rstrip('/')}/{rule.lstrip('/')}" if rule else self.url_prefix
        options.setdefault("subdomain", self.subdomain)
        endpoint = _endpoint_from_view_func(view_func) if endpoint is None else endpoint
        defaults = {**self.url_defaults, **(options.pop("defaults", None) or {})}
        name = f"{self.name_prefix}.{self.name}.{endpoint}".lstrip(".")
        self.app.add_url_rule(rule, name, view_func, defaults=defaults, **options)


class Blueprint(BlueprintTemplating):
    """A set of routes, hooks and handlers. Mirrors flask 3.1.3 sansio/blueprints.py: Blueprint."""

    _got_registered_once = False

    def __init__(
        self,
        name: str,
        import_name: str,
        static_folder: Folder = None,
        static_url_path: str | None = None,
        template_folder: Folder = None,
        url_prefix: str | None = None,
        subdomain: str | None = None,
        url_defaults: dict[str, t.Any] | None = None,
        root_path: str | None = None,
        cli_group: str | None = _sentinel,
    ) -> None:
        super().__init__(import_name, static_folder, static_url_path, template_folder, root_path)
        if not name:
            raise ValueError("'name' may not be empty.")
        if "." in name:
            raise ValueError("'name' may not contain a dot '.' character.")
        self.name = name
        self.url_prefix = url_prefix
        self.subdomain = subdomain
        self.url_values_defaults = url_defaults or {}
        self.cli_group = cli_group
        self.deferred_functions: list[Callable[[BlueprintSetupState], None]] = []
        self._blueprints: list[tuple[Blueprint, dict[str, t.Any]]] = []

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_registered_once:
            what = f"The setup method '{f_name}' can no longer be called on the blueprint '{self.name}'."
            why = "It has already been registered at least once, and any changes will not be applied consistently."
            raise AssertionError(f"{what} {why}")

    @setupmethod
    def record(self, func: Callable[[BlueprintSetupState], None]) -> None:
        """Call ``func(state)`` at each registration."""
        self.deferred_functions.append(func)

    @setupmethod
    def record_once(self, func: Callable[[BlueprintSetupState], None]) -> None:
        """Call ``func(state)`` at the first registration on an app."""

        def wrapper(state: BlueprintSetupState) -> None:
            if state.first_registration:
                func(state)

        self.record(update_wrapper(wrapper, func))

    def make_setup_state(
        self, app: App, options: dict[str, t.Any], first_registration: bool = False
    ) -> BlueprintSetupState:
        """Return the state that the deferred functions get; for subclasses."""
        return BlueprintSetupState(self, app, options, first_registration)

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: t.Any) -> None:
        """Nest another blueprint in this one."""
        if blueprint is self:
            raise ValueError("Cannot register a blueprint on itself")
        self._blueprints.append((blueprint, options))

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: ft.RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: t.Any,
    ) -> None:
        """Add a rule at each registration; the endpoint gets the blueprint's name in front."""
        if endpoint and "." in endpoint:
            raise ValueError("'endpoint' may not contain a dot '.' character.")
        if view_func and "." in getattr(view_func, "__name__", ""):
            raise ValueError("'view_func' name may not contain a dot '.' character.")
        options["provide_automatic_options"] = provide_automatic_options
        self.record(lambda state: state.add_url_rule(rule, endpoint, view_func, **options))

    # Registration

    def register(self, app: App, options: dict[str, t.Any]) -> None:
        """Put everything into ``app``; `App.register_blueprint` calls this.

        Mirrors flask 3.1.3 sansio/blueprints.py: Blueprint.register.
        """
        name = self._claim_name(app, options)
        first_registration = all(known is not self for known in app.blueprints.values())
        app.blueprints[name] = self
        self._got_registered_once = True
        state = self.make_setup_state(app, options, first_registration)
        if self.has_static_folder:
            state.add_url_rule(f"{self.static_url_path}/<path:filename>", "static", self.send_static_file)
        self._merge_into(app, name)
        for deferred in self.deferred_functions:
            deferred(state)
        self._register_commands(app, name, options)
        for blueprint, nested_options in self._blueprints:
            blueprint.register(app, _nested_options(blueprint, nested_options, state, name))

    def _claim_name(self, app: App, options: dict[str, t.Any]) -> str:
        """Return the dotted name of this registration; ValueError if it is taken."""
        own_name = options.get("name", self.name)
        name = f"{options.get('name_prefix', '')}.{own_name}".lstrip(".")
        if name in app.blueprints:
            which = "this" if app.blueprints[name] is self else "a different"
            at = f" '{name}'" if own_name != name else ""
            taken = f"The name '{own_name}' is already registered for {which} blueprint{at}."
            raise ValueError(f"{taken} Use 'name=' to provide a unique name.")
        return name

    def _merge_into(self, app: App, name: str) -> None:
        for scope, by_code in self.error_handler_spec.items():
            handlers = defaultdict(dict, {code: dict(by_class) for code, by_class in by_code.items()})
            app.error_handler_spec[_scoped(name, scope)] = handlers
        app.view_functions.update(self.view_functions)
        for table in HOOK_TABLES:
            for scope, funcs in getattr(self, table).items():
                getattr(app, table).setdefault(_scoped(name, scope), []).extend(funcs)

    def _register_commands(self, app: App, name: str, options: dict[str, t.Any]) -> None:
        # PERF: without a command of its own the group, and so click, was never asked for.
        if "cli" not in self.__dict__ or not self.cli.commands:
            return
        group = options.get("cli_group", self.cli_group)
        if group is None:
            app.cli.commands.update(self.cli.commands)
        else:
            self.cli.name = name if group is _sentinel else group
            app.cli.add_command(self.cli)

    # What reaches beyond the blueprint, to the whole app

    def _record_app_hook(self, table: str, f: F) -> F:
        def add(state: BlueprintSetupState) -> None:
            add_hook(getattr(state.app, table), f)

        self.record_once(add)
        return f

    @setupmethod
    def before_app_request(self, f: BeforeRequest) -> BeforeRequest:
        """Register as `before_request` does, for every request of the app."""
        return self._record_app_hook("before_request_funcs", f)

    @setupmethod
    def after_app_request(self, f: AfterRequest) -> AfterRequest:
        """Register as `after_request` does, for every request of the app."""
        return self._record_app_hook("after_request_funcs", f)

    @setupmethod
    def teardown_app_request(self, f: Teardown) -> Teardown:
        """Register as `teardown_request` does, for every request of the app."""
        return self._record_app_hook("teardown_request_funcs", f)

    @setupmethod
    def app_context_processor(self, f: ContextProcessor) -> ContextProcessor:
        """Register as `context_processor` does, for every template of the app."""
        return self._record_app_hook("template_context_processors", f)

    @setupmethod
    def app_url_value_preprocessor(self, f: URLValuePreprocessor) -> URLValuePreprocessor:
        """Register as `url_value_preprocessor` does, for every request of the app."""
        return self._record_app_hook("url_value_preprocessors", f)

    @setupmethod
    def app_url_defaults(self, f: URLDefault) -> URLDefault:
        """Register as `url_defaults` does, for every URL of the app."""
        return self._record_app_hook("url_default_functions", f)

    @setupmethod
    def app_errorhandler(self, code: type[Exception] | int) -> Decorator:
        """Register as `errorhandler` does, for every request of the app."""

        def record(f: ft.ErrorHandlerCallable) -> None:
            self.record_once(lambda state: state.app.register_error_handler(code, f))

        return decorator_from(record)


def _scoped(name: str, scope: str | None) -> str:
    return name if scope is None else f"{name}.{scope}"


def _option(blueprint: Blueprint, options: dict[str, t.Any], name: str) -> t.Any:
    """Return what a registration says, or else the blueprint."""
    value = options.get(name)
    return getattr(blueprint, name) if value is None else value


def _nested_options(
    blueprint: Blueprint, options: dict[str, t.Any], parent: BlueprintSetupState, name: str
) -> dict[str, t.Any]:
    """Return the options to register a nested blueprint with: prefix and subdomain joined to the parent's."""
    prefix = _option(blueprint, options, "url_prefix")
    if prefix is None:
        prefix = parent.url_prefix
    elif parent.url_prefix is not None:
        prefix = f"{parent.url_prefix.rstrip('/')}/{prefix.lstrip('/')}"
    subdomain = _option(blueprint, options, "subdomain")
    if subdomain is None:
        subdomain = parent.subdomain
    elif parent.subdomain is not None:
        subdomain = f"{subdomain}.{parent.subdomain}"
    joined = {key: value for key, value in (("url_prefix", prefix), ("subdomain", subdomain)) if value is not None}
    return {**options, **joined, "name_prefix": name}
