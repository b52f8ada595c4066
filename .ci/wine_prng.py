"""Write bcryptprimitives.dll, which wine 8 lacks. Python packages that are built with a recent Rust need this DLL.

The DLL has no code. It forwards its only function, ProcessPrng, to SystemFunction036 (RtlGenRandom) in advapi32, which
takes the same two arguments. The layout follows the PE format.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

SECTION = 0x1000  # the address of the only section in memory, relative to the image base
FILE_OFFSET = 0x200  # the offset of the section in the file
SIZE = 0x200


def exports() -> bytes:
    """Return the export directory of the PE format for the one function, followed by the data that it refers to."""
    directory = 40
    functions, names, ordinals = SECTION + directory, SECTION + directory + 4, SECTION + directory + 8
    texts = [b"bcryptprimitives.dll\0", b"ProcessPrng\0", b"ADVAPI32.SystemFunction036\0"]
    library = SECTION + directory + 12
    function = library + len(texts[0])
    target = function + len(texts[1])
    head = struct.pack("<IIHHIIIIIII", 0, 0, 0, 0, library, 1, 1, 1, functions, names, ordinals)
    return head + struct.pack("<IIHxx", target, function, 0) + b"".join(texts)


def headers(export_size: int) -> bytes:
    """Return the DOS header, the PE headers of a 64-bit DLL, and the header of its only section."""
    dos = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    # 0x8664: x86-64; 0x2022: an executable image, can use addresses above 2 GiB, a DLL.
    file_header = struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 240, 0x2022)
    standard = struct.pack("<HBBIIIII", 0x20B, 0, 0, 0, SIZE, 0, 0, SECTION)
    windows = struct.pack(
        "<QIIHHHHHHIIIIHH", 0x180000000, 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0, 0x2000, 0x200, 0, 3, 0x100
    )
    tail = struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    directories = struct.pack("<II", SECTION, export_size) + bytes(15 * 8)
    # 0x40000040: initialized data, readable.
    section = b".rdata\0\0" + struct.pack("<IIIIIIHHI", SIZE, SECTION, SIZE, FILE_OFFSET, 0, 0, 0, 0, 0x40000040)
    return (dos + b"PE\0\0" + file_header + standard + windows + tail + directories + section).ljust(FILE_OFFSET, b"\0")


def main(folder: str) -> None:
    """Write the DLL into `folder`."""
    data = exports()
    (Path(folder) / "bcryptprimitives.dll").write_bytes(headers(len(data)) + data.ljust(SIZE, b"\0"))


if __name__ == "__main__":
    main(sys.argv[1])
