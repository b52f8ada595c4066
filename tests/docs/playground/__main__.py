"""``python -m tests.docs.playground [SITE]``: build the playground into a site, by default docs/_build."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from . import examples, fetched, notices

ROOT = Path(__file__).parents[3]
SITE = ROOT / "docs" / "_build"
# The parts outside the core that the page uses. The service is not among them: it needs onnxruntime, which does not run
# in a browser.
_PACKAGES = ("trace", "commands/learn")
_MODULES = ("shared/__init__.py", "shared/files.py")
_PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
# The page highlights only Python, so Pygments' other languages are omitted.
_OTHER_LANGUAGES = re.compile(r"pygments/(lexers|formatters|styles)/(?!__init__|_mapping|python|html|default)")
_THE_SAME_DAY = (2020, 1, 1, 0, 0, 0)
# The service worker that caches the page's files for use without a network.
_OFFLINE = "playground-offline.js"


def build(site: Path) -> list[Path]:
    """Build everything into `site`. Return all files, including those that Sphinx copies."""
    modules, folder = fetched.npm_modules(), site / "playground"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(fetched.SOURCES / "site", site, dirs_exist_ok=True)
    (folder / "pyodide").mkdir(exist_ok=True)
    for name in _PYODIDE:
        shutil.copyfile(modules / "pyodide" / name, folder / "pyodide" / name)
    _bundle(modules, folder / "editor.js")
    _pack(folder / "packages.zip", modules)
    (folder / "examples.json").write_text(json.dumps(examples.groups(), indent=1), encoding="utf-8")
    (folder / "notices.txt").write_text(notices.text(modules, fetched.wheels()), encoding="utf-8")
    files = [site / "playground.html", *sorted(file for file in folder.rglob("*") if file.is_file())]
    files.append(_write_manifest(site, files))
    return [*files, site / _OFFLINE]


def _bundle(modules: Path, out: Path) -> None:
    """Bundle the editor and the parts of CodeMirror that it imports into one file."""
    entry = modules.parent / "editor.js"
    shutil.copyfile(fetched.SOURCES / "editor.js", entry)
    esbuild = modules / "esbuild" / "bin" / "esbuild"
    options = ["--bundle", "--format=esm", "--minify", "--log-level=warning", "--legal-comments=none"]
    subprocess.run(["node", str(esbuild), str(entry), *options, f"--outfile={out}"], check=True)


def _pack(out: Path, modules: Path) -> None:
    """Write the Python files into one archive, compiled by the Python version that runs them in the browser."""
    plain = out.with_name("plain.zip")
    with zipfile.ZipFile(plain, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(_python_files()):
            archive.writestr(zipfile.ZipInfo(name, _THE_SAME_DAY), data, zipfile.ZIP_DEFLATED)
    script = fetched.SOURCES / "compile.mjs"
    subprocess.run(["node", str(script), str(modules / "pyodide" / "pyodide.mjs"), str(plain), str(out)], check=True)
    plain.unlink()


def _python_files() -> Iterator[tuple[str, bytes]]:
    for wheel in fetched.wheels():
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith((".so", "/", "RECORD", ".c", ".pyi")) and not _OTHER_LANGUAGES.match(name):
                    yield name, archive.read(name)
    yield from own_files()


def own_files() -> Iterator[tuple[str, bytes]]:
    """Yield the project's files that run in the browser: the path in the archive, and the content."""
    package = ROOT / "wsgi_core"
    folders = [package, package / "commands", *(package / name for name in _PACKAGES)]
    for file in (file for folder in folders for file in [*folder.glob("*"), *folder.glob("templates/*")]):
        if file.is_file() and (file.parent != package / "commands" or file.name == "__init__.py"):
            yield f"wsgi_core/{file.relative_to(package).as_posix()}", file.read_bytes()
    for name in _MODULES:
        yield f"wsgi_core/{name}", (package / name).read_bytes()
    for file in sorted((ROOT / "docs" / "course").glob("step_*.py")):
        yield f"wsgi_core/_course/{file.name}", file.read_bytes()
    for file in [*fetched.SOURCES.glob("*.py"), ROOT / "tests/conformance/flask_suite/plugin/flask_alias.py"]:
        yield file.name, file.read_bytes()
    metadata = f"Metadata-Version: 2.1\nName: wsgi_core\nVersion: {version('wsgi_core')}\n"
    yield "wsgi_core.dist-info/METADATA", metadata.encode()


def _write_manifest(site: Path, files: list[Path]) -> Path:
    """Write the size of the large downloads, and the list of files that the browser caches for offline use."""
    manifest = site / "playground" / "manifest.json"
    fetched_first = [file for file in files if file.suffix in (".wasm", ".zip")]
    size = sum(file.stat().st_size for file in fetched_first)
    manifest.write_text(json.dumps({"fetched": size}), encoding="utf-8")
    names = [file.relative_to(site).as_posix() for file in [*files, manifest]]
    digest = hashlib.sha256(b"".join((site / name).read_bytes() for name in names)).hexdigest()[:12]
    text = (fetched.SOURCES / "site" / _OFFLINE).read_text(encoding="utf-8")
    text = re.sub(r"const FILES = \[\]", lambda found: f"const FILES = {json.dumps(names)}", text)
    (site / _OFFLINE).write_text(text.replace("VERSION", digest), encoding="utf-8")
    return manifest


def main() -> int:
    """Build the playground, and print its size."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs.playground", description=__doc__)
    parser.add_argument("site", type=Path, nargs="?", default=SITE, metavar="SITE")
    site = parser.parse_args().site
    size = sum(file.stat().st_size for file in set(build(site)))
    print(f"{site / 'playground.html'}: {size / 1e6:.1f} MB in all")
    print(f"Try it: python -m http.server --directory {site} 8000, then http://127.0.0.1:8000/playground.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
