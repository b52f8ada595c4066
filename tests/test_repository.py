"""The files of the repository: workflows, metadata, pins, and pages whose statements are true and tested."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import check_jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import distribution
from tests.processes import ROOT
from tests.runner import CliRunner
from wsgi_core.shared.installation import PUBLISHED

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yaml"))
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.github-issue-forms": sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml")),
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
    "vendor.readthedocs": [ROOT / ".readthedocs.yaml"],
    "vendor.citation-file-format": [ROOT / "CITATION.cff"],
}
# An installation of this project by name, which works only after a release.
BY_NAME = re.compile(r"""pip install(?: [^\n`&]*?)?["' ]wsgi[_-]core(?:\[|["'`\s]|$)""")
PINS = ROOT / ".ci" / "constraints.txt"
# The environment in which the pins were made.
LINUX = {"sys_platform": "linux", "python_version": "3.11", "platform_system": "Linux"}
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISES = re.split(r"^- ", SECURITY.partition("## Promises")[2].partition("## Not promised")[0], flags=re.M)[1:]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")

pytestmark = pytest.mark.skipif(not GITHUB.exists(), reason="only a checkout has the repository's files")


def steps() -> list[tuple[str, str]]:
    """Yield each command of each workflow, with the workflow's name."""
    found = []
    for file in WORKFLOWS:
        jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values()
        found += [(file.stem, step["run"]) for job in jobs for step in job["steps"] if "run" in step]
    return found


def setup() -> ConfigParser:
    found = ConfigParser(interpolation=None)
    found.read(ROOT / "setup.cfg", encoding="utf-8")
    return found


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_for_services_follow_their_schema(schema: str):
    files = [str(file) for file in SCHEMAS[schema]]
    assert files
    done = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", schema, *files])
    assert done.exit_code == 0, done.output


def test_a_workflow_with_a_mistake_is_found(tmp_path: Path):
    file = tmp_path / "tests.yaml"
    file.write_text(WORKFLOWS[-1].read_text(encoding="utf-8").replace("runs-on:", "runs_on:"), encoding="utf-8")
    done = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", "vendor.github-workflows", str(file)])
    assert done.exit_code == 1


@pytest.mark.parametrize(("workflow", "command"), steps())
def test_a_workflow_runs_what_the_pages_and_the_pipeline_run(workflow: str, command: str):
    known = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md", "RELEASE.md", ".ci/run")
    )
    assert command in known, f"{workflow}: {command}"


def test_the_tests_run_on_every_python_that_the_package_names():
    jobs = yaml.safe_load((GITHUB / "workflows" / "tests.yaml").read_text(encoding="utf-8"))["jobs"]
    matrix: dict[str, Any] = jobs["tests"]["strategy"]["matrix"]
    named = re.findall(r"Python :: (3\.\d+)$", setup()["metadata"]["classifiers"], re.MULTILINE)
    assert matrix["python"] == named
    assert setup()["options"]["python_requires"] == f">={named[0]}"


def test_what_reaches_into_a_library_has_an_upper_bound():
    required = map(Requirement, setup()["options"]["install_requires"].split("\n")[1:])
    bounded = {each.name for each in required if any(part.operator == "<" for part in each.specifier)}
    assert bounded >= {"werkzeug", "waitress"}


def test_no_extra_names_another_that_is_not_there():
    extras = setup()["options.extras_require"]
    assert {name for text in extras.values() for name in re.findall(r"%\((\w+)\)s", text)} <= set(extras)


def test_pages_and_messages_install_what_can_be_installed():
    if PUBLISHED:
        pytest.skip("the index has the package")
    texts = {file: file.read_text(encoding="utf-8") for file in shown_files()}
    found = [f"{file.relative_to(ROOT)}: {m[0]}" for file, text in texts.items() for m in BY_NAME.finditer(text)]
    assert found == []


def shown_files() -> Iterator[Path]:
    """Yield the files that users read, or from which a program prints text.

    Other tests write to folders of the checkout at the same time, such as .hypothesis, so these are not searched.
    """
    folders = [ROOT / name for name in ("wsgi_core", "flask_equiv", "loadtests", "docs", "models")]
    for file in [*ROOT.glob("*"), *(file for folder in folders for file in folder.rglob("*"))]:
        # The module of the variable itself describes the installation after a release.
        if file.suffix in {".py", ".md", ".html", ".txt", ".js"} and file.name != "installation.py":
            yield file


@pytest.mark.parametrize(
    "text",
    ['pip install "wsgi_core[ui]"', "pip install wsgi-core", "pip install --user 'wsgi_core[flask]'"],
)  # fmt: skip
def test_an_installation_by_name_is_found(text: str):
    assert BY_NAME.search(text)


@pytest.mark.parametrize("text", ['pip install ".[ui]"', 'pip install "C:\\wsgi_core-VERSION-py3-none-any.whl[ui]"'])
def test_an_installation_from_a_checkout_or_a_wheel_is_not(text: str):
    assert not BY_NAME.search(text)


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not in a clone")
def test_line_ends_are_the_same_on_every_system():
    listed = subprocess.run(["git", "ls-files", "--eol"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line for line in listed.splitlines() if line.startswith(("i/crlf", "i/mixed"))] == []


# The versions that CI installs meet the requirements in setup.cfg.


def pins() -> dict[str, str]:
    lines = PINS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def required() -> list[Requirement]:
    """Return the requirements of all extras on Linux, except the extra for Windows."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    wanted = {"flask", "overhead", "minilm", "ui", "train", "clients", "docs", "test"} & set(extras)
    texts = [config["options"]["install_requires"], *(extras[name] for name in wanted)]
    found = [Requirement(line) for text in texts for line in text.splitlines() if line.strip()]
    return [requirement for requirement in found if not requirement.marker or requirement.marker.evaluate(LINUX)]


def test_each_requirement_has_a_version_that_fits():
    """If it fails, run ``python .ci/lock.py >.ci/constraints.txt``."""
    known = pins()
    missing = [
        str(requirement)
        for requirement in required()
        if not requirement.specifier.contains(known.get(canonicalize_name(requirement.name), "0"))
    ]
    assert missing == []


def test_there_are_names_and_versions_and_no_place_to_get_them_from():
    lines = PINS.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[a-z0-9-]+==[A-Za-z0-9.+!]+", line)] == []


# Each promise of SECURITY.md names the tests that attack it.


def test_there_are_promises():
    assert len(PROMISES) > 10


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[2:40])
def test_a_promise_names_tests_that_exist(promise: str):
    named = NAMED.findall(promise)
    assert named
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (file, name)


# The distribution of the tests over workers


def test_every_file_of_a_unit_exists():
    assert [file for files in distribution.UNITS.values() for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize(
    ("fixture", "units"), [("browser", {"the browser"}), ("servers", {"the browser", "the servers"})]
)
def test_the_files_that_use_a_shared_fixture_run_in_its_unit(fixture: str, units: set[str]):
    parameter = re.compile(rf"\n(?:async )?def \w+\([^)]*\b{fixture}: ")
    files = {file: file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py")}
    users = [file.relative_to(ROOT).as_posix() for file, text in files.items() if parameter.search(text)]
    assert users
    assert {distribution.unit_of(f"{user}::test") for user in users} <= units


def test_units_come_before_other_files():
    assert distribution.rank("tests/trace/test_page.py::test_a") == 0
    assert distribution.rank("tests/test_app.py::test_a") == len(distribution.FIRST)
