"""Runs test suites and counts their results; the engine of script/test, which builds what they run against.

A suite is `unit` (the programs that Meson lists as tests, counted by cmocka test function) or an executable
tests/NAME/run (see tests/README.md). No suite is trusted to report on itself: a crash, a time-out, a sanitizer's
report, a process left running, an exit code that disagrees, and no result at all are failures.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_SUITES = {"bench", "fuzz", "lib"}
TIME_LIMIT_S = 600  # of a suite that names none
RESULT = re.compile(r"^(ok|not ok|skip) (\S.*)$")
TAP_PLAN = re.compile(r"^1\.\.(\d+)")
TAP_RESULT = re.compile(r"^(ok|not ok) \d+ -? ?(.*)$")


class Tally:
    """The results of one suite."""

    def __init__(self, suite):
        self.suite, self.passed, self.skipped, self.failures = suite, 0, 0, []

    def add(self, verdict, text):
        if verdict == "ok":
            self.passed += 1
        elif verdict == "skip":
            self.skipped += 1
        else:
            self.failures.append(text)

    def fail(self, text):
        self.add("not ok", text)
        print(f"not ok {text}", flush=True)

    def total(self):
        return self.passed + self.skipped + len(self.failures)


def end_group(group):
    """Kills what is left of a process group; true if something was still running two seconds after its leader."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.05)
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def run(command, limit_s, env, on_line, cwd=ROOT):
    """Runs a command in a process group of its own. Returns (exit code or None on time-out, left processes)."""
    process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    reader = threading.Thread(target=lambda: [on_line(line.rstrip("\n")) for line in process.stdout], daemon=True)
    reader.start()
    try:
        code = process.wait(limit_s)
        left = end_group(process.pid)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        code, left = None, False
    reader.join(5)
    return code, left


def environment(build, logs, suite, scratch):
    """What a suite finds in its environment; sanitizers write their reports to files that we count."""
    reports = logs / f"{suite}.sanitizer"
    common = f"log_path={reports}:exitcode=99:halt_on_error=1"
    return dict(os.environ, USHER_BUILD=str(build), TMPDIR=scratch, CMOCKA_MESSAGE_OUTPUT="TAP",
                ASAN_OPTIONS=f"{common}:detect_leaks=1:detect_stack_use_after_return=1",
                UBSAN_OPTIONS=f"{common}:print_stacktrace=1")


def ending(code, left, limit_s, failures, results):
    """What is wrong with the way a program ended, as a list of sentences."""
    wrong = []
    if code is None:
        wrong.append(f"took longer than {limit_s} s")
    elif code < 0:
        wrong.append(f"was killed by {signal.Signals(-code).name}")
    elif code != 0 and not failures:
        wrong.append(f"exit code {code}, though no test failed")
    elif code == 0 and failures:
        wrong.append("exit code 0, though a test failed")
    if left:
        wrong.append("left processes running")
    if not results and not wrong:
        wrong.append("no result")
    return wrong


def unit_program(test, build, logs, scratch):
    """Runs one unit test program. Returns (name, [(verdict, text)], output)."""
    lines, results, planned = [], [], 0
    limit_s = test.get("timeout") or 60
    env = environment(build, logs, "unit", scratch) | test.get("env", {})
    code, left = run(test["cmd"], limit_s, env, lines.append, test.get("workdir") or ROOT)
    for line in lines:
        if plan := TAP_PLAN.match(line):
            planned += int(plan[1])
        elif found := TAP_RESULT.match(line):
            skipped = found[2].startswith("# SKIP")
            results.append(("skip" if skipped else found[1], f"{test['name']}: {found[2]}"))
    failures = sum(verdict == "not ok" for verdict, _ in results)
    if planned == 0 and not results and code == 0:
        results.append(("ok", test["name"]))  # not a cmocka program: it is one test
    wrong = ending(code, left, limit_s, failures, results)
    if len(results) < planned:
        wrong = [", ".join([f"ended after {len(results)} of {planned} tests"] + wrong)]
    results += [("not ok", f"{test['name']}: {what}") for what in wrong]
    return test["name"], results, "\n".join(lines)


