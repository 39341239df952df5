#!/usr/bin/env python3
"""What a user would write instead: the same nightly job as one DuckDB script.

peer_duckdb.py EXPORTS OUT_DIR   reads the five CSV exports, cleans them (types, duplicate keys, unreadable
rows set aside), runs project/sql/bench/kpi/*.sql, and writes every table as Parquet. Prints seconds and peak memory.
"""
import os
import resource
import sys
import time

import duckdb

exports, out = sys.argv[1], sys.argv[2]
here = os.path.dirname(os.path.abspath(__file__))
os.makedirs(out, exist_ok=True)
start = time.perf_counter()
db = duckdb.connect()
db.execute("SET threads = 2; CREATE SCHEMA raw; CREATE SCHEMA clean; CREATE SCHEMA kpi")
for name in ("orders", "customers", "order_items", "payments", "reviews"):
    db.execute(f"CREATE VIEW raw.{name} AS SELECT * FROM read_csv('{exports}/{name}.csv', header = true, all_varchar = true)")


def table(schema, name, query):
    path = f"{out}/{schema}.{name}.parquet"
    db.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    db.execute(f"CREATE VIEW {schema}.{name} AS SELECT * FROM '{path}'")


STAMPS = """try_cast(order_purchase_timestamp AS timestamp) AS purchased_at,
  try_cast(order_delivered_customer_date AS timestamp) AS delivered_at,
  try_cast(order_estimated_delivery_date AS timestamp) AS estimated_at"""
table("clean", "rejected_orders",
      "SELECT * FROM raw.orders WHERE try_cast(order_purchase_timestamp AS timestamp) IS NULL")
table("clean", "orders", f"""SELECT order_id, customer_id, order_status, {STAMPS} FROM raw.orders
  WHERE try_cast(order_purchase_timestamp AS timestamp) IS NOT NULL AND order_status NOT IN ('canceled', 'unavailable')
  QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY order_purchase_timestamp) = 1""")
table("clean", "customers", """SELECT customer_id, customer_unique_id, lower(trim(customer_city)) AS city, customer_state AS state
  FROM raw.customers QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY customer_unique_id) = 1""")
table("clean", "items", """SELECT order_id, count(*) AS n_items, sum(price::decimal(18, 4)) AS revenue, sum(freight_value::decimal(18, 4)) AS freight
  FROM raw.order_items GROUP BY order_id""")
table("clean", "payments", "SELECT order_id, sum(payment_value::decimal(18, 4)) AS paid FROM raw.payments GROUP BY order_id")
table("clean", "reviews", "SELECT order_id, avg(review_score::double) AS score FROM raw.reviews GROUP BY order_id")
for name in ("fact", "growth", "cohort", "rfm", "satisfaction"):
    table("kpi", name, open(f"{here}/project/sql/bench/kpi/{name}.sql").read())
rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"duckdb {duckdb.__version__}: {time.perf_counter() - start:.2f} s, peak {rss / 1024:.0f} MiB")
