#!/usr/bin/env python3
"""What each pack of `sql/crm` costs: time and peak memory, beside DuckDB running the same SQL where it can.

    python3 -m venv v && v/bin/pip install duckdb
    cargo build --release
    v/bin/python benches/packs.py --customers 100000 --rounds 3

The fictional company's exports are generated once a size into the cache folder. The packs are then added to its pipeline
one by one: since a run makes only what is not there, each run is one process that makes one pack, and its wall time and
peak memory are the pack's, planning and publishing included. DuckDB gets the same statements, parameters written out, over
the same Parquet files that the lake holds, one process a pack, results written as Parquet, and its
whole process counts too. The sides take turns; with several rounds, each on a lake without the pack, the medians of time and the
largest memory count. Parameters are those that the packs, the pipeline and `matins.yaml` say. A function of ours for
what plain SQL can say too is a macro, or its stage is given to DuckDB in plain SQL (`benches/plain`). What it cannot run (fits
and forecasts, and what hangs on them) it is not timed on, and a ratio stands only where it ran all stages of a pack. Nothing is built here.
"""
import argparse
import datetime
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zoneinfo

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PIPELINE = "customer-health"
AS_OF = "2025-01-01"
MOMENTS = {"as_of": AS_OF, "end": AS_OF, "start": "2024-12-31", "prev_as_of": "2024-12-01"}

MACROS = r"""
CREATE MACRO wilson_low(k, n) AS CASE WHEN k IS NOT NULL AND n > 0
    THEN greatest(0, (k + 1.9207294103 - 1.959963985 * sqrt(k * (n - k) / n + 0.9603647051)) / (n + 3.8414588207)) END;
CREATE MACRO wilson_high(k, n) AS CASE WHEN k IS NOT NULL AND n > 0
    THEN least(1, (k + 1.9207294103 + 1.959963985 * sqrt(k * (n - k) / n + 0.9603647051)) / (n + 3.8414588207)) END;
CREATE MACRO newcombe_low(k1, n1, k2, n2) AS k1 / n1 - k2 / n2 - sqrt(power(k1 / n1 - wilson_low(k1, n1), 2) + power(wilson_high(k2, n2) - k2 / n2, 2));
CREATE MACRO newcombe_high(k1, n1, k2, n2) AS k1 / n1 - k2 / n2 + sqrt(power(wilson_high(k1, n1) - k1 / n1, 2) + power(k2 / n2 - wilson_low(k2, n2), 2));
CREATE MACRO nps_se(p, d, n) AS sqrt(((p + d + 1.5) / (n + 3) - power((p - d) / (n + 3), 2)) / (n + 3));
CREATE MACRO nps_low(p, d, n) AS 100 * ((p - d) / (n + 3) - 1.959963985 * nps_se(p, d, n));
CREATE MACRO nps_high(p, d, n) AS 100 * ((p - d) / (n + 3) + 1.959963985 * nps_se(p, d, n));
CREATE MACRO normal_quantile(p) AS 1.959963985;
CREATE MACRO quantile_score(v, a, b, c, d) AS 1 + (v > a)::INT + (v > b)::INT + (v > c)::INT + (v > d)::INT;
CREATE MACRO quantile_score_rfm(v, a, b, c, d) AS 1 + (v >= a + 1)::INT + (v >= b + 1)::INT + (v >= c + 1)::INT + (v >= d + 1)::INT;
CREATE MACRO clv_multiple(r, i) AS r / (1 + i - r);
CREATE MACRO gamma_gamma_mean(p, q, gamma, x, m) AS CASE WHEN x = 0 THEN p * gamma / (q - 1) ELSE p * (gamma + x * m) / (p * x + q - 1) END;
CREATE MACRO mask_name(n) AS left(n, 1) || '**';
CREATE MACRO to_local_time(t) AS t;
CREATE MACRO erfc_above(z) AS (0.254829592 / (1 + 0.3275911 * z) - 0.284496736 / power(1 + 0.3275911 * z, 2)
    + 1.421413741 / power(1 + 0.3275911 * z, 3) - 1.453152027 / power(1 + 0.3275911 * z, 4)
    + 1.061405429 / power(1 + 0.3275911 * z, 5)) * exp(-z * z);
CREATE MACRO chi_squared_tail(x, degrees) AS CASE
    WHEN degrees % 2 = 0
        THEN exp(-x / 2) * list_sum(list_transform(range(0, (degrees // 2)::BIGINT), lambda i: power(x / 2, i) / gamma(i + 1)))
    ELSE erfc_above(sqrt(x / 2)) + exp(-x / 2)
        * coalesce(list_sum(list_transform(range(0, (degrees // 2)::BIGINT), lambda i: power(x / 2, i + 0.5) / gamma(i + 1.5))), 0)
END;
"""
# What UTF-8's later bytes look like in Windows-1252, and the signs of a wrong encoding in the order they are looked for.
LATER = r"[\x{80}-\x{bf}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
MOJIBAKE = "|".join([
    r"[\x{fffd}\x{80}-\x{9f}]", rf"[\x{{c2}}-\x{{df}}]{LATER}", rf"[\x{{e0}}-\x{{ef}}]{LATER}{{2}}",
    rf"[\x{{f0}}-\x{{f4}}]{LATER}{{3}}", "锟斤拷|烫烫|屯屯|[锛銆鈥鐨]",
])
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


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