def run_unit(tally, build, logs, scratch, jobs):
    listed = subprocess.run(["meson", "introspect", "--tests", str(build)], capture_output=True, text=True, check=True)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool, open(logs / "unit.log", "w") as log:
        started = [pool.submit(unit_program, test, build, logs, scratch) for test in json.loads(listed.stdout)]
        for name, results, output in (done.result() for done in concurrent.futures.as_completed(started)):
            log.write(f"== {name}\n{output}\n")
            bad = [text for verdict, text in results if verdict == "not ok"]
            if not bad:
                print(f"ok {name} ({len(results)})", flush=True)
            for verdict, text in results:
                tally.fail(text) if verdict == "not ok" else tally.add(verdict, text)
            if bad:
                show_tail(output)


def run_folder(tally, build, logs, scratch):
    program = ROOT / "tests" / tally.suite / "run"
    if not os.access(program, os.X_OK):
        return tally.fail(f"{tally.suite} - tests/{tally.suite}/run is missing or not executable")
    head = "".join(program.read_text(errors="replace").splitlines(keepends=True)[:12])
    named = re.search(r"time-limit: (\d+)", head)
    limit_s = int(named[1]) if named else TIME_LIMIT_S
    lines = []
    with open(logs / f"{tally.suite}.log", "w") as log:

        def on_line(line):
            print(line, file=log, flush=True)
            lines.append(line)
            if result := RESULT.match(line):
                tally.add(result[1], result[2])
                print(line, flush=True)

        code, left = run([str(program)], limit_s, environment(build, logs, tally.suite, scratch), on_line)
    wrong = ending(code, left, limit_s, tally.failures, tally.total())
    for what in wrong:
        tally.fail(f"{tally.suite} - {what}")
    if tally.failures:
        show_tail("\n".join(line for line in lines if not RESULT.match(line)))


def show_tail(output, count=40):
    for line in output.splitlines()[-count:]:
        print(f"    {line}", flush=True)


def run_suite(suite, build, logs, jobs):
    tally, began = Tally(suite), time.monotonic()
    print(f"== {suite}", flush=True)
    scratch = tempfile.mkdtemp(prefix="usher-test-")
    try:
        run_unit(tally, build, logs, scratch, jobs) if suite == "unit" else run_folder(tally, build, logs, scratch)
        if tally.total() == 0:
            tally.fail(f"{suite} - no result")
    except Exception as problem:  # whatever keeps a suite from running is a failure of that suite
        tally.fail(f"{suite} - could not run: {problem}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for report in sorted(logs.glob(f"{suite}.sanitizer.*")):
        text = report.read_text(errors="replace")
        summary = re.search(r"SUMMARY: (.*)|runtime error: (.*)|ERROR: (.*)", text)
        tally.fail(f"{suite} - sanitizer report {report.name}: {summary[0] if summary else 'see the file'}")
        show_tail("\n".join(text.splitlines()[:40]))
    print(f"== {suite}: {counts(tally.passed, len(tally.failures), tally.skipped)} "
          f"in {time.monotonic() - began:.0f} s", flush=True)
    return tally


def counts(passed, failed, skipped):
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def known_suites():
    """unit, and every folder of tests/ with files in it that is not there for another command."""
    folders = [folder for folder in sorted((ROOT / "tests").glob("*/")) if folder.name not in NOT_SUITES]
    return ["unit"] + [f.name for f in folders if any(entry.is_file() for entry in f.iterdir())]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("suites", nargs="*")
    options = parser.parse_args()
    known = known_suites()
    if options.list:
        print("\n".join(known))
        return 0
    logs = options.build / "test-logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    tallies = []
    for suite in options.suites or known:
        tallies.append(run_suite(suite, options.build, logs, options.jobs))
    failures = [text for tally in tallies for text in tally.failures]
    if failures:
        print("== failed")
    for text in failures:
        print(f"not ok {text}" if len(text) <= 300 else f"not ok {text[:300]}… (the log has all of it)")
    print(counts(sum(t.passed for t in tallies), len(failures), sum(t.skipped for t in tallies)), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
