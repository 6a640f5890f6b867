"""Runs clang-tidy over every C file that the build in a folder compiles, a few at once.

A file that passed is not looked at again until it, a header it includes (as the build recorded), the settings or
this file change: a mark with the time stands in the build folder's tidy/. Prints `file:line: what`.
"""
import argparse
import concurrent.futures
import json
import re
import subprocess
import sys
from pathlib import Path

from structure import ROOT, for_tests, read_layers

FINDING = re.compile(r"^([^:\s]+):(\d+):\d+: (?:warning|error): (.*)$", re.M)

# A variable that starts with a value which every branch then replaces is a habit, and a safe one.
HABITS = re.compile(r"^Value stored to '\w+' during its initialization is never read")


def dependencies(build):
    """{object file: [files it was compiled from]}, as ninja recorded them."""
    listed = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], capture_output=True, text=True, check=True)
    objects, current = {}, None
    for line in listed.stdout.splitlines():
        if line.startswith("    "):
            current.append(build / line.strip())
        elif ": #deps" in line:
            current = objects.setdefault(line.split(":")[0], [])
    return objects


def tidy(build, source, mark):
    command = ["clang-tidy-14", "--quiet", "-p", str(build), str(source)]
    # A failed assertion ends a test by a jump that the analyzer does not see; the sanitizers watch that code.
    if not source.is_relative_to(ROOT / "src") or for_tests(str(source.relative_to(ROOT / "src")), read_layers()):
        command.append("--checks=-clang-analyzer-*")
    done = subprocess.run(command, capture_output=True, text=True)
    # Paths are absolute or seen from the build folder.
    found = {f"{(build / path).resolve().relative_to(ROOT)}:{line}: {what}" for path, line, what
             in FINDING.findall(done.stdout) if (build / path).resolve().is_relative_to(ROOT)}
    serious = {finding for finding in found if not HABITS.match(finding.split(": ", 1)[1])}
    if done.returncode == 0 or (found and not serious):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    elif not found:
        serious = {f"{source.relative_to(ROOT)}:1: clang-tidy failed: {(done.stderr or done.stdout).strip()[-200:]}"}
    return serious


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    build, settings = options.build.resolve(), [ROOT / ".clang-tidy", Path(__file__)]
    recorded, work = dependencies(build), {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = (Path(entry["directory"]) / entry["file"]).resolve()
        if not source.is_relative_to(ROOT) or source.is_relative_to(build):
            continue
        mark = build / "tidy" / source.relative_to(ROOT)
        inputs = [source, *settings, *recorded.get(entry["output"], [])]
        newest = max(path.stat().st_mtime for path in inputs if path.exists())
        if not mark.exists() or mark.stat().st_mtime < newest:
            work[source] = mark
    if not recorded:
        print(f"{build.name}:1: nothing was compiled there, so nothing can be looked at")
        return 1
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        findings = set().union(*pool.map(lambda item: tidy(build, *item), work.items()))
    for finding in sorted(findings):
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