def settings(text):
    """The values below `params:`, as SQL writes them; a `${VARIABLE:-default}` is its default."""
    block = re.search(r"^params:\n((?: .*\n)*)", text, flags=re.M)
    values = {}
    for name, value in re.findall(r"^  (\w+): *(.*?) *$", block.group(1) if block else "", flags=re.M):
        quoted = re.fullmatch(r"([\"'])(.*)\1", value)
        if quoted or not re.fullmatch(r"-?[0-9.]+|true|false", value):
            value = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", quoted.group(2) if quoted else value)
            value = "'" + value.replace("'", "''") + "'"
        values[name] = value
    return values


def parameters():
    """Name → SQL, of every parameter that stages of `sql/crm` may use."""
    zone = re.search(r"^time_zone: *(\S+)", open(os.path.join(ROOT, "matins.yaml")).read(), flags=re.M).group(1)
    midnight = datetime.datetime.fromisoformat(AS_OF).replace(tzinfo=zoneinfo.ZoneInfo(zone))
    found = {name: f"DATE '{day}'" for name, day in MOMENTS.items()}
    found["as_of_utc"] = f"TIMESTAMP '{midnight.astimezone(datetime.timezone.utc):%Y-%m-%d %H:%M:%S}'"
    found["time_zone"] = f"'{zone}'"
    for path in sorted(glob.glob(os.path.join(ROOT, "sql", "crm", "*", "pack.yaml"))):
        found.update(settings(open(path).read()))
    found.update(settings(open(os.path.join(ROOT, "pipelines", f"{PIPELINE}.yaml")).read()))
    return found


def macros(given):
    """MACROS, and those that take what a parameter says for granted: whose key it is, and when somebody is there."""
    key = given["pseudonym_key"].strip("'").encode()
    inner, outer = (bytes(b ^ pad for b in key.ljust(64, b"\0")).hex() for pad in (0x36, 0x5C))
    hmac = f"sha256(unhex('{outer}') || unhex(sha256(unhex('{inner}') || encode(v))))"
    spans = []
    for part in given["service_hours"].strip("'").split(","):
        days, hours = part.split()
        first, *last = [WEEKDAYS.index(day.lower()) + 1 for day in days.split("-")]
        opens, closes = ("d + to_hours({}) + to_minutes({})".format(*time.split(":")) for time in hours.split("-"))
        overlap = f"greatest(0, epoch(least(b, {closes})) - epoch(greatest(a, {opens})))"
        spans.append(f"CASE WHEN isodow(d) BETWEEN {first} AND {(last or [first])[0]} THEN {overlap} ELSE 0 END")
    holidays = ", ".join(f"DATE '{day.strip()}'" for day in given["service_holidays"].strip("'").split(",") if day.strip())
    closed = f"d::DATE IN ({holidays})" if holidays else "FALSE"
    return MACROS + f"""
CREATE MACRO mojibake_score(t) AS 1 - length(regexp_replace(t, '{MOJIBAKE}', '', 'g')) / nullif(length(t), 0);
CREATE MACRO pseudonym(v, key) AS left({hmac}, 10);
CREATE MACRO worked(a, b) AS list_sum(list_transform(
    generate_series(date_trunc('day', a)::TIMESTAMP, date_trunc('day', b)::TIMESTAMP, INTERVAL 1 DAY),
    lambda d: CASE WHEN {closed} THEN 0 ELSE {" + ".join(spans)} END));
CREATE MACRO business_seconds(a, b, hours, holidays) AS CASE WHEN b < a THEN -worked(b, a) ELSE worked(a, b) END;
"""


