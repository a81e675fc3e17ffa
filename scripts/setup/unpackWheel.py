"""Reads Python wheels (zip files), with nothing but the standard library.

unpackWheel.py extract WHEEL DEST FROM=TO...   writes the files whose path matches FROM (a glob, * crosses folders) under DEST/TO,
                                               keeping their path below FROM's fixed folder
unpackWheel.py needs WHEEL EXTRA               prints the requirements that belong to EXTRA, one a line, without markers
"""

import fnmatch
import os
import shutil
import sys
import zipfile


def extract(wheel, dest, rules):
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            for rule in rules:
                pattern, to = rule.split("=", 1)
                if not fnmatch.fnmatchcase(info.filename, pattern):
                    continue
                fixed = os.path.dirname(pattern.split("*", 1)[0])
                path = os.path.join(dest, to, os.path.relpath(info.filename, fixed))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with archive.open(info) as source, open(path, "wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                os.chmod(path, (info.external_attr >> 16) & 0o777 or 0o644)
                break


def needs(wheel, extra):
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        for line in archive.read(name).decode().splitlines():
            if line.startswith("Requires-Dist:") and "extra == " in line and '"%s"' % extra in line:
                print(line.split(":", 1)[1].split(";")[0].strip())


if __name__ == "__main__":
    if sys.argv[1] == "extract":
        extract(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        needs(sys.argv[2], sys.argv[3])
