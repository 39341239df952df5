#!/usr/bin/env python3
"""The same nightly job as a dbt project on DuckDB: peer_dbt.py EXPORTS WORK_DIR.

Needs `pip install "dbt-core==1.10.*" "dbt-duckdb==1.10.*"`; run it with that environment's python.
Writes the project to WORK_DIR, then times `dbt build` twice: a cold run, and one with nothing new.
"""
import os
import re
import subprocess
import sys
import time

exports, work = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
here = os.path.dirname(os.path.abspath(__file__))
os.makedirs(f"{work}/models/clean", exist_ok=True)
os.makedirs(f"{work}/models/kpi", exist_ok=True)
open(f"{work}/dbt_project.yml", "w").write(
    "name: bench\nversion: '1.0'\nprofile: bench\nmodel-paths: [models]\nmodels:\n  bench:\n    +materialized: table\n")
open(f"{work}/profiles.yml", "w").write(
    f"bench:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n      path: {work}/bench.duckdb\n      threads: 2\n"
    "      settings: {threads: 2}\n")


def raw(name):
    return f"read_csv('{exports}/{name}.csv', header = true, all_varchar = true)"


models = {
    "clean/rejected_orders": f"SELECT * FROM {raw('orders')} WHERE try_cast(order_purchase_timestamp AS timestamp) IS NULL",
    "clean/orders": f"""SELECT order_id, customer_id, order_status, try_cast(order_purchase_timestamp AS timestamp) AS purchased_at,
  try_cast(order_delivered_customer_date AS timestamp) AS delivered_at, try_cast(order_estimated_delivery_date AS timestamp) AS estimated_at
  FROM {raw('orders')} WHERE try_cast(order_purchase_timestamp AS timestamp) IS NOT NULL AND order_status NOT IN ('canceled', 'unavailable')
  QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY order_purchase_timestamp) = 1""",
    "clean/customers": f"""SELECT customer_id, customer_unique_id, lower(trim(customer_city)) AS city, customer_state AS state
  FROM {raw('customers')} QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY customer_unique_id) = 1""",
    "clean/items": f"""SELECT order_id, count(*) AS n_items, sum(price::decimal(18, 4)) AS revenue, sum(freight_value::decimal(18, 4)) AS freight
  FROM {raw('order_items')} GROUP BY order_id""",
    "clean/payments": f"SELECT order_id, sum(payment_value::decimal(18, 4)) AS paid FROM {raw('payments')} GROUP BY order_id",
    "clean/reviews": f"SELECT order_id, avg(review_score::double) AS score FROM {raw('reviews')} GROUP BY order_id",
}
for name in ("fact", "growth", "cohort", "rfm", "satisfaction"):
    sql = open(f"{here}/project/sql/bench/kpi/{name}.sql").read()
    models[f"kpi/{name}"] = re.sub(r"\b(?:clean|kpi)\.(\w+)", r"{{ ref('\1') }}", sql)
for path, sql in models.items():
    open(f"{work}/models/{path}.sql", "w").write(sql)
keys = {"orders": "order_id", "customers": "customer_id", "items": "order_id", "payments": "order_id", "fact": "order_id"}
open(f"{work}/models/schema.yml", "w").write("version: 2\nmodels:\n" + "".join(
    f"  - name: {t}\n    columns:\n      - name: {k}\n        data_tests: [not_null, unique]\n" for t, k in keys.items()))
for label in ("cold", "nothing new"):
    start = time.perf_counter()
    done = subprocess.run([os.path.join(os.path.dirname(sys.executable), "dbt"), "build", "--profiles-dir", work, "--project-dir", work],
                          capture_output=True, text=True)
    print(f"dbt build, {label}: {time.perf_counter() - start:.2f} s, exit {done.returncode}")
    if done.returncode:
        sys.exit(done.stdout[-3000:])
