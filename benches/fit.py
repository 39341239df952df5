#!/usr/bin/env python3
"""How long the purchase models take to fit to many customers, through SQL as a stage calls them.

    cargo build --release
    python3 benches/fit.py --customers 1000000

Customers are drawn from the BG/NBD model itself with r = 1, alpha = 60 days, a = 1, b = 3, seen for one day to two years,
purchases of one day counted once; what the fit finds (alpha in weeks, so 8.6) can be held against that. The export is
written once a size into the cache folder. Time is that of the stage, reading and publishing left out; the peak is the
whole process's. Leaves with 1 when a fit took longer than --limit.
"""
import argparse
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
MODELS = ["bgnbd", "mbgnbd"]


def customers(count):
    draw = random.Random(7)
    for _ in range(count):
        rate = draw.expovariate(60.0)
        # The least of three uniforms has the density of a beta with a = 1 and b = 3.
        lost = min(draw.random(), draw.random(), draw.random())
        end = draw.randint(1, 730)
        repeats, last, now = 0, 0, 0.0
        while True:
            now += draw.expovariate(rate)
            day = math.ceil(now)
            if day > end:
                break
            if day > last:
                repeats, last = repeats + 1, day
            if draw.random() < lost:
                break
        yield repeats, last, end


def write(path, count):
    """Beside its place and then renamed, so that an interrupted writer leaves nothing that looks finished."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.unfinished", "w") as out:
        out.write("x,last_day,days\n")
        out.writelines(f"{x},{last},{end}\n" for x, last, end in customers(count))
    os.rename(f"{path}.unfinished", path)


def project(folder):
    files = {
        "matins.yaml": "lake: lake\ntime_zone: UTC\ndefault_pipeline: fit\nstores: {exports: \"${FIT_EXPORTS}\"}\n",
        "pipelines/fit.yaml": "sources:\n  customers:\n    path: exports://customers.csv\n    mode: full\n    columns:\n"
        "      x: {type: integer, required: true}\n      last_day: {type: integer, required: true}\n"
        "      days: {type: integer, required: true}\npacks: [fit]\n",
    }
    for model in MODELS:
        files[f"sql/fit/fit/{model}.sql"] = (
            f"SELECT f['r'] AS r, f['alpha'] AS alpha, f['a'] AS a, f['b'] AS b, f['iterations'] AS iterations, f['reason'] AS reason\n"
            f"FROM (SELECT fit_{model}(x, last_day / 7.0, days / 7.0) AS f FROM raw.customers) AS fits\n"
        )
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        open(os.path.join(folder, path), "w").write(text)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--customers", type=int, default=1_000_000, help="default 1,000,000")
    p.add_argument("--limit", type=float, default=10.0, help="seconds a fit may take (default 10)")
    p.add_argument("--matins", default=os.path.join(ROOT, "target", "release", "matins"), help="the release build")
    p.add_argument("--cache", default=os.path.join(tempfile.gettempdir(), "matins-bench"), help="where exports are kept")
    options = p.parse_args()
    exports = os.path.join(options.cache, f"buyers-{options.customers}")
    if not os.path.exists(os.path.join(exports, "customers.csv")):
        print(f"drawing {options.customers:,} customers …", file=sys.stderr)
        write(os.path.join(exports, "customers.csv"), options.customers)
    matins = os.path.abspath(options.matins)
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        project(folder)
        environment = {**os.environ, "FIT_EXPORTS": exports}
        environment.pop("MATINS_LAKE", None)

        def ask(sql):
            command = [matins, "-C", folder, "query", "--json", sql]
            return json.loads(subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout)

        subprocess.run([matins, "-C", folder, "run", "-q"], check=True, env=environment, stdout=subprocess.DEVNULL)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
        took = {row["step"]: row["took_ms"] for row in ask("SELECT step, took_ms FROM system.steps")}
        print("| model | customers | time | r | alpha, weeks | a | b | evaluations |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for model in MODELS:
            seconds = took[f"make fit.{model}"] / 1000
            slow |= seconds > options.limit
            found = ask(f"SELECT * FROM fit.{model}")[0]
            figures = " | ".join(f"{found[name]:.3f}" for name in ["r", "alpha", "a", "b"])
            print(f"| {model} | {options.customers:,} | {seconds:.2f} s | {figures} | {found['iterations']} |")
        print(f"\nPeak memory of the run: {peak:.0f} MiB")
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
