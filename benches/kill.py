#!/usr/bin/env python3
"""Kills a backfill of a whole year again and again, and compares what it made with an undisturbed one.

    cargo build --release
    ONLINE_RETAIL_EXPORTS=…/by-day python3 benches/kill.py --kills 50

Two lakes: one gets the backfill of online-retail undisturbed, the other gets it with `kill -9` at random instants and a
restart after each. A reader polls the second lake all the while and asks for figures of several tables in one query; they
must belong together in every snapshot it sees. In the end every night must have been published once and with the same
content, and every row of the last night's tables must be the same. The exit code is 1 when anything is not.
It is the long form of `tests/it/nights/killed.rs`, and takes two to three times as long as the backfill alone.
"""
import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from night import PIPELINE, ROOT, project_in

LIMIT = 3600  # seconds; no command takes so long
LOOK = """SELECT
    (SELECT max(_export) FROM raw.invoice_lines) AS export,
    (SELECT count(*) FROM raw.invoice_lines) AS landed,
    (SELECT count(*) FROM core.order_lines) AS lines,
    (SELECT count(DISTINCT order_id) FROM core.order_lines) AS order_ids,
    (SELECT count(*) FROM core.orders) AS orders,
    (SELECT sum(net) FROM core.order_lines WHERE valid) AS net,
    (SELECT sum(value) FROM kpi.net_revenue) AS net_by_month"""


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--kills", type=int, default=50, help="how often it is killed (default 50)")
    p.add_argument("--seed", type=int, default=1, help="chooses the instants (default 1)")
    p.add_argument("--from", dest="start", default="2010-12-01", help="the first day")
    p.add_argument("--to", default="2011-12-09", help="the last day")
    p.add_argument("--matins", default=os.path.join(ROOT, "target", "release", "matins"), help="the release build")
    p.add_argument("--exports", default=os.environ.get("ONLINE_RETAIL_EXPORTS"), help="the folder of 2010-12-01.csv …")
    return p.parse_args()


