#!/usr/bin/env python3
"""What each pack of `sql/crm` costs: time and peak memory, beside DuckDB running the same SQL where it can.

    python3 -m venv v && v/bin/pip install duckdb
    cargo build --release
    v/bin/python benches/packs.py --customers 100000

The fictional company's exports are generated once a size into the cache folder. The packs are then added to its pipeline
one by one: since a run makes only what is not there, each run is one process that makes one pack, and its wall time and
peak memory are the pack's, planning and publishing included. DuckDB gets the same statements, parameters written out, over
the same Parquet files that the lake holds, one process a pack, results written as Parquet, and its
whole process counts too. A stage that calls a function of ours for what plain SQL can say too is given to it in plain SQL
(`benches/plain`). What it cannot run (models, calendars, masks) it is not timed on, and a ratio stands only where it ran all stages of a pack. Intervals and
scores are given to it as macros. Nothing is built here.
"""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PIPELINE = "customer-health"
PARAMETERS = {"as_of": "2025-01-01", "end": "2025-01-01", "start": "2024-12-31", "prev_as_of": "2024-12-01"}

MACROS = """
CREATE MACRO wilson_low(k, n) AS greatest(0, (k + 1.9207294103 - 1.959963985 * sqrt(k * (n - k) / n + 0.9603647051)) / (n + 3.8414588207));
CREATE MACRO wilson_high(k, n) AS least(1, (k + 1.9207294103 + 1.959963985 * sqrt(k * (n - k) / n + 0.9603647051)) / (n + 3.8414588207));
CREATE MACRO quantile_score(v, a, b, c, d) AS 1 + (v > a)::INT + (v > b)::INT + (v > c)::INT + (v > d)::INT;
CREATE MACRO normal_quantile(p) AS 1.959963985;
CREATE MACRO mask_name(n) AS left(n, 1) || '**';
CREATE MACRO nps_se(p, d, n) AS sqrt(((p + d + 1.5) / (n + 3) - power((p - d) / (n + 3), 2)) / (n + 3));
CREATE MACRO nps_low(p, d, n) AS 100 * ((p - d) / (n + 3) - 1.959963985 * nps_se(p, d, n));
CREATE MACRO nps_high(p, d, n) AS 100 * ((p - d) / (n + 3) + 1.959963985 * nps_se(p, d, n));
CREATE MACRO clv_multiple(r, i) AS r / (1 + i - r);
"""


