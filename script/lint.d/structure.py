"""Checks the house, not the code's behaviour: arrows between folders, sizes, banned names, folder READMEs,
files that no build names, and text that ties the tree to one machine. Prints `file:line: what`, one finding a line.
"""
import fnmatch
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_FUNCTION, MAX_FILE, MAX_README = 70, 600, 20
OWN = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
FOREIGN = re.compile(r"^\s*#\s*include\s+<([^>]+)>")
STRINGS_AND_COMMENTS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.S)
# Written so that this file does not hold what it looks for.
NOT_OURS = [(re.compile(r"regi[s]try\.(npmjs|yarnpkg)|files\.python[h]osted|deb\.node[s]ource|proxy\.golan[g]\.org"),
             "names a package registry's host"),
            (re.compile(r"(?<![\w.<{-])/(home|Users)/\w+|[A-Z]:\\Users\\"), "names a path of somebody's machine")]
findings = []


def report(path, line, what):
    findings.append(f"{path.relative_to(ROOT)}:{line}: {what}")


def tracked():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                            check=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def read_layers():
    """{section: {name: [allowed, ...]}} of script/layers."""
    sections, section = {}, None
    for line in (ROOT / "script/layers").read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line.strip() and not line.startswith("#"):
            name, *allowed = line.split()
            section[name] = allowed
    return sections


def within(path, name):
    """Whether a path of src/ is, or lies in, what a row names: a folder, a file, or a file without its ending."""
    return path == name or path.startswith(name + "/") or re.sub(r"\.[ch]$", "", path) == name


def for_tests(path, layers):
    return any(fnmatch.fnmatch(path, pattern) for pattern in layers["tests"])


def row_of(path, rows):
    return max((name for name in rows if within(path, name)), key=len, default=None)


def check_includes(path, name, lines, layers):
    rows, everyone = layers["includes"], layers["includes"]["*"]
    row = row_of(name, rows)
    if row is None:
        return report(path, 1, "its folder has no row in script/layers")
    for number, line in enumerate(lines, 1):
        if own := OWN.match(line):
            if for_tests(own[1], layers):
                report(path, number, f"includes {own[1]}, which is for tests only")
            if not any(within(own[1], allowed) for allowed in [row, *everyone, *rows[row]]):
                report(path, number, f"{row} may not include {own[1]} (script/layers)")
        elif foreign := FOREIGN.match(line):
            for section in ("libraries", "system"):
                for header, owners in layers[section].items():
                    if foreign[1].startswith(header) and not any(within(name, owner) for owner in owners):
                        report(path, number, f"{row} may not include <{foreign[1]}> (script/layers)")


def blank(text):
    """The text without comments, strings and characters, lines kept."""
    return STRINGS_AND_COMMENTS.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def check_names(path, name, code, layers):
    for pattern, owners in layers["names"].items():
        if any(within(name, owner) for owner in owners):
            continue
        for number, line in enumerate(code.splitlines(), 1):
            # A call or a name taken as a value, but no member, no declaration of a member, no other word.
            if found := re.search(rf"(?<![\w.>])({pattern})\s*\(", line):
                report(path, number, f"{found[1]} does not belong in {name.rpartition('/')[0]} (script/layers)")


def check_shape(path, text, code):
    lines = text.splitlines()
    if len(lines) > MAX_FILE:
        report(path, MAX_FILE + 1, f"file of {len(lines)} lines, more than {MAX_FILE}")
    if not text.startswith(("/*", "//")):
        report(path, 1, "does not begin with a comment that says what it is for")
    start = None
    for number, line in enumerate(code.splitlines(), 1):
        if line.startswith("{"):  # the layout puts only a function's braces in the first column
            start = number
        elif line.startswith("}") and start:
            if number - start + 1 > MAX_FUNCTION:
                report(path, start, f"function of {number - start + 1} lines, more than {MAX_FUNCTION}")
            start = None
        if re.match(r"\s*typedef\s+(struct|union|enum)\b", line):
            report(path, number, "typedef of a tag; use the tag")


def check_readmes():
    folders = {path.parent for path in (ROOT / "src").rglob("*.[ch]")}
    for folder in sorted(folders):
        readme = folder / "README.md"
        if not readme.is_file():
            report(folder, 1, "folder without a README.md")
        elif (count := len(readme.read_text().splitlines())) > MAX_README:
            report(readme, MAX_README + 1, f"README of {count} lines, more than {MAX_README}")


def check_built(files):
    """A C file that no meson.build names is compiled by nobody, and a test in it never fails."""
    for path in (file for file in files if file.suffix == ".c"):
        for folder in path.parents:
            build = folder / "meson.build"
            text = build.read_text() if build.is_file() else ""
            words, name = set(re.findall(r"[\w./-]+", text)), str(path.relative_to(folder))
            # Spelled out, or made in a loop over names: name + '_test.c'.
            stem, ending = (name[:-7], "_test.c") if name.endswith("_test.c") else (name[:-2], ".c")
            if name in words or (stem in words and re.search(rf"['@]{re.escape(ending)}'", text)):
                break
            if folder == ROOT:
                report(path, 1, "no meson.build names this file")
                break


def check_text(path, text):
    patterns = list(NOT_OURS)
    for folder in [ROOT, *ROOT.parents]:
        if len(folder.parts) > 2 or str(folder) not in ("/", "/tmp", "/var", "/usr", "/opt", "/srv", "/home", "/root"):
            patterns.append((re.compile(re.escape(str(folder)) + r"(?=/\w)"), "names a path of this machine"))
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, what in patterns:
            if pattern.search(line):
                report(path, number, what)


def main():
    layers, files = read_layers(), tracked()
    for path in files:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # a fuzz corpus holds bytes, not text
        if "corpus" not in path.parts:
            check_text(path, text)
        if path.suffix not in (".c", ".h"):
            continue
        code = blank(text)
        check_shape(path, text, code)
        name = str(path.relative_to(ROOT)).removeprefix("src/")
        if path.is_relative_to(ROOT / "src") and not for_tests(name, layers):
            check_includes(path, name, text.splitlines(), layers)
            check_names(path, name, code, layers)
    check_readmes()
    check_built(files)
    print("\n".join(sorted(findings)))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
