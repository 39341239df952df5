#!/usr/bin/env python3
"""Whether what Matins published and what the DuckDB script wrote are the same sets of rows: compare.py LAKE PEER_DIR.

Prints one line of JSON: {"tables": {"kpi.fact": {"rows": 1, "peer_rows": 1, "equal": true, "why": ""}}, "balance": {…}, …}.
Run as its own process by run.py, so that its memory is not counted as anybody else's. Needs `pip install duckdb`.
"""
import glob
import json
import os
import sys

import duckdb


def stored(path):
    """What is kept is {"version": 1, "kind": "manifest", "data": {…}}; this is the data."""
    written = json.load(open(path))
    return written.get("data", written)


def published(lake, pipeline="bench"):
    """The publication readers follow: that of the `head` of the newest manifest."""
    manifests = {}
    for path in glob.glob(f"{lake}/snapshots/{pipeline}/*.json"):
        manifest = stored(path)
        manifests[manifest["number"]] = manifest
    if not manifests:
        raise SystemExit(f"nothing was published in {lake}/snapshots/{pipeline}")
    head = manifests[max(manifests)]["head"]
    return manifests[head]["publication"]


def lake_files(lake, table, publication):
    """The Parquet files of a published table, over all its parts."""
    files = []
    for part in publication["tables"][table]["parts"]:
        marker = stored(f"{lake}/tables/{table}/{part}/_table.json")
        files += [os.path.join(lake, file["path"]) for file in marker["files"]]
    return files


def compared(db, ours, theirs):
    """None when both relations hold the same rows as often, otherwise what differs."""
    columns = [{name: kind for name, kind, *_ in db.execute(f"DESCRIBE SELECT * FROM {t}").fetchall()} for t in (ours, theirs)]
    if list(columns[0]) != list(columns[1]):
        return f"columns {', '.join(columns[0])} and {', '.join(columns[1])}"
    # Where only one side is a double, the other side's decimal would be compared as one anyway; say so by casting both.
    doubles = {n for n in columns[0] if "DOUBLE" in (columns[0][n], columns[1][n])}
    names = ", ".join(f'"{n}"::DOUBLE AS "{n}"' if n in doubles else f'"{n}"' for n in columns[0])
    sides = [f"SELECT {names} FROM {t}" for t in (ours, theirs)]
    differences = []
    for label, first, second in (("ours", *sides), ("the peer's", *reversed(sides))):
        extra, example = db.execute(f"SELECT count(*), any_value(x) FROM ({first} EXCEPT ALL {second}) x").fetchone()
        if extra:
            differences.append(f"{extra} rows only in {label}, as {example}")
    return "; ".join(differences) or None


def main(lake, peer):
    publication = published(lake)
    db = duckdb.connect()
    tables = {}
    for path in sorted(glob.glob(f"{peer}/*.parquet")):
        table = os.path.basename(path).removesuffix(".parquet")
        if table == "clean.rejected_orders":
            continue
        theirs = f"read_parquet('{path}')"
        if table not in publication["tables"]:
            tables[table] = {"rows": 0, "peer_rows": None, "equal": False, "why": "not published"}
            continue
        ours = f"read_parquet({lake_files(lake, table, publication)!r})"
        rows, peer_rows = (db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in (ours, theirs))
        why = compared(db, ours, theirs)
        tables[table] = {"rows": rows, "peer_rows": peer_rows, "equal": why is None, "why": why or ""}
    rejected = db.execute(f"SELECT count(*) FROM '{peer}/clean.rejected_orders.parquet'").fetchone()[0]
    print(json.dumps({"tables": tables, "balance": publication["balances"]["orders"], "peer_rejected": rejected}))


if __name__ == "__main__":
    main(*sys.argv[1:])
