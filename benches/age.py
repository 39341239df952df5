#!/usr/bin/env python3
"""What a night costs as a pipeline grows older: a year of nights of online-retail through `matins serve`, by a clock that leaps.

    cargo build --release
    ONLINE_RETAIL_EXPORTS=…/by-day python3 benches/age.py [--plot docs/pictures/age.svg] [--backfill]

Every night is due at 02:30 and runs by itself; what it cost is read from its record afterwards (`matins runs --json`). Printed are
medians of the ten nights around night 30 and night 300: finding, planning, lease, records, landing and publishing; the stages that are
incremental; and apart from them the stages that look at all history, with the number of rows they look at. Nights without a drop
(Saturdays, holidays) are left out. With `--backfill` a second lake is filled by `matins backfill`, and every snapshot's content must be
the same. The exit code is 1 when it is not, or when the first two cost more than 1.3 times at night 300.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PIPELINE = "online-retail"
OVERHEAD = ["find", "plan", "lease", "records", "work.land", "work.assemble", "publish"]
LIMIT = 1.3


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--matins", default=str(ROOT / "target/release/matins"))
    p.add_argument("--exports", default=os.environ.get("ONLINE_RETAIL_EXPORTS"), help="the folder of 2010-12-01.csv …")
    p.add_argument("--until", default="2011-12-10", help="the day of the last night")
    p.add_argument("--plot", help="an SVG to write")
    p.add_argument("--backfill", action="store_true")
    return p.parse_args()


def project_in(work):
    project = work / "project"
    for part in ("pipelines", "sql", "report-templates"):
        shutil.copytree(ROOT / part, project / part)
    shutil.copy(ROOT / "matins.yaml", project)
    path = project / f"pipelines/{PIPELINE}.yaml"
    text = path.read_text()
    path.write_text(text.replace("interval: day\n", 'interval: day\nschedule: {cron: "30 2 * * *"}\n', 1))
    return project


def call(options, project, lake, words, **more):
    environment = {**os.environ, "MATINS_LAKE": str(lake), "ONLINE_RETAIL_EXPORTS": options.exports, **more}
    done = subprocess.run([options.matins, "-C", str(project), *words], env=environment, capture_output=True, text=True, timeout=7200)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}\nexit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def incremental(project):
    """The tables whose stage says so."""
    names = set()
    for path in project.glob("sql/online-retail/*/*.sql"):
        if "\nincremental:" in path.read_text():
            names.add(f"{path.parent.name}.{path.stem}")
    return names


def nights(lake, parts):
    """`as_of` → milliseconds by what they were spent on, of nights that landed something, oldest first."""
    found = {}
    for path in lake.glob(f"runs/{PIPELINE}/*/finished.json"):
        record = json.loads(path.read_text())["data"]
        started = json.loads((path.parent / "started.json").read_text())["data"]
        if record["status"] != "published":
            continue
        ran = [s for s in record["steps"] if s["outcome"] == "ran"]
        made = [s for s in ran if s["step"].startswith("make ")]
        of = lambda inside: sum(s["took_ms"] for s in made if (s["step"].split()[1] in parts) == inside)
        phases = record["phases_ms"]
        found[started["as_of"]] = {
            "landed": sum(s["step"].startswith("land ") for s in ran),
            "rows": sum(b["read"] for b in record["balances"].values()),
            "overhead": sum(phases.get(name, 0) for name in OVERHEAD),
            "incremental stages": of(True),
            "stages over all history": of(False),
            "checks": phases.get("work.check", 0),
            "all": sum(v for k, v in phases.items() if not k.startswith("work.")),
        }
    return [(as_of, night) for as_of, night in sorted(found.items()) if night["landed"]]


def around(all_nights, at):
    some = [night for _, night in all_nights[at - 5 : at + 5]]
    return {name: statistics.median(night[name] for night in some) for name in some[0]}


def slope(all_nights, name):
    """Milliseconds for 100,000 more rows, and the share of the variance that a straight line explains."""
    x, y = [n["rows"] / 1e5 for _, n in all_nights], [n[name] for _, n in all_nights]
    fit = statistics.linear_regression(x, y)
    return fit.slope, statistics.correlation(x, y) ** 2


def plot(all_nights, path):
    series = {"overhead": "#0b6e4f", "incremental stages": "#c05a00", "stages over all history": "#3b4cc0"}
    width, height, left, bottom = 760, 360, 60, 40
    most = max(max(n[s] for s in series) for _, n in all_nights)
    x = lambda i: left + i * (width - left - 190) / max(1, len(all_nights) - 1)
    y = lambda v: height - bottom - v * (height - bottom - 30) / most
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           "<title>Milliseconds of a night by its number: what is the same at any age stays flat, what looks at all history grows with it</title>",
           f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for part in range(0, 5):
        v = most * part / 4
        out.append(f'<path d="M{left} {y(v):.1f}H{width - 190}" stroke="#ddd"/><text x="{left - 6}" y="{y(v) + 4:.1f}" text-anchor="end" fill="#444">{v:.0f} ms</text>')
    for i in range(0, len(all_nights), 50):
        out.append(f'<text x="{x(i):.1f}" y="{height - 14}" text-anchor="middle" fill="#444">{i + 1}</text>')
    out.append(f'<text x="{(left + width - 190) / 2}" y="{height - 1}" text-anchor="middle" fill="#444">night with a drop</text>')
    ends = []
    for name, color in series.items():
        smooth = [statistics.median(n[name] for _, n in all_nights[max(0, i - 4) : i + 5]) for i in range(len(all_nights))]
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(smooth))
        out.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        ends.append((y(smooth[-1]), name, color))
    last = None
    for at, name, color in sorted(ends, reverse=True):
        at = at if last is None else min(at, last - 16)
        last = at
        out.append(f'<text x="{width - 182}" y="{at + 4:.1f}" fill="{color}">{name}</text>')
    out.append("</svg>")
    pathlib.Path(path).write_text("\n".join(out) + "\n")


def contents(lake):
    links = sorted(lake.glob(f"snapshots/{PIPELINE}/[0-9]*.json"))
    found = [json.loads(p.read_text())["data"].get("publication") for p in links]
    return {p["as_of"]: p["content"] for p in found if p}


def main():
    options = arguments()
    if not options.exports:
        sys.exit("set ONLINE_RETAIL_EXPORTS to the folder of daily drops")
    options.exports = os.path.abspath(options.exports)
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        project, lake = project_in(work), work / "lake"
        begun = time.perf_counter()
        call(options, project, lake, ["serve", PIPELINE], MATINS_CLOCK=f"2010-12-01T10:00:00Z..{options.until}T12:00:00Z")
        took = time.perf_counter() - begun
        all_nights = nights(lake, incremental(project))
        print(f"{len(contents(lake))} nights, {len(all_nights)} with a drop, in {took:.0f} s")
        young, old = around(all_nights, 30), around(all_nights, min(300, len(all_nights) - 5))
        print(f"| milliseconds, median of ten nights | night 30 | night {min(300, len(all_nights) - 5)} | ratio |\n| --- | ---: | ---: | ---: |")
        for name in ["overhead", "incremental stages", "stages over all history", "checks", "all"]:
            print(f"| {name} | {young[name]:.0f} | {old[name]:.0f} | {old[name] / max(1, young[name]):.2f} |")
        print(f"| rows of all history | {young['rows']:,.0f} | {old['rows']:,.0f} | {old['rows'] / young['rows']:.2f} |")
        grows, fits = slope(all_nights, "stages over all history")
        print(f"stages over all history: {grows:.0f} ms for 100,000 rows more (R² {fits:.2f})")
        if options.plot:
            plot(all_nights, options.plot)
        wrong = [n for n in ["overhead", "incremental stages"] if old[n] > LIMIT * young[n]]
        if options.backfill:
            other = work / "filled"
            call(options, project, other, ["backfill", PIPELINE, "--from", "2010-12-01", "--to", "2011-12-09"])
            same = contents(lake) == contents(other)
            print("every snapshot is the same as a backfill's" if same else "SNAPSHOTS DIFFER from a backfill's")
            wrong += [] if same else ["contents"]
        if wrong:
            sys.exit(f"more than {LIMIT} times: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
