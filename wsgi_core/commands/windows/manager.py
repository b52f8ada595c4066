"""Install, start, stop and remove the service through the service manager of Windows, with pywin32.

If the service manager refuses an action, the function raises ServiceError. The message is one line, which says what is
wrong. For common errors, it also says what to do.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
import typing as t
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

ACCOUNTS = {
    "LocalService": r"NT AUTHORITY\LocalService",
    "NetworkService": r"NT AUTHORITY\NetworkService",
    "LocalSystem": None,
}
"""The built-in accounts of Windows that need no password, the least privileged first. None means LocalSystem."""

DESCRIPTION = "wsgi_core: inference over HTTP"

# Milliseconds before the restart, after the first, the second and each later failure.
_RESTARTS = (1_000, 10_000, 60_000)
_RESET_SECONDS = 3600

# A program for the base Python, which adds the site-packages folder and then runs host.main.
# NOTE: sys.executable cannot be used: in a virtual environment it is a launcher, which starts the base Python as a
# separate process. The service manager communicates only with the process that it started itself.
_BOOT = (
    "import site,sys;site.addsitedir(sys.argv[1]);from wsgi_core.commands.windows.host import main;main(sys.argv[2:])"
)

_STATES = {1: "stopped", 2: "starting", 3: "stopping", 4: "running"}
_STOPPED, _RUNNING = 1, 4

_EXPLAINED = {
    5: "access is denied; use an administrator's command prompt",
    1053: "it did not respond in time; see the event log",
    1056: "it is running already",
    1058: "it is disabled; enable it in the Services window",
    1060: "there is no such service; install it with wsgi-core service install",
    1061: "it is starting or stopping; wsgi-core service status shows when that is done",
    1062: "it is not running",
    1069: "its account cannot log on; install the service with another --account",
    1072: "it is about to be removed; close the Services window",
    1073: "it exists already; remove it with wsgi-core service remove",
}
# The exit codes of the service, as `Worker.work` returns them.
_CODES = {
    1: "an error occurred",
    2: "a setting is invalid, or the port is taken",
    3: "a model or the application cannot be loaded",
}


class ServiceError(Exception):
    """Raised if Windows refuses an action, or if the service does not start or stop.

    The message is shown to the user.
    """


class Status(t.NamedTuple):
    """What the service manager reports about the service.

    state: stopped, starting, stopping or running; for any other state, its number
    process: the process id, or 0 if there is no process
    code: the exit code of the service (see `Worker.work`)
    command: the command line of the service
    """

    state: str
    process: int
    code: int
    command: str


def command_line(name: str, log: str, variables: Mapping[str, str]) -> str:
    """Return the command line that starts the service.

    It runs the base Python with the site-packages of this environment. The base Python is the Python from which a
    virtual environment was made. `log` is the path of the log file, or an empty string. `variables` are settings as
    environment variables.
    """
    words = [f"{key}={value}" for key, value in variables.items()]
    executable: str = getattr(sys, "_base_executable", sys.executable)
    site = sysconfig.get_path("purelib")
    return subprocess.list2cmdline([executable, "-I", "-X", "utf8", "-c", _BOOT, site, name, log, *words])


def explained(code: int) -> str:
    """Return a text that explains an exit code of the service."""
    return f"{_CODES.get(code, 'it ended')} (code {code}); the event log has the reason"


def install(name: str, command: str, account: str, stop_milliseconds: int) -> None:
    """Create a service that starts with Windows, and is restarted after a failure.

    `account` is a key of `ACCOUNTS`. When Windows shuts down, it waits for the service for up to `stop_milliseconds`.
    Raises ServiceError if the service exists, or if Windows refuses to create or configure it. In the last case, the
    service has already been created.
    """
    import servicemanager
    import win32evtlogutil
    import win32service as scm

    with _manager(name) as manager:
        service = scm.CreateService(
            manager, name, name, scm.SERVICE_ALL_ACCESS, scm.SERVICE_WIN32_OWN_PROCESS, scm.SERVICE_AUTO_START,
            scm.SERVICE_ERROR_NORMAL, command, None, 0, None, ACCOUNTS[account], None,
        )  # fmt: skip
        actions = {
            "ResetPeriod": _RESET_SECONDS, "RebootMsg": None, "Command": None,
            "Actions": [(scm.SC_ACTION_RESTART, delay) for delay in _RESTARTS],
        }  # fmt: skip
        try:
            scm.ChangeServiceConfig2(service, scm.SERVICE_CONFIG_DESCRIPTION, DESCRIPTION)
            scm.ChangeServiceConfig2(service, scm.SERVICE_CONFIG_FAILURE_ACTIONS, actions)
            scm.ChangeServiceConfig2(service, scm.SERVICE_CONFIG_PRESHUTDOWN_INFO, stop_milliseconds)
            _restart_after_an_error_too(service)
        finally:
            scm.CloseServiceHandle(service)
        win32evtlogutil.AddSourceToRegistry(name, servicemanager.__file__)


def start(name: str) -> None:
    """Start the service, and wait until it is running.

    Raises ServiceError if Windows refuses the start, if the service makes no progress (see `_wait`), or if it ends. If
    it ends, the message explains its exit code.
    """
    import win32service as scm

    with _service(name) as service:
        scm.StartService(service, None)
        end = _wait(service, _RUNNING)
    if end["CurrentState"] == _STOPPED:
        raise ServiceError(f"{name}: {explained(end['ServiceSpecificExitCode'])}")
    if end["CurrentState"] != _RUNNING:
        raise ServiceError(f"{name}: it is not running yet; wsgi-core service status shows when it is")


def stop(name: str) -> None:
    """Stop the service, and wait until it has stopped. The service answers the accepted requests first.

    Raises ServiceError if Windows refuses the stop, or if the service makes no progress (see `_wait`).
    """
    import win32service as scm

    with _service(name) as service:
        scm.ControlService(service, scm.SERVICE_CONTROL_STOP)
        end = _wait(service, _STOPPED)
    if end["CurrentState"] != _STOPPED:
        raise ServiceError(f"{name}: it has not stopped; wsgi-core service status shows when it has")


def status(name: str) -> Status:
    """Return what the service manager reports about the service.

    Raises ServiceError if the service does not exist, or if Windows denies access.
    """
    import win32service as scm

    with _service(name) as service:
        now = scm.QueryServiceStatusEx(service)
        command = scm.QueryServiceConfig(service)[3]
    state = _STATES.get(now["CurrentState"], str(now["CurrentState"]))
    return Status(state, now["ProcessId"], now["ServiceSpecificExitCode"], command)


def remove(name: str) -> None:
    """Remove the service. If it is running, stop it first.

    Raises ServiceError if the service does not exist, if it does not stop, or if Windows denies access.
    """
    import win32evtlogutil
    import win32service as scm

    if status(name).state == "running":
        stop(name)
    with _service(name) as service:
        scm.DeleteService(service)
    try:
        win32evtlogutil.RemoveSourceFromRegistry(name)
    except Exception:  # pywin32's own error class: the registry has no such source
        return


def _restart_after_an_error_too(service: t.Any) -> None:
    """Make Windows restart the service also after an exit with an error code.

    By default, Windows restarts it only after a crash.
    """
    import pywintypes
    import win32service as scm

    try:
        scm.ChangeServiceConfig2(service, scm.SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, True)
    except pywintypes.error as error:
        if error.winerror != 124:  # ERROR_INVALID_LEVEL, which wine returns for this flag
            raise


def _wait(service: t.Any, wanted: int) -> dict[str, int]:
    """Wait until the service has the state `wanted`, has stopped, or makes no progress. Return its status.

    The service makes no progress if its state and its checkpoint stay the same for 30 seconds, or for the time of its
    wait hint if that is longer.
    """
    import win32service as scm

    progress, since = None, time.monotonic()
    while True:
        now: dict[str, int] = scm.QueryServiceStatusEx(service)
        if now["CurrentState"] in (wanted, _STOPPED):
            return now
        seen = now["CurrentState"], now["CheckPoint"]
        if seen != progress:
            progress, since = seen, time.monotonic()
        if time.monotonic() - since > max(30, now["WaitHint"] / 1000):
            return now
        time.sleep(0.05)


@contextmanager
def _manager(name: str) -> Iterator[t.Any]:
    """Yield a handle of the service manager. `name` is the name of the service in error messages.

    Inside the block, an error of Windows is raised as ServiceError.
    """
    import pywintypes
    import win32service as scm

    try:
        manager = scm.OpenSCManager(None, None, scm.SC_MANAGER_ALL_ACCESS)
        try:
            yield manager
        finally:
            scm.CloseServiceHandle(manager)
    except pywintypes.error as error:
        raise ServiceError(f"{name}: {_EXPLAINED.get(error.winerror, error.strerror)}") from error


@contextmanager
def _service(name: str) -> Iterator[t.Any]:
    """Yield a handle of the service.

    Inside the block, an error of Windows is raised as ServiceError.
    """
    import win32service as scm

    with _manager(name) as manager:
        service = scm.OpenService(manager, name, scm.SERVICE_ALL_ACCESS)
        try:
            yield service
        finally:
            scm.CloseServiceHandle(service)
