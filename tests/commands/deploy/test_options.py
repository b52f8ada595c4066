"""The options of deploy: a value that could change the meaning of a file is rejected, with the name of the option."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from wsgi_core.commands.deploy.options import Deployment


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "Upper"),
        ("name", "a b"),
        ("name", "-a"),
        ("user", "root;"),
        ("servers", 0),
        ("listen", 70000),
        ("server_name", "a.example.org; include /etc/passwd"),
        ("image", "Upper/Case"),
        ("image", "a b"),
        ("python_version", "3.9"),
        ("cpu", "0"),
        ("memory", "1 Gi"),
        ("min_replicas", 0),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, value: object):
    with pytest.raises(ValidationError, match=name):
        Deployment.model_validate({name: value})


def test_there_are_no_fewer_pods_at_most_than_at_least():
    with pytest.raises(ValidationError, match="less"):
        Deployment(min_replicas=3, max_replicas=2)


def test_the_defaults_fit():
    assert Deployment() == Deployment.model_validate(Deployment().model_dump())
