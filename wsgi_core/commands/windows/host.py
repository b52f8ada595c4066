"""The main program of the process that the service manager of Windows starts.

pywin32 is imported inside functions, because it exists only on Windows. The worker is also imported inside a function:
its import takes seconds, but the process must connect to the service manager quickly.
"""

from __future__ import annotations

import logging
import os
import sys
import typing as t

if t.TYPE_CHECKING:
    from .worker import Worker

# ERROR_SERVICE_SPECIFIC_ERROR of Windows: the reason is in a second code, which the service defines.
_SPECIFIC = 1066
# Milliseconds that the service manager should wait while the service loads its models.
_START_HINT = 120_000


def main(arguments: t.Sequence[str]) -> None:
    """Connect to the service manager, and run the service until it has stopped.

    `arguments` are the arguments of `Worker`. This function works only in a process that the service manager has
    started.
    """
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        # A service has no standard streams. A library that prints must not fail because of that.
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
        _connect(arguments)


def _connect(arguments: t.Sequence[str]) -> None:
    import servicemanager

    servicemanager.Initialize(arguments[0], None)
    servicemanager.PrepareToHostSingle(_service_class(arguments))
    servicemanager.StartServiceCtrlDispatcher()


class _EventLog:
    def info(self, text: str) -> None:
        import servicemanager

        servicemanager.LogInfoMsg(text)

    def warning(self, text: str) -> None:
        import servicemanager

        servicemanager.LogWarningMsg(text)

    def error(self, text: str) -> None:
        import servicemanager

        servicemanager.LogErrorMsg(text)


def _service_class(arguments: t.Sequence[str]) -> type[t.Any]:
    """Return the class that pywin32 instantiates when the service starts."""
    import win32service
    import win32serviceutil

    class Service(win32serviceutil.ServiceFramework):  # type: ignore[misc]
        _svc_name_ = arguments[0]

        def __init__(self, args: t.Sequence[str]) -> None:
            super().__init__(args)
            self.worker: Worker | None = None

        def GetAcceptedControls(self) -> int:
            # When Windows shuts down, PRESHUTDOWN leaves time to answer all requests. SHUTDOWN leaves only 5 seconds.
            return int(win32service.SERVICE_ACCEPT_STOP | win32service.SERVICE_ACCEPT_PRESHUTDOWN)

        def SvcOther(self, control: int) -> None:
            if control == win32service.SERVICE_CONTROL_PRESHUTDOWN:
                self.SvcStop()

        def SvcStop(self) -> None:
            if self.worker is not None:
                self.ReportServiceStatus(win32service.SERVICE_STOP_PENDING, self.worker.stop_milliseconds)
                self.worker.stop()

        def SvcRun(self) -> None:
            # While a service is starting, it gets no controls. So no stop arrives before the worker exists.
            self.ReportServiceStatus(win32service.SERVICE_START_PENDING, _START_HINT)
            from .worker import Worker

            self.worker = Worker(arguments, _EventLog())
            code = self.worker.work(lambda: self.ReportServiceStatus(win32service.SERVICE_RUNNING))
            if code:
                # NOTE: the service manager treats an exit with an error as a failure, and restarts the service.
                error = 0 if self.worker.stopping else _SPECIFIC
                self.ReportServiceStatus(win32service.SERVICE_STOPPED, 0, error, code)
                # Exit here, because pywin32 would now report success, and a thread may still be running.
                logging.shutdown()
                os._exit(code)

    return Service
