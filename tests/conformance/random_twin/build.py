"""Make the app of a program. Each of its functions records its arguments in the world."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable

from .ends import ENDS, ERRORS, stream
from .program import Func, Hook, Mount, Options, Scope, Stream
from .world import LOGGER_NAME, World, plain

ROOT = os.path.abspath(os.sep)  # passed to avoid a search for the root; no file is opened there


def make_function(world: World, name: str, func: Func) -> Callable[..., t.Any]:
    """Return the function that `func` describes. Its name in the events is `name`. Its steps get its first argument."""

    def run(*args: t.Any, **kwargs: t.Any) -> t.Any:
        world.note(name, plain(args), plain(kwargs))
        given = args[0] if args else None
        world.perform(name, func.ops, given)
        if isinstance(func.end, Stream):
            return stream(world, name, func.end)
        return ENDS[func.end](world, given)

    async def run_async(*args: t.Any, **kwargs: t.Any) -> t.Any:
        return run(*args, **kwargs)

    made = run_async if func.is_async else run
    made.__name__ = name.rpartition(" ")[2].replace(".", "_")
    return made


def _value_preprocessor(world: World, name: str, func: Func) -> Callable[..., t.Any]:
    """Return a preprocessor that removes a value from the view's arguments, and runs `func`."""
    inner = make_function(world, name, func)

    def preprocess(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        world.note(name, "pulls", endpoint, values.pop("x", None) if values else None)
        inner(endpoint, values)

    return preprocess


def _url_defaults(world: World, name: str, func: Func) -> Callable[..., t.Any]:
    """Return a function that adds a value to a URL. It does not run `func`, which could build URLs without end."""

    def add_defaults(endpoint: str, values: dict[str, t.Any]) -> None:
        world.note(name, endpoint, plain(values))
        values.setdefault("x", "added")

    return add_defaults


def _context_processor(world: World, name: str, func: Func) -> Callable[..., t.Any]:
    inner = make_function(world, name, func)

    def process() -> dict[str, t.Any]:
        inner()
        return {"added": name}

    return process


def _hook_function(world: World, name: str, hook: Hook) -> Callable[..., t.Any]:
    makers = {
        "url_value_preprocessor": _value_preprocessor,
        "app_url_value_preprocessor": _value_preprocessor,
        "url_defaults": _url_defaults,
        "app_url_defaults": _url_defaults,
        "context_processor": _context_processor,
        "app_context_processor": _context_processor,
    }
    return makers.get(hook.kind, make_function)(world, name, hook.func)


def _register_build_error_handler(world: World, name: str, hook: Hook) -> None:
    made = make_function(world, name, hook.func)
    world.app.url_build_error_handlers.append(lambda error, endpoint, values: made(error, endpoint))


def _fill(world: World, target: t.Any, scope: Scope, name: str) -> None:
    """Register the contents of `scope` on `target`, an app or a blueprint."""
    for number, hook in enumerate(scope.hooks):
        label = f"{name}{hook.kind} {number}"
        if hook.kind == "url_build_error":
            _register_build_error_handler(world, label, hook)
        else:
            getattr(target, hook.kind)(_hook_function(world, label, hook))
    for handler in scope.handlers:
        key = handler.key if isinstance(handler.key, int) else ERRORS[handler.key]
        register = target.app_errorhandler if handler.everywhere else target.errorhandler
        register(key)(make_function(world, f"{name}handler {handler.key}", handler.func))
    for number, view in enumerate(scope.views):
        made = make_function(world, f"{name}v{number}", view.func)
        for rule in view.rules:
            text, own = (rule, ()) if isinstance(rule, str) else rule
            target.add_url_rule(text, f"v{number}", made, methods=view.methods, **_rule_options((*view.options, *own)))
    for late in scope.late_rules:
        options = _rule_options(late.options)
        target.add_url_rule(late.rule, f"v{late.view}", methods=late.methods, **options)
    for number, mount in enumerate(scope.mounts):
        _mount(world, target, mount, f"b{number}", name)


def _rule_options(options: Options) -> dict[str, t.Any]:
    return {key: dict(value) if key == "defaults" else value for key, value in options}


def _mount(world: World, target: t.Any, mount: Mount, own_name: str, parent_name: str) -> None:
    scope = mount.scope
    blueprint = world.lib.Blueprint(
        own_name, LOGGER_NAME, root_path=ROOT, url_prefix=scope.prefix, url_defaults=dict(scope.defaults)
    )
    _fill(world, blueprint, scope, f"{parent_name}{own_name}.")
    target.register_blueprint(blueprint, **dict(mount.options))
    if mount.again is not None:
        target.register_blueprint(blueprint, name=f"{own_name}again", **dict(mount.again))


def _connect(world: World) -> list[tuple[t.Any, Callable[..., t.Any]]]:
    """Connect the program's receivers to their signals, only for its own app. Return the signals and receivers."""
    connected = []
    for number, (signal_name, func) in enumerate(world.program.receivers):
        receive = make_function(world, f"signal {signal_name} {number}", func)
        signal = getattr(world.lib, signal_name)
        receiver = _receiver(receive, func.is_async)
        signal.connect(receiver, sender=world.app, weak=False)
        connected.append((signal, receiver))
    return connected


def _receiver(receive: Callable[..., t.Any], is_async: bool) -> Callable[..., t.Any]:
    """Return a receiver that calls `receive` with the arguments of the signal except the sender, which is the app."""

    def receiver(sender: t.Any, **said: t.Any) -> t.Any:
        return receive(**said)

    async def receiver_async(sender: t.Any, **said: t.Any) -> t.Any:
        return await receive(**said)

    return receiver_async if is_async else receiver


def build(world: World) -> list[tuple[t.Any, Callable[..., t.Any]]]:
    """Make the world's app. Return the signals and their receivers, which the caller must disconnect at the end."""
    config = dict(world.program.config)
    own = {key: config.pop(key) for key in list(config) if key.islower()}
    world.app = world.app_class(LOGGER_NAME, static_folder=None, root_path=ROOT, instance_path=ROOT, **own)
    world.app.config.update(config)
    connected = _connect(world)
    _fill(world, world.app, world.program.app, "")
    return connected
