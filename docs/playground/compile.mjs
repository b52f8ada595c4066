// node compile.mjs PYODIDE.MJS PLAIN.ZIP OUT.ZIP: copy an archive, and add the compiled form of its Python files.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , pyodide, plain, out] = process.argv;
const { loadPyodide } = await import(pathToFileURL(pyodide).href);
const python = await loadPyodide();
python.FS.writeFile("/plain.zip", readFileSync(plain));
python.runPython(`
import compileall, py_compile, sys, zipfile
from pathlib import Path

root = Path("/packages")
with zipfile.ZipFile("/plain.zip") as archive:
    archive.extractall(root)
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH  # the files never change: no time needs to be compared
compileall.compile_dir(root, quiet=2, invalidation_mode=mode, stripdir="/packages", prependdir=__import__("site").getsitepackages()[0])
with zipfile.ZipFile("/out.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for file in sorted(root.rglob("*")):
        if file.is_file():
            info = zipfile.ZipInfo(file.relative_to(root).as_posix(), (2020, 1, 1, 0, 0, 0))
            archive.writestr(info, file.read_bytes(), zipfile.ZIP_DEFLATED)
`);
writeFileSync(out, python.FS.readFile("/out.zip"));