def timed(command, **environment):
    """Seconds, peak memory in MiB and standard output of a command that must succeed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **environment})
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            sys.exit(f"{' '.join(command)}\nexit {child.returncode}\n{err.read().decode()[-4000:]}")
        # ru_maxrss is kilobytes on Linux and bytes on a Mac.
        return seconds, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024), out.read().decode()


def project_with(packs, folder):
    """A copy of the shipped project whose pipeline has these packs, no report and no KPI named."""
    for name in ["matins.yaml", "pipelines", "sql", "report-templates"]:
        target = os.path.join(folder, name)
        source = os.path.join(ROOT, name)
        if not os.path.exists(target):
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)
    for path in glob.glob(os.path.join(folder, "pipelines", "*.yaml")):
        if os.path.basename(path) != f"{PIPELINE}.yaml":
            os.remove(path)
    text = open(os.path.join(ROOT, "pipelines", f"{PIPELINE}.yaml")).read()
    text = re.sub(r"^kpis:\n(?:[ #].*\n)*", "", text, flags=re.M)
    text = re.sub(r"^reports:\n(?:[ #].*\n)*", "", text, flags=re.M)
    text = re.sub(r"^packs:.*\n(?: .*\n)*", f"packs: [{', '.join(packs)}]\n", text, flags=re.M)
    open(os.path.join(folder, "pipelines", f"{PIPELINE}.yaml"), "w").write(text)


def packs_of_pipeline():
    text = open(os.path.join(ROOT, "pipelines", f"{PIPELINE}.yaml")).read()
    block = re.search(r"^packs:((?:.*\n)(?: .*\n)*)", text, flags=re.M).group(1)
    return re.findall(r"[a-z][a-z0-9/-]+", re.sub(r"#.*", "", block))


def published(lake):
    """Table → its Parquet files, in the snapshot of the last run."""
    manifests = sorted(glob.glob(os.path.join(lake, "snapshots", PIPELINE, "0*.json")))
    tables = json.load(open(manifests[-1]))["data"]["publication"]["tables"]
    return {
        name: [f for part in table["parts"] for f in glob.glob(f"{lake}/tables/{name}/{part}/*/*.parquet")]
        for name, table in tables.items()
    }


def statements(pack):
    """Table → its statement with the parameters written out, for the stages of a pack."""
    found = {}
    for path in glob.glob(os.path.join(ROOT, "sql", pack, "*", "*.sql")):
        schema, file = path.split(os.sep)[-2:]
        plain = os.path.join(HERE, "plain", f"{schema}.{file}")
        path = plain if os.path.exists(plain) else path
        sql = re.sub(r"/\* matins.*?\*/", "", open(path).read(), count=1, flags=re.S)
        for name, value in PARAMETERS.items():
            sql = re.sub(rf"\${name}\b", f"DATE '{value}'", sql)
        found[f"{schema}.{file[:-4]}"] = sql
    return found


def duckdb(pack, files):
    """Runs in a process of its own and prints which stages ran."""
    import duckdb as peer

    connection = peer.connect()
    connection.execute("SET threads = 2")
    connection.execute(MACROS)
    for table, paths in files.items():
        schema, name = table.split(".")
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        if paths:
            connection.execute(f'CREATE VIEW "{schema}"."{name}" AS SELECT * FROM read_parquet({paths!r})')
    work = tempfile.mkdtemp()
    ran, refused = [], {}
    for table, sql in sorted(statements(pack).items()):
        if table not in files:
            continue
        try:
            connection.execute(f"COPY ({sql}) TO '{work}/{table}.parquet' (FORMAT parquet)")
            ran.append(table)
        except peer.Error as error:
            refused[table] = str(error).split("\n")[0]
    shutil.rmtree(work)
    print(json.dumps({"ran": ran, "refused": refused}))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--customers", type=int, default=20_000, help="of the fictional company (default 20,000)")
    p.add_argument("--matins", default=os.path.join(ROOT, "target", "release", "matins"), help="the release build")
    p.add_argument("--cache", default=os.path.join(tempfile.gettempdir(), "matins-bench"), help="where exports are kept")
    p.add_argument("--refused", action="store_true", help="say what DuckDB could not run, and why")
    p.add_argument("--duckdb", nargs=2, metavar=("PACK", "FILES"), help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.duckdb:
        pack, files = options.duckdb
        return duckdb(pack, json.load(open(files)))

    exports = os.path.join(options.cache, f"company-{options.customers}")
    matins = os.path.abspath(options.matins)
    if not os.path.exists(os.path.join(exports, "truth.json")):
        print(f"generating the exports of {options.customers:,} customers …", file=sys.stderr)
        shutil.rmtree(exports, ignore_errors=True)
        subprocess.run([matins, "-C", ROOT, "sample", exports, "--customers", str(options.customers)], check=True, stdout=subprocess.DEVNULL)
    work = tempfile.mkdtemp(prefix="packs-", dir=options.cache)
    lake, project = os.path.join(work, "lake"), os.path.join(work, "project")
    os.mkdir(project)
    environment = {"MATINS_LAKE": lake, "MATINS_EXPORTS": exports}
    command = [matins, "-C", project, "run", "--no-mail", "--as-of", PARAMETERS["as_of"], "-q"]
    packs, so_far, total = packs_of_pipeline(), [], [0.0, 0.0]
    print("| pack | stages | Matins | peak | DuckDB | peak | stages it ran | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for pack in packs:
        so_far.append(pack)
        # The company's own pack brings the landing of its exports with it, and only means something with one that reads it.
        project_with(so_far, project)
        seconds, peak, _ = timed(command, **environment)
        files = published(lake)
        stages = [table for table in statements(pack) if table in files]
        row = [f"`{pack}`", str(len(stages)), f"{seconds:.2f} s", f"{peak:.0f} MiB"]
        listing = os.path.join(work, "files.json")
        json.dump(files, open(listing, "w"))
        if pack.startswith("crm/"):
            peer_seconds, peer_peak, out = timed([sys.executable, os.path.abspath(__file__), "--duckdb", pack, listing])
            peer = json.loads(out)
            whole = len(peer["ran"]) == len(stages)
            row += [f"{peer_seconds:.2f} s", f"{peer_peak:.0f} MiB", f"{len(peer['ran'])} of {len(stages)}"]
            row.append(f"{seconds / peer_seconds:.2f}" if whole else "–")
            if options.refused:
                for table, why in peer["refused"].items():
                    print(f"{table}: {why}", file=sys.stderr)
        else:
            row += ["–", "–", "–", "–"]
        total[0] += seconds
        total[1] = max(total[1], peak)
        print(f"| {' | '.join(row)} |", flush=True)
    print(f"| all | | {total[0]:.2f} s | {total[1]:.0f} MiB | | | | |")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