class Ground:
    def __init__(self, options, work):
        self.matins, self.work, self.project = os.path.abspath(options.matins), work, project_in(work)
        self.exports = os.path.abspath(options.exports)

    def start(self, lake, *words, **pipes):
        environment = {**os.environ, "MATINS_LAKE": os.path.join(self.work, lake), "ONLINE_RETAIL_EXPORTS": self.exports}
        return subprocess.Popen([self.matins, "-q", "-C", self.project, *words], env=environment, text=True, **pipes)

    def run(self, lake, *words):
        child = self.start(lake, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = child.communicate(timeout=LIMIT)
        return child.returncode, out, err

    def done(self, lake, *words):
        code, out, err = self.run(lake, *words)
        if code != 0:
            sys.exit(f"{' '.join(words)}: exit {code}\n{err}")
        return out

    def nights(self, lake):
        """as_of → number, content, tables; straight from the manifests."""
        folder = os.path.join(self.work, lake, "snapshots", PIPELINE)
        found, epochs = {}, []
        for name in sorted(n for n in os.listdir(folder) if n.endswith(".json")):
            with open(os.path.join(folder, name)) as file:
                link = json.load(file)["data"]
            epochs.append(link["epoch"])
            publication = link["publication"]
            if publication:
                if publication["as_of"] in found:
                    sys.exit(f"{publication['as_of']} was published twice in {lake}")
                found[publication["as_of"]] = (link["number"], publication["content"], publication["tables"])
        if epochs != sorted(epochs):
            sys.exit(f"epochs of {lake} went down: {epochs}")
        return found


class Reader(threading.Thread):
    """Looks again and again; keeps the first thing that is wrong."""

    def __init__(self, ground, rows_up_to):
        super().__init__()
        self.ground, self.rows_up_to = ground, rows_up_to
        self.ended, self.wrong, self.looks, self.seen = threading.Event(), None, 0, set()

    def run(self):
        newest = ""
        while not self.ended.is_set() and not self.wrong:
            code, out, err = self.ground.run("killed", "query", "--json", "--pipeline", PIPELINE, LOOK)
            self.looks += 1
            if code != 0:
                if "has published nothing yet" not in err or newest:
                    self.wrong = f"exit {code}: {err}"
                continue
            row = json.loads(out)[0]
            whole = (
                row["landed"] == row["lines"] == self.rows_up_to.get(row["export"])
                and row["orders"] == row["order_ids"]
                and row["net"] == row["net_by_month"]
                and row["export"] >= newest
            )
            if not whole:
                self.wrong = f"not one whole snapshot, or older than {newest}: {row}"
            newest = row["export"]
            self.seen.add(newest)


def rows_of(ground, lake, number, table, rows):
    """Every row and how often it is there, a slice at a time, so that no answer is large."""
    slices = rows // 50_000 + 1
    key = "_line" if table.startswith("raw.") else "line_id"
    for at in range(slices):
        only = f" WHERE {key} % {slices} = {at}" if slices > 1 else ""
        out = ground.done(lake, "query", "--json", "--pipeline", PIPELINE, "--snapshot", str(number), f"SELECT * FROM {table}{only}")
        yield collections.Counter(json.dumps(row, sort_keys=True) for row in json.loads(out))


def main():
    options = arguments()
    if not os.access(options.matins, os.X_OK):
        sys.exit(f"{options.matins} is not there: cargo build --release, or name it with --matins")
    if not options.exports:
        sys.exit("set ONLINE_RETAIL_EXPORTS, or name the folder of drops with --exports")
    backfill = ["backfill", PIPELINE, "--from", options.start, "--to", options.to]
    with tempfile.TemporaryDirectory(prefix="matins-kill-") as work:
        ground = Ground(options, work)
        began = time.monotonic()
        ground.done("calm", *backfill)
        took = time.monotonic() - began
        calm = ground.nights("calm")
        print(f"undisturbed: {len(calm)} nights in {took:.1f} s")
        raws = [tables["raw.invoice_lines"] for _, _, tables in calm.values()]
        reader = Reader(ground, {f"{raw['made_from']['latest export']}.csv": raw["rows"] for raw in raws})
        reader.start()
        chance, killed = random.Random(options.seed), []
        began = time.monotonic()
        try:
            # The kills together take as long as the backfill does, so they fall all over the year.
            while len(killed) < options.kills:
                after = chance.uniform(0, 2 * took / options.kills)
                child = ground.start("killed", *backfill, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                try:
                    _, err = child.communicate(timeout=after)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.communicate()
                    killed.append(after)
                    continue
                if child.returncode != 0:
                    sys.exit(f"a restart failed: exit {child.returncode}\n{err}")
                break
            ground.done("killed", *backfill)
        finally:
            reader.ended.set()
            reader.join()
        took = time.monotonic() - began
        print(f"killed {len(killed)} times (seed {options.seed}, {min(killed):.2f} to {max(killed):.2f} s after a start), then to the end: {took:.1f} s")
        if len(killed) < options.kills:
            print(f"the backfill was complete before the other {options.kills - len(killed)}")
        if reader.wrong:
            sys.exit(f"the reader saw what it must not: {reader.wrong}")
        print(f"the reader looked {reader.looks} times and saw {len(reader.seen)} snapshots, each whole")

        made = ground.nights("killed")
        contents = lambda nights: {as_of: content for as_of, (_, content, _) in nights.items()}
        if contents(made) != contents(calm):
            sys.exit("the nights' contents differ")
        print(f"all {len(made)} nights were published once and have equal contents")
        last = max(calm)
        (number, _, tables), (other, _, _) = calm[last], made[last]
        for table, one in sorted(tables.items()):
            pairs = zip(rows_of(ground, "calm", number, table, one["rows"]), rows_of(ground, "killed", other, table, one["rows"]))
            if any(a != b for a, b in pairs):
                sys.exit(f"rows of {table} differ as of {last}")
        print(f"all rows of the {len(tables)} tables as of {last} are equal")


if __name__ == "__main__":
    main()
