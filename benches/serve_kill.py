#!/usr/bin/env python3
"""Three schedulers on one lake in an S3 server, by a fast clock, killed at random instants 200 times, frozen and cut off between.

    cargo build --release
    pip install 'moto[server]' boto3 aiosmtpd
    python3 benches/serve_kill.py [--kills 200] [--day 2] [--seed 1] [--server /path/to/moto_server]

A small shop has an export a day and a night a day; a day lasts `--day` seconds. Every scheduler that is killed (`kill -9`) is
started again. Twice in ten times one is left alive instead: it is stopped (SIGSTOP) for three times its lease's time-out and
woken, or it is cut off from the store for as long, and what it had sent and what was sent to it arrives afterwards. In the end
they are told to stop (SIGTERM), one more catches up, and then: every night from the first fire after the schedule was taken over
to the last before the clock's end was published exactly once, in order, no lease is left, a mail server got no message twice
and every message of the outbox that stands as accepted, and every snapshot has the content that a backfill into a folder gives it.
The exit code is 1 when anything is not so.
"""

import argparse
import collections
import datetime as dt
import email
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import boto3
from aiosmtpd.controller import Controller

ROOT = pathlib.Path(__file__).resolve().parent.parent
START = dt.datetime(2024, 1, 1, 12)
LEASE_S = 1.0
PIPELINE = """\
schedule: {cron: "30 2 * * *"}
sources:
  orders:
    path: exports://orders/{date}.csv
    key: order_id
    columns: {order_id: {type: text, required: true}, ordered_on: {type: date, required: true}, net: "decimal(18,4)"}
packs: [shop]
reports:
  - {name: daily, template: daily.html, recipients: [a@example.com], data: {days: mart.days}}
"""
STAGES = {
    "core/orders": "/* matins\nkey: [order_id]\n*/\nSELECT order_id, ordered_on AS bdate, net FROM raw.orders\n",
    "mart/days": "/* matins\nkey: [bdate]\n*/\nSELECT bdate, count(*) AS orders, sum(net) AS net FROM core.orders GROUP BY bdate\n",
    "mart/top": "/* matins\nkey: [order_id]\n*/\nSELECT order_id, net, rank() OVER (ORDER BY net DESC, order_id) AS place FROM core.orders\n",
}


