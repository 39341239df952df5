#!/usr/bin/env python3
"""What a night costs when a year is there already: nothing new, and one new export, against the cold run.

    cargo build --release
    ONLINE_RETAIL_EXPORTS=…/by-day python3 benches/night.py

The pipeline is online-retail: 305 daily drops, 541,909 lines. Each round has three parts, in turn, so that a slow spell of
the machine meets them all: a cold run as of 2011-12-10 from an empty lake; the night of the newest drop in a lake that was
made as of the day before without it; and that night asked for again, five times, of which the best counts. Nothing is deleted
before the end: ext4 without a journal steps over every file deleted in the last minutes when it makes a new one. Wall time is
that of the whole process, with report and mail. The medians of the rounds are printed, with the ratios that issue 2 asks
for, and the phases of the run records. `land`, `assemble`, `make` and `check` are summed over steps that run side by side.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PIPELINE = "online-retail"
# What a night costs before any stage looks at anything, and what it takes to put down what was done.
OVERHEAD = ["find", "plan", "lease", "records", "work.land", "work.assemble", "publish"]
ORDER = ["find", "plan", "lease", "records", "work", "work.land", "work.assemble", "work.make", "work.check", "publish", "report"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--rounds", type=int, default=3, help="how often each part is measured (default 3)")
    p.add_argument("--matins", default=os.path.join(ROOT, "target", "release", "matins"), help="the release build")
    p.add_argument("--exports", default=os.environ.get("ONLINE_RETAIL_EXPORTS"), help="the folder of 2010-12-01.csv …")
    p.add_argument("--markdown", action="store_true", help="print a table for docs/bench.md")
    return p.parse_args()


def project_in(work):
    """A copy, so that the mail of the bench does not lie among a person's."""
    project = os.path.join(work, "project")
    for part in ("pipelines", "sql", "report-templates"):
        shutil.copytree(os.path.join(ROOT, part), os.path.join(project, part))
    shutil.copy(os.path.join(ROOT, "matins.yaml"), project)
    return project


def run(matins, project, lake, exports, as_of):
    """Seconds of the whole process, and what it says of itself."""
    environment = {**os.environ, "MATINS_LAKE": lake, "ONLINE_RETAIL_EXPORTS": exports}
    command = [matins, "-C", project, "run", PIPELINE, "--as-of", as_of, "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nexit {done.returncode}\n{done.stderr}")
    return seconds, json.loads(done.stdout)


def one_round(options, work):
    project, part = project_in(work), os.path.join(work, "drops")
    names = sorted(name for name in os.listdir(options.exports) if name.endswith(".csv"))
    os.mkdir(part)
    for name in names:
        shutil.copy(os.path.join(options.exports, name), part)
    go = lambda lake, exports, as_of: run(os.path.abspath(options.matins), project, os.path.join(work, lake), exports, as_of)

    cold, whole = go("cold", part, "2011-12-10")
    # Moved, not copied: an export's time is part of what it is, and both lakes must see the same exports.
    newest, aside = os.path.join(part, names[-1]), os.path.join(work, names[-1])
    os.rename(newest, aside)
    go("nightly", part, "2011-12-09")
    os.rename(aside, newest)
    new, night = go("nightly", part, "2011-12-10")
    landed = [step["step"] for step in night["steps"] if step["step"].startswith("land ")]
    if night["content"] != whole["content"] or landed != [f"land invoice_lines {names[-1]}"]:
        sys.exit(f"the night of one new export is not what it should be: landed {landed}")
    again = min(go("nightly", part, "2011-12-10")[0] for _ in range(5))
    return {"cold": cold, "new": new, "again": again, "cold phases": whole["phases_ms"], "phases": night["phases_ms"]}


def main():
    options = arguments()
    if not os.access(options.matins, os.X_OK):
        sys.exit(f"{options.matins} is not there: cargo build --release, or name it with --matins")
    if not options.exports:
        sys.exit("set ONLINE_RETAIL_EXPORTS, or name the folder of drops with --exports")
    rounds = []
    with tempfile.TemporaryDirectory(prefix="matins-night-") as work:
        for number in range(options.rounds):
            folder = os.path.join(work, str(number))
            os.mkdir(folder)
            one = one_round(options, folder)
            rounds.append(one)
            print(f"round {number + 1}: cold {one['cold']:.2f} s, one new export {one['new']:.2f} s, nothing new {one['again'] * 1000:.0f} ms", file=sys.stderr)

    def median(of):
        return statistics.median(of(one) for one in rounds)

    cold, new, again = (median(lambda one, k=key: one[k]) for key in ("cold", "new", "again"))
    overhead = median(lambda one: sum(one["phases"].get(name, 0) for name in OVERHEAD) / 1000)
    lines = [
        ("cold run, 305 exports", f"{cold:.2f} s", "1"),
        ("one new export", f"{new:.2f} s", f"{new / cold:.3f} (at most 0.2)"),
        ("its landing, planning and records alone", f"{overhead * 1000:.0f} ms", f"{overhead / cold:.3f} (at most 0.05)"),
        ("nothing new, best of five", f"{again * 1000:.0f} ms", f"{again / cold:.3f}"),
    ]
    phase = lambda key, name: median(lambda one: one[key].get(name, 0))
    if options.markdown:
        print("| | wall | of the cold run |\n| --- | --- | --- |")
        for line in lines:
            print("| " + " | ".join(line) + " |")
    else:
        for what, wall, ratio in lines:
            print(f"{what:42} {wall:>10}   {ratio}")
    print()
    for name in ORDER:
        print(f"  {name:16} {phase('cold phases', name):>7.0f} ms cold {phase('phases', name):>7.0f} ms one new export")
    print(f"  ({' + '.join(OVERHEAD)} is counted as landing, planning and records)")


if __name__ == "__main__":
    main()