def statements(pack):
    """Table → its statement with the parameters written out, for the stages of a pack."""
    given = parameters()
    found = {}
    for path in glob.glob(os.path.join(ROOT, "sql", pack, "*", "*.sql")):
        schema, file = path.split(os.sep)[-2:]
        plain = os.path.join(HERE, "plain", f"{schema}.{file}")
        path = plain if os.path.exists(plain) else path
        sql = re.sub(r"/\* matins.*?\*/", "", open(path).read(), count=1, flags=re.S)
        sql = re.sub(r"\$(\w+)", lambda use: given.get(use.group(1), use.group(0)), sql)
        found[f"{schema}.{file[:-4]}"] = sql
    return found


def duckdb(pack, files, beside):
    """Runs in a process of its own, writes into a new folder there, and prints which stages ran."""
    import duckdb as peer

    connection = peer.connect()
    connection.execute("SET threads = 2")
    connection.execute(macros(parameters()))
    for table, paths in files.items():
        schema, name = table.split(".")
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        if paths:
            connection.execute(f'CREATE VIEW "{schema}"."{name}" AS SELECT * FROM read_parquet({paths!r})')
    work = tempfile.mkdtemp(dir=beside)
    ran, refused = [], {}
    for table, sql in sorted(statements(pack).items()):
        if table not in files:
            continue
        try:
            connection.execute(f"COPY ({sql}) TO '{work}/{table}.parquet' (FORMAT parquet)")
            ran.append(table)
        except peer.Error as error:
            refused[table] = str(error).split("\n")[0]
    print(json.dumps({"ran": ran, "refused": refused}))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--customers", type=int, default=20_000, help="of the fictional company (default 20,000)")
    p.add_argument("--rounds", type=int, default=1, help="how often each pack is made, by both (default 1)")
    p.add_argument("--matins", default=os.path.join(ROOT, "target", "release", "matins"), help="the release build")
    p.add_argument("--cache", default=os.path.join(tempfile.gettempdir(), "matins-bench"), help="where exports are kept")
    p.add_argument("--refused", action="store_true", help="say what DuckDB could not run, and why")
    p.add_argument("--duckdb", nargs=2, metavar=("PACK", "FILES"), help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.duckdb:
        pack, files = options.duckdb
        return duckdb(pack, json.load(open(files)), os.path.dirname(files))

    exports = os.path.join(options.cache, f"company-{options.customers}")
    matins = os.path.abspath(options.matins)
    if not os.path.exists(os.path.join(exports, "truth.json")):
        print(f"generating the exports of {options.customers:,} customers …", file=sys.stderr)
        shutil.rmtree(exports, ignore_errors=True)
        subprocess.run([matins, "-C", ROOT, "sample", exports, "--customers", str(options.customers)], check=True, stdout=subprocess.DEVNULL)
    work = tempfile.mkdtemp(prefix="packs-", dir=options.cache)
    before, project = (os.path.join(work, name) for name in ("before", "project"))
    os.mkdir(project)
    os.mkdir(before)
    command = [matins, "-C", project, "run", "--no-mail", "--as-of", AS_OF, "-q"]
    listing = os.path.join(work, "files.json")
    packs, so_far, total = packs_of_pipeline(), [], [0.0, 0.0]
    print("| pack | stages | Matins | peak | DuckDB | peak | stages it ran | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for pack in packs:
        so_far.append(pack)
        # The company's own pack brings the landing of its exports with it, and only means something with one that reads it.
        project_with(so_far, project)
        ours, theirs = [], []
        for number in range(options.rounds):
            # Files of a lake are never written to again, so names are copies enough. No lake is deleted before the end: ext4
            # without a journal steps over every file and folder deleted in the last minutes when it makes a new one.
            lake = os.path.join(work, f"{len(so_far)}-{number}")
            shutil.copytree(before, lake, copy_function=os.link)
            ours.append(timed(command, MATINS_LAKE=lake, MATINS_EXPORTS=exports))
            files = published(lake)
            json.dump(files, open(listing, "w"))
            if pack.startswith("crm/"):
                theirs.append(timed([sys.executable, os.path.abspath(__file__), "--duckdb", pack, listing]))
        before = lake
        stages = [table for table in statements(pack) if table in files]
        seconds, peak = statistics.median(s for s, _, _ in ours), max(p for _, p, _ in ours)
        row = [f"`{pack}`", str(len(stages)), f"{seconds:.2f} s", f"{peak:.0f} MiB"]
        if theirs:
            peer_seconds, peer = statistics.median(s for s, _, _ in theirs), json.loads(theirs[0][2])
            whole = len(peer["ran"]) == len(stages)
            row += [f"{peer_seconds:.2f} s", f"{max(p for _, p, _ in theirs):.0f} MiB", f"{len(peer['ran'])} of {len(stages)}"]
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