def project(folder, days, port):
    for name, text in STAGES.items():
        path = folder / f"sql/shop/{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ["pipelines", "report-templates", "exports/orders"]:
        (folder / name).mkdir(parents=True)
    (folder / "matins.yaml").write_text(
        "lake: ${LAKE:-lake}\ntime_zone: UTC\nmemory: 256MiB\ndefault_pipeline: shop\nstores: {exports: exports}\n"
        'mail: {from: "Matins <matins@localhost>", transport: {smtp: {host: 127.0.0.1, port: %d, security: none}}}\n' % port
    )
    (folder / "pipelines/shop.yaml").write_text(PIPELINE)
    (folder / "report-templates/daily.html").write_text("<html><body><p>{{ data.days.rows | length }} days</p></body></html>")
    for day in range(days):
        date = START.date() + dt.timedelta(days=day)
        rows = "".join(f"{day}-{n},{date},{n + 1}.50\n" for n in range(200))
        (folder / f"exports/orders/{date}.csv").write_text("order_id,ordered_on,net\n" + rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--day", type=int, default=2, help="seconds a day lasts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", default="moto_server")
    parser.add_argument("--matins", default=str(ROOT / "target/release/matins"))
    args = parser.parse_args()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="matins-kills-") as folder:
        folder = pathlib.Path(folder)
        post = Post()
        project(folder, 2000, post.port)
        port = 5600 + os.getpid() % 300
        server = subprocess.Popen([args.server, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            sys.exit(rehearse(args, chance, folder, f"http://127.0.0.1:{port}", post))
        finally:
            server.terminate()
            server.wait(10)


def connect(endpoint):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    for _ in range(100):
        try:
            s3 = boto3.client("s3", endpoint_url=endpoint, **keys)
            s3.create_bucket(Bucket="lake")
            break
        except Exception:
            time.sleep(0.1)
    # The whole argument rests on it, so the server is asked whether it has a create-only put.
    s3.put_object(Bucket="lake", Key="probe", Body=b"1", IfNoneMatch="*")
    try:
        s3.put_object(Bucket="lake", Key="probe", Body=b"2", IfNoneMatch="*")
    except s3.exceptions.ClientError:
        return s3
    raise SystemExit("this S3 server has no create-only put; nothing can be shown on it")


class Post:
    """A mail server, and the Message-ID of whatever it was given whole."""

    def __init__(self):
        self.taken = collections.Counter()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.server = Controller(self, hostname="127.0.0.1", port=self.port)
        self.server.start()

    async def handle_DATA(self, server, session, envelope):
        self.taken[email.message_from_bytes(envelope.content)["Message-ID"].strip()] += 1
        return "250 2.0.0 queued"


class Wire:
    """What lies between one scheduler and the store. While it is cut nothing gets through either way, and nothing is lost."""

    def __init__(self, store):
        self.store = store
        self.whole = threading.Event()
        self.whole.set()
        self.ear = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.ear.getsockname()[1]}"
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            here, _ = self.ear.accept()
            self.whole.wait()
            there = socket.create_connection(self.store)
            for pair in [(here, there), (there, here)]:
                threading.Thread(target=self.carry, args=pair, daemon=True).start()

    def carry(self, source, sink):
        try:
            while data := source.recv(1 << 16):
                self.whole.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            # Either side was killed; the other hears of it.
            source.close()
            sink.close()


def rehearse(args, chance, folder, endpoint, post):
    s3 = connect(endpoint)
    since = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
    clock = f"{START:%Y-%m-%dT%H:%M:%SZ} x{86400 // args.day} since {since:%Y-%m-%dT%H:%M:%SZ}"
    environment = {
        **os.environ,
        "LAKE": "s3://lake/shop",
        "AWS_ENDPOINT": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "MATINS_CLOCK": clock,
        "MATINS_LEASE_TIMEOUT": str(LEASE_S),
    }
    log = open(folder / "serve.log", "w")

    address = endpoint.removeprefix("http://").split(":")
    wires = [Wire((address[0], int(address[1]))) for _ in range(3)]

    def scheduler(which):
        return subprocess.Popen([args.matins, "serve"], cwd=folder, env={**environment, "AWS_ENDPOINT": wires[which].endpoint}, stderr=log)

    all = [scheduler(which) for which in range(3)]
    counts = collections.Counter()
    number = 0
    while counts["killed"] < args.kills:
        time.sleep(chance.uniform(0.05, 1.2))
        which = chance.randrange(3)
        number += 1
        if number % 10 == 4:
            all[which].send_signal(signal.SIGSTOP)
            time.sleep(3 * LEASE_S)
            all[which].send_signal(signal.SIGCONT)
            counts["frozen"] += 1
        elif number % 10 == 9:
            wires[which].whole.clear()
            time.sleep(3 * LEASE_S)
            wires[which].whole.set()
            counts["cut off"] += 1
        else:
            all[which].kill()
            all[which].wait()
            all[which] = scheduler(which)
            counts["killed"] += 1
    time.sleep(args.day)
    for one in all:
        one.terminate()
    codes = [one.wait(60) for one in all]
    # The last one comes to rest by itself: every night up to here is accounted for, and its clock ends.
    fake_now = START + (dt.datetime.now(dt.timezone.utc) - since) * (86400 // args.day)
    end = fake_now + dt.timedelta(days=2)
    environment["MATINS_CLOCK"] = f"{fake_now:%Y-%m-%dT%H:%M:%SZ}..{end:%Y-%m-%dT%H:%M:%SZ}"
    last = subprocess.run([args.matins, "serve"], cwd=folder, env=environment, stderr=log, timeout=600)
    log.close()
    post.server.stop()
    return verdict(args, folder, s3, environment, codes + [last.returncode], counts, post.taken, end)


def fire(at, days):
    """02:30 of the day of `at`, or a day on."""
    return (at + dt.timedelta(days=days)).replace(hour=2, minute=30, second=0, microsecond=0)


def outbox(s3):
    """Of every message: its last state."""
    states = {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix="shop/outbox/")
    for page in pages:
        for key in sorted(o["Key"] for o in page.get("Contents", []) if "/state/" in o["Key"]):
            states[key.split("/state/")[0]] = json.loads(s3.get_object(Bucket="lake", Key=key)["Body"].read())["data"]["state"]
    return collections.Counter(states.values())


def verdict(args, folder, s3, environment, codes, counts, taken, end):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix="shop/snapshots/shop/")
    keys = sorted(o["Key"] for page in pages for o in page.get("Contents", []) if o["Key"].endswith(".json"))
    chain = [json.loads(s3.get_object(Bucket="lake", Key=key)["Body"].read())["data"] for key in keys]
    published = [link["publication"] for link in chain if link["publication"]]
    nights = [p["as_of"] for p in published]
    taken_over = dt.datetime.fromisoformat(chain[0]["written_at"]).replace(tzinfo=None)
    first = fire(taken_over, 0 if taken_over < fire(taken_over, 0) else 1).date()
    until = fire(end, 0 if fire(end, 0) <= end else -1).date()
    expected = [str(first + dt.timedelta(days=n)) for n in range((until - first).days + 1)]
    wrong = []
    if nights != expected:
        twice = [n for n, count in collections.Counter(nights).items() if count > 1]
        wrong.append(f"published twice: {twice}; never: {sorted(set(expected) - set(nights))}; in order: {nights == sorted(nights)}")
    if [link["number"] for link in chain] != list(range(1, len(chain) + 1)):
        wrong.append("the chain has gaps")
    if chain[-1]["lease"]:
        wrong.append("a lease is left")
    if any(codes):
        wrong.append(f"exit codes {codes}")
    here = {key: value for key, value in environment.items() if key not in ("LAKE", "MATINS_CLOCK")}
    back = [args.matins, "-q", "backfill", "--from", str(first - dt.timedelta(days=1)), "--to", str(until - dt.timedelta(days=1)), "--json"]
    filled = subprocess.run(back, cwd=folder, env=here, capture_output=True, text=True, timeout=900)
    content = {night["as_of"]: night["content"] for night in json.loads(filled.stdout)}
    different = [p["as_of"] for p in published if content.get(p["as_of"]) != p["content"]]
    if different:
        wrong.append(f"other tables than a backfill's: {different}")
    states = outbox(s3)
    if any(count > 1 for count in taken.values()):
        wrong.append(f"mailed twice: {[name for name, count in taken.items() if count > 1]}")
    if not states["accepted"] <= len(taken) <= states["accepted"] + states["unknown"] or set(states) > {"accepted", "unknown"}:
        wrong.append(f"{len(taken)} messages arrived, and the outbox says {dict(states)}")
    fenced = sum(1 for a, b in zip(chain, chain[1:]) if a["lease"] and b["lease"] and a["epoch"] != b["epoch"])
    print(json.dumps({**counts, "nights": len(nights), "links": len(chain), "taken_over": fenced, "mails": len(taken), "outbox": dict(states), "wrong": wrong}, indent=2))
    if wrong:
        keep = pathlib.Path(tempfile.gettempdir()) / "serve_kill.log"
        keep.write_text((folder / "serve.log").read_text())
        print(f"what the schedulers said: {keep}", file=sys.stderr)
    return 1 if wrong else 0


main()
