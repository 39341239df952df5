#!/usr/bin/env python3
"""A project of many pipelines: 1,000 of them with 50 stages each, all of the same 50 SQL files and sources alike.

    cargo build --release && python3 benches/many.py [--pipelines 1000] [--stages 50] [--idle 30]

Prints how long `matins check` takes, `matins plan` of one pipeline and `matins schedule` of all, and what an idle
`matins serve` costs after it has taken over every schedule: share of one core, resident memory, objects in the lake.
"""

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = """\
schedule: {{cron: "{minute} {hour} * * *"}}
sources:
  orders:
    path: exports://{name}/orders/{{date}}.csv
    columns: {{order_id: {{type: text, required: true}}, customer_id: text, ordered_on: date, net: "decimal(18,4)"}}
packs: [shop]
"""


def stage(number):
    """Chains of five stages: the first reads the source, each other the one before it."""
    reads = "raw.orders" if number % 5 == 0 else f"mart.t{number - 1:02}"
    return f"""/* matins
key: [customer_id]
*/
WITH orders AS (
  SELECT customer_id, ordered_on, net FROM {reads} WHERE net IS NOT NULL
),
ranked AS (
  SELECT customer_id, ordered_on, net, row_number() OVER (PARTITION BY customer_id ORDER BY ordered_on, net) AS place
  FROM orders
)
SELECT customer_id, max(ordered_on) AS ordered_on, sum(net) + {number} AS net
FROM ranked
WHERE place <= {number + 1}
GROUP BY customer_id
"""


def project(folder, pipelines, stages):
    (folder / "pipelines").mkdir(parents=True)
    (folder / "sql/shop/mart").mkdir(parents=True)
    (folder / "exports").mkdir()
    (folder / "matins.yaml").write_text("lake: lake\ntime_zone: UTC\nmemory: 256MiB\nstores: {exports: exports}\n")
    for number in range(stages):
        (folder / f"sql/shop/mart/t{number:02}.sql").write_text(stage(number))
    for number in range(pipelines):
        name = f"shop-{number:04}"
        text = SOURCE.format(name=name, minute=number % 60, hour=number % 5)
        (folder / f"pipelines/{name}.yaml").write_text(text)
    exports = folder / "exports/shop-0000/orders"
    exports.mkdir(parents=True)
    for day in range(1, 31):
        rows = "".join(f"{day}-{n},c{n},2027-01-{day:02},10.00\n" for n in range(20))
        (exports / f"2027-01-{day:02}.csv").write_text("order_id,customer_id,ordered_on,net\n" + rows)


def timed(command, folder, times, **more):
    took = []
    for _ in range(times):
        since = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **more)
        took.append(time.perf_counter() - since)
        assert done.returncode == 0, done.stderr
    return statistics.median(took)


def processor_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(l for l in lines if l.startswith("VmRSS")).split()[1]) / 1024


def idle(matins, folder, pipelines, seconds):
    """A scheduler that has taken over every schedule, hours before the first of them fires."""
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    clock = {"MATINS_CLOCK": f"2027-02-01T12:00:00Z x1 since {start}"}
    serving = subprocess.Popen(
        [matins, "serve"], cwd=folder, env={**os.environ, **clock}, stderr=subprocess.PIPE, text=True
    )
    try:
        since, taken = time.perf_counter(), 0
        while taken < pipelines:
            line = serving.stderr.readline()
            assert line, "it goes on"
            taken += "schedule taken over" in line
        adopted = time.perf_counter() - since
        time.sleep(3)
        before = processor_s(serving.pid)
        time.sleep(seconds)
        share = (processor_s(serving.pid) - before) / seconds
        return {"taking_over_s": round(adopted, 2), "idle_cpu_share": round(share, 4), "resident_mib": round(resident_mib(serving.pid), 1)}
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(30)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipelines", type=int, default=1000)
    parser.add_argument("--stages", type=int, default=50)
    parser.add_argument("--idle", type=float, default=30, help="seconds an idle `serve` is watched")
    parser.add_argument("--matins", default=str(ROOT / "target/release/matins"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="matins-many-") as folder:
        folder = pathlib.Path(folder) / "project"
        project(folder, args.pipelines, args.stages)
        one = ["--as-of", "2027-01-31"]
        figures = {
            "pipelines": args.pipelines,
            "stages_each": args.stages,
            "check_s": round(timed([args.matins, "check"], folder, 3), 3),
            "plan_of_one_ms": round(1000 * timed([args.matins, "plan", "shop-0000", *one], folder, 7)),
            "schedule_of_all_s": round(timed([args.matins, "schedule"], folder, 3), 3),
        }
        figures |= idle(args.matins, folder, args.pipelines, args.idle)
        # Listing the next look again costs no request to the store: two links a pipeline stand there, and nothing moves.
        figures["objects_in_lake"] = sum(1 for path in (folder / "lake").rglob("*") if path.is_file())
    print(json.dumps(figures, indent=2))


main()
