"""Readiness is true from the start, and never again after a stop."""

from __future__ import annotations

from wsgi_core.shared.readiness import Readiness


def test_a_stop_is_for_good():
    readiness = Readiness()
    assert readiness.ready
    readiness.stop()
    readiness.stop()
    assert not readiness.ready
