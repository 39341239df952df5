#!/usr/bin/env python3
"""The bench: the same night by Matins and by what a user would write instead, in alternating pairs.

    python3 -m venv v && v/bin/pip install duckdb "dbt-core==1.10.*" "dbt-duckdb==1.10.*"
    cargo build --release
    v/bin/python benches/run.py --scale 20 --pairs 3          # 2 M orders, 987 MB, against a DuckDB script
    v/bin/python benches/run.py --scale 1 --pairs 3 --dbt     # 100,000 orders, against dbt on DuckDB

Nothing is built here. Exports are generated once a scale into the cache folder. Every timed run of Matins starts with an
empty lake; a second run in the same lake, with nothing new, is timed apart. Wall time and peak memory are those of the
whole child process. The tables must be equal as sets of rows, or the exit code is 1. docs/bench.md says how to read it.
"""
import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--scale", type=float, default=1, help="1 is 100,000 orders (default)")
    p.add_argument("--pairs", type=int, default=3, help="how often each side runs (default 3)")
    p.add_argument("--matins", default=os.path.join(ROOT, "target", "release", "matins"), help="the release build")
    p.add_argument("--cache", default=os.path.join(tempfile.gettempdir(), "matins-bench"), help="where exports are kept")
    p.add_argument("--memory", help="the engine's memory, such as 512MiB (default: the bench project's)")
    p.add_argument("--dbt", action="store_true", help="the peer is dbt on DuckDB instead of one DuckDB script")
    p.add_argument("--markdown", action="store_true", help="print the block for docs/bench.md")
    return p.parse_args()


def exports(scale, cache):
    """Generated beside and renamed, so that an interrupted generator leaves nothing that looks finished."""
    folder = os.path.join(cache, f"exports-{scale:g}")
    if not os.path.exists(os.path.join(folder, "truth.json")):
        print(f"generating exports of scale {scale:g} …", file=sys.stderr)
        unfinished = tempfile.mkdtemp(dir=cache)
        subprocess.run([sys.executable, f"{HERE}/generate.py", f"{scale:g}", unfinished], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(unfinished, folder)
    return folder


def timed(command, log, **environment):
    """Seconds, peak memory in MiB and standard output of a command that must succeed.

    The peak is the largest single process among the child and what it waited for; this process stays small, because
    Linux also counts what the parent was at the moment of the fork.
    """
    with open(log, "wb") as stderr, open(f"{log}.out", "wb") as stdout:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=stdout, stderr=stderr, env={**os.environ, **environment})
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    output = open(f"{log}.out").read()
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)}\nexit {child.returncode}\n{output[-2000:]}\n{open(log).read()[-4000:]}")
    # ru_maxrss is kilobytes on Linux and bytes on a Mac.
    return seconds, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024), output


def matins(options, folder, work, turn):
    """A night on an empty lake, then the same night again. No lake is deleted before the end: ext4 without a journal steps over
    every file deleted in the last minutes when it makes a new one."""
    lake = os.path.join(work, f"lake-{turn}")
    environment = {"MATINS_LAKE": lake, "MATINS_EXPORTS": folder}
    if options.memory:
        environment["MATINS_MEMORY"] = options.memory
    command = [os.path.abspath(options.matins), "--project", f"{HERE}/project", "run"]
    cold, memory, _ = timed(command, f"{work}/matins.log", **environment)
    again, _, _ = timed(command, f"{work}/matins-again.log", **environment)
    return {"cold": cold, "again": again, "memory": memory}


def peer_duckdb(folder, work, turn):
    out = os.path.join(work, f"peer-{turn}")
    cold, memory, _ = timed([sys.executable, f"{HERE}/peer_duckdb.py", folder, out], f"{work}/peer.log")
    return {"cold": cold, "memory": memory}


def peer_dbt(folder, work, turn):
    out = os.path.join(work, f"dbt-{turn}")
    _, memory, output = timed([sys.executable, f"{HERE}/peer_dbt.py", folder, out], f"{work}/dbt.log")
    cold, again = (float(re.search(rf"dbt build, {label}: ([\d.]+) s", output)[1]) for label in ("cold", "nothing new"))
    return {"cold": cold, "again": again, "memory": memory}


def machine():
    def version(package):
        code = f"import importlib.metadata as m; print(m.version({package!r}))"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() or "absent"

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ", ".join(f"{p} {version(p)}" for p in ("duckdb", "dbt-core", "dbt-duckdb"))
    return f"{cores} cores, {total:.0f} GiB, {platform.system()} {platform.machine()}, Python {platform.python_version()}, {packages}"


