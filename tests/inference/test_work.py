"""The current work: nested work restores the outer work, and ended work is marked as over."""

from __future__ import annotations

import time

import pytest

from wsgi_core.inference.work import Cancelled, DeadlineExceeded, Work, current


def test_the_outer_work_is_current_again_after_the_inner_one():
    outer, inner = Work(), Work()
    with outer:
        with inner:
            assert current.get() is inner
        assert current.get() is outer
    with pytest.raises(DeadlineExceeded), outer:
        raise DeadlineExceeded
    assert current.get() is None


def test_work_is_over_at_its_deadline_or_when_its_client_has_left():
    Work().check()
    Work(time.monotonic() + 60, lambda: False).check()
    with pytest.raises(DeadlineExceeded):
        Work(time.monotonic()).check()
    with pytest.raises(Cancelled):
        Work(time.monotonic(), lambda: True).check()