def main():
    options = arguments()
    if not os.access(options.matins, os.X_OK):
        sys.exit(f"{options.matins} is not there: cargo build --release, or name it with --matins")
    os.makedirs(options.cache, exist_ok=True)
    folder = exports(options.scale, options.cache)
    truth = json.load(open(f"{folder}/truth.json"))
    peer_name = "dbt on DuckDB" if options.dbt else "DuckDB script"
    work = tempfile.mkdtemp(dir=options.cache)
    pairs = []
    try:
        for turn in range(options.pairs):
            # Each side goes first every other time, so that a warm file cache favours neither.
            sides = [lambda: matins(options, folder, work, turn), lambda: (peer_dbt if options.dbt else peer_duckdb)(folder, work, turn)]
            results = [side() for side in (sides if turn % 2 == 0 else reversed(sides))]
            ours, theirs = results if turn % 2 == 0 else reversed(results)
            pairs.append((ours, theirs))
            print(f"pair {turn + 1}: matins {ours['cold']:.2f} s, {peer_name} {theirs['cold']:.2f} s", file=sys.stderr)
        if options.dbt:
            peer_duckdb(folder, work, options.pairs - 1)  # Untimed: its tables are the ones to compare with.
        found = subprocess.run([sys.executable, f"{HERE}/compare.py", f"{work}/lake-{options.pairs - 1}", f"{work}/peer-{options.pairs - 1}"],
                               check=True, stdout=subprocess.PIPE, text=True).stdout
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report(options, truth, peer_name, pairs, json.loads(found))


def report(options, truth, peer_name, pairs, found):
    median = lambda values: statistics.median(list(values))
    rows = [(f"{a['cold']:.2f} s", f"{b['cold']:.2f} s", f"{a['cold'] / b['cold']:.2f}", f"{a['memory']:.0f} MiB",
             f"{b['memory']:.0f} MiB", f"{a['again']:.2f} s", f"{b['again']:.2f} s" if "again" in b else "–") for a, b in pairs]
    ratio = median(a["cold"] / b["cold"] for a, b in pairs)
    rows.append((f"**{median(a['cold'] for a, _ in pairs):.2f} s**", f"**{median(b['cold'] for _, b in pairs):.2f} s**",
                 f"**{ratio:.2f}**", f"{max(a['memory'] for a, _ in pairs):.0f} MiB", f"{max(b['memory'] for _, b in pairs):.0f} MiB",
                 f"{median(a['again'] for a, _ in pairs):.2f} s",
                 f"{median(b['again'] for _, b in pairs):.2f} s" if "again" in pairs[0][1] else "–"))
    header = ("Matins, cold", peer_name, "ratio", "Matins, peak", "peer, peak", "Matins, nothing new", "peer, nothing new")
    balance = found["balance"]
    faults = {
        "orders read": (balance["read"], truth["orders"] + truth["repeated_order_rows"]),
        "orders quarantined": (balance["quarantined"], found["peer_rejected"]),
        "orders accounted for": (balance["landed"] + balance["deduplicated"], balance["read"] - balance["quarantined"]),
    }
    unequal = [f"{name}: {t['rows']} and {t['peer_rows']} rows; {t['why']}" for name, t in found["tables"].items() if not t["equal"]]
    unequal += [f"{what}: {ours}, should be {theirs}" for what, (ours, theirs) in faults.items() if ours != theirs]
    memory = f", engine memory {options.memory}" if options.memory else ""
    print(f"Scale {options.scale:g}: {truth['orders']:,} orders, {truth['bytes'] / 1e6:.0f} MB of CSV{memory}. {machine()}.\n")
    if options.markdown:
        for line in (header, ("---",) * len(header), *rows):
            print("| " + " | ".join(line) + " |")
    else:
        plain = [[cell.strip("*") for cell in row] for row in rows]
        widths = [max(len(r[i]) for r in [header, *plain]) for i in range(len(header))]
        for label, row in zip(["", *(f"pair {i + 1}" for i in range(len(pairs))), "median"], [header, *plain]):
            print(f"{label:8}" + "  ".join(cell.rjust(width) for cell, width in zip(row, widths)))
    print()
    if unequal:
        print("Tables differ:\n" + "\n".join(f"- {line}" for line in unequal))
        sys.exit(1)
    count = len(found["tables"])
    print(f"All {count} tables are equal as sets of rows ({sum(t['rows'] for t in found['tables'].values()):,} rows); "
          f"{balance['quarantined']:,} orders quarantined and {balance['deduplicated']:,} repeated rows dropped on both sides.")


if __name__ == "__main__":
    main()
