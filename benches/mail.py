#!/usr/bin/env python3
"""Bursts one report to a thousand recipients through a real mail server, in peace, with faults, and with `kill -9`.

    cargo build --release
    pip install aiosmtpd dkimpy pynacl          # without dkimpy the part `dkim` is left out
    python3 benches/mail.py                     # all parts, about three minutes; installs npm's maildev into a temporary folder

Each recipient may see the rows of one region. What arrived is read with Python's `email`, workbooks are unpacked, and every
message must hold its own region's mark and no other's. All of it stays on this machine. The parts and what must hold in the end:

  secure  STARTTLS and TLS, each with a login: everybody got one; with a wrong password, an unknown certificate or a server that
          offers no STARTTLS nothing leaves, and the outbox says why
  dkim    messages signed with an RSA key and with an Ed25519 key verify with dkimpy as they arrived, and with a subject or a word of
          the body changed they do not; DNS is a function of this process
  calm    everybody got exactly one message; messages a second are printed
  maildev the same through npm's maildev, and what its reading API says arrived
  faults  nobody listens at first, then a server that says 4xx or 5xx, stalls, and resets the connection before, during and after
          DATA, at random: nobody got two, and whoever got none stands in the outbox with a reason
  kills   `matins run` killed at random instants of sending, and now and then before it, and started again: the same

The exit code is 1 when anything of that is not so. It is the long form of `src/run/outbox_tests.rs`. See docs/mail.md.
"""
import argparse
import asyncio
import base64
import collections
import email
import email.policy
import io
import json
import logging
import os
import random
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
import zipfile

try:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP, AuthResult
except ImportError:
    sys.exit("needs `pip install aiosmtpd`")
try:
    import dkim
except ImportError:
    dkim = None

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 300  # seconds; no command takes so long
MAILDEV = os.path.join(tempfile.gettempdir(), "matins-mail-node")
MARK = re.compile(r"mark-of-region-(\d+)-end")

PIPELINE = """interval: day
sources:
  orders:
    path: exports://orders/{date}.csv
    columns:
      order_id: {type: text, required: true}
      ordered_on: {type: date, required: true}
      net: {type: "decimal(18,4)", required: true}
      region: text
packs: [shop]
kpis: [{name: net, table: kpi.net, unit: count}]
reports:
  - name: regional
    template: regional.html
    subject: Sales
    data: {sales: mart.sales}
    recipients:
"""
SALES = "SELECT order_id, ordered_on, net, region FROM raw.orders"
NET = """SELECT CAST(date_trunc('month', ordered_on) AS DATE) AS period, region AS dimension,
  CAST(sum(net) AS DOUBLE) AS value, count(*) AS n
FROM raw.orders
GROUP BY 1, 2"""
PAGE = "<h1>{{ title }}</h1><ul>{% for r in data.sales.rows %}<li>{{ r.region }} {{ r.net }}</li>{% endfor %}</ul>"
TEXT = "{% for r in data.sales.rows %}{{ r.region }} {{ r.net }}\n{% endfor %}"


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--recipients", type=int, default=1000)
    p.add_argument("--regions", type=int, default=100, help="groups of recipients who see the same rows (default 100)")
    p.add_argument("--kills", type=int, default=100, help="how often it is killed (default 100)")
    p.add_argument("--seed", type=int, default=1, help="chooses faults and instants (default 1)")
    p.add_argument("--connections", type=int, default=4)
    p.add_argument("--parts", default="secure,dkim,calm,maildev,faults,kills")
    p.add_argument("--matins", default=os.path.join(ROOT, "target", "release", "matins"), help="the release build")
    return p.parse_args()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Breaking(SMTP):
    """Hangs up in the middle of a message, now and then."""

    async def smtp_DATA(self, arg):
        if not self.event_handler.fault(["hang up during DATA"]):
            return await super().smtp_DATA(arg)
        await self.push("354 go on")
        await self._reader.readline()
        self.transport.abort()


class Hosting(Controller):
    def factory(self):
        return Breaking(self.handler, **self.SMTP_kwargs)


class Server:
    """aiosmtpd, and what it took: (recipient, bytes) of every message it had whole, whether or not its answer arrived."""

    def __init__(self, seed=None, port=None, **how):
        self.took, self.asked, self.faults, self.random = [], 0, collections.Counter(), random.Random(seed)
        self.broken = seed is not None
        self.port = port or free_port()
        self.controller = Hosting(self, hostname="127.0.0.1", port=self.port, ready_timeout=30, **how)
        self.controller.start()

    def stop(self):
        self.controller.stop()

    def fault(self, kinds):
        """One of `kinds` now and then, while the server is broken."""
        if not self.broken or self.random.random() >= 0.06:
            return None
        kind = self.random.choice(kinds)
        self.faults[kind] += 1
        return kind

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        kind = self.fault(["hang up at greeting", "421 at greeting"])
        if kind == "hang up at greeting":
            server.transport.abort()
        if kind == "421 at greeting":
            return ["421 4.3.2 closing"]
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.asked += 1
        kind = self.fault(["451 at MAIL", "hang up at MAIL"])
        if kind == "hang up at MAIL":
            server.transport.abort()
        if kind == "451 at MAIL":
            return "451 4.7.1 later"
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        kind = self.fault(["450 at RCPT", "550 at RCPT", "stall at RCPT", "hang up before DATA"])
        if kind == "450 at RCPT":
            return "450 4.2.1 greylisted"
        if kind == "550 at RCPT":
            return "550 5.1.1 no such mailbox"
        if kind == "stall at RCPT":
            await asyncio.sleep(8)
        if kind == "hang up before DATA":
            server.transport.abort()
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        kind = self.fault(["452 after DATA", "554 after DATA", "hang up after DATA", "stall after DATA"])
        if kind == "452 after DATA":
            return "452 4.3.1 full"
        if kind == "554 after DATA":
            return "554 5.6.0 spam"
        self.took.append((envelope.rcpt_tos[0].lower(), envelope.content))
        if kind == "hang up after DATA":
            server.transport.abort()
        if kind == "stall after DATA":
            await asyncio.sleep(8)
        return "250 2.0.0 queued"


class Ground:
    def __init__(self, options, work, port):
        self.options, self.work, self.matins = options, work, os.path.abspath(options.matins)
        self.people = {f"p{n}@example.com": n % options.regions for n in range(options.recipients)}
        lines = [f"{r}-{n},2024-01-{n + 1:02},{(r + 1) * 10}.00,mark-of-region-{r}-end" for r in range(options.regions) for n in range(20)]
        self.write("exports/orders/2024-01-31.csv", "order_id,ordered_on,net,region\n" + "\n".join(lines) + "\n")
        recipients = "".join(
            f"      - {{address: {who}, filter: {{region: mark-of-region-{region}-end}}}}\n" for who, region in self.people.items()
        )
        shared = "    shared: [kpis]\n"
        self.write("pipelines/shop.yaml", PIPELINE + recipients + shared)
        self.write("sql/shop/mart/sales.sql", SALES)
        self.write("sql/shop/kpi/net.sql", NET)
        self.write("report-templates/regional.html", PAGE)
        self.write("report-templates/regional.txt", TEXT)
        self.aim(port)

    def aim(self, port, security="security: none", more=""):
        """`more` is whole lines of `mail:`."""
        self.write(
            "matins.yaml",
            "lake: lake\ntime_zone: UTC\nmemory: 256MiB\ndefault_pipeline: shop\nstores: {exports: exports}\n"
            "mail:\n  from: Matins <matins@example.com>\n  transport: {smtp: {host: 127.0.0.1, "
            f"port: {port}, {security}, connections: {self.options.connections}, timeout_s: 2}}}}\n{more}",
        )

    def write(self, path, text):
        path = os.path.join(self.work, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def start(self, *words):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([self.matins, "-q", "-C", self.work, *words], text=True, **pipes)

    def run(self, *words, codes=(0, 5)):
        child = self.start(*words)
        out, err = child.communicate(timeout=LIMIT)
        if child.returncode not in codes:
            sys.exit(f"{' '.join(words)}: exit {child.returncode}\n{err}")
        return out

    def night(self):
        return self.run("run", "--as-of", "2024-02-01")

    def forget(self):
        """As if nothing had been sent yet."""
        for folder in ["outbox", "outbox-due", "reports"]:
            shutil.rmtree(os.path.join(self.work, "lake", folder), ignore_errors=True)

    def outbox(self):
        said = json.loads(self.run("outbox", "list", "--limit", "1000000", "--json"))
        return {one["message"]["to"]: one for one in said}


def everything(content):
    """Every text of a message: decoded parts, and the files of a workbook."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    all_text, kinds = [str(mail["subject"])], []
    for part in mail.walk():
        kinds.append(part.get_content_type())
        if part.is_multipart():
            continue
        body = part.get_payload(decode=True)
        if body.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(body)) as book:
                body = b"".join(book.read(name) for name in book.namelist())
        all_text.append(body.decode("utf-8", "replace"))
    assert "text/plain" in kinds and "text/html" in kinds and not mail.defects, (kinds, mail.defects)
    return "\n".join(all_text)


def verdict(part, ground, took, everybody_got_one):
    """What must hold; returns the faults found."""
    wrong, count = [], collections.Counter(who for who, _ in took)
    for who, content in took:
        marks = set(MARK.findall(everything(content)))
        if marks != {str(ground.people[who])}:
            wrong.append(f"{who} was sent the rows of regions {sorted(marks)}")
    wrong += [f"{who} got {n} messages" for who, n in count.items() if n > 1]
    outbox = ground.outbox()
    states = collections.Counter(one["state"] for one in outbox.values())
    for who in ground.people:
        one = outbox.get(who)
        if one is None:
            wrong.append(f"{who} is not in the outbox")
        elif count[who] == 0 and (one["state"] not in ("failed", "unknown", "deferred", "suppressed") or not one["note"]):
            wrong.append(f"{who} got nothing, and the outbox says {one['state']}: {one['note']}")
        elif one["state"] == "accepted" and count[who] != 1:
            wrong.append(f"{who} is accepted and got {count[who]}")
        elif everybody_got_one and one["state"] != "accepted":
            wrong.append(f"{who} is {one['state']}: {one['note']}")
    print(f"{part:7} {len(ground.people)} recipients: {sum(count.values())} messages arrived, {max(count.values(), default=0)} at most to one; outbox: {dict(states)}")
    for line in wrong[:10]:
        print(f"  WRONG {line}")
    return wrong


def calm(ground, server):
    ground.aim(server.port)
    ground.run("run", "--as-of", "2024-02-01", "--no-mail")
    before, since = os.times(), time.monotonic()
    ground.night()
    took, after = time.monotonic() - since, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    n = len(server.took)
    size = sum(len(c) for _, c in server.took) / max(n, 1) / 1000
    print(f"calm    rendered, kept and sent {n} messages of {size:.0f} kB in {took:.1f} s: {n / took:.0f} a second, {cpu:.1f} s of processor")
    return verdict("calm", ground, list(server.took), True)


def certificate(work):
    """An authority of our own, and a server's certificate for 127.0.0.1 signed by it."""
    folder = os.path.join(work, "tls")
    os.makedirs(folder)
    with open(os.path.join(folder, "ext"), "w") as file:
        file.write("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    key = ["-newkey", "rsa:2048", "-nodes"]
    for words in [
        ["req", "-x509", *key, "-days", "2", "-subj", "/CN=Bench", "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", "-x509", *key, "-days", "2", "-subj", "/CN=Other", "-keyout", "other.key", "-out", "other.pem"],
        ["req", *key, "-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr"],
        ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
         "-extfile", "ext", "-out", "server.pem"],
    ]:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
    return folder, context


def secure(options, work):
    few = argparse.Namespace(**{**vars(options), "recipients": 10, "regions": 5})
    ground = Ground(few, work, 1)
    ground.run("run", "--as-of", "2024-02-01", "--no-mail")
    folder, context = certificate(work)

    def login(server, session, envelope, mechanism, data):
        known = (data.login, data.password) == (b"matins", b"right")
        return AuthResult(success=known, handled=False)

    start = {"tls_context": context, "require_starttls": True, "authenticator": login, "auth_required": True}
    whole = {"ssl_context": context, "authenticator": login, "auth_required": True, "auth_require_tls": False}
    plain = {}
    cases = [
        ("STARTTLS and a login", start, "starttls", "right", "ca.pem", True),
        ("TLS and a login", whole, "tls", "right", "ca.pem", True),
        ("a wrong password", start, "starttls", "wrong", "ca.pem", False),
        ("an unknown certificate", start, "starttls", "right", "other.pem", False),
        ("no STARTTLS offered", plain, "starttls", "right", "ca.pem", False),
    ]
    wrong = []
    for what, how, security, password, ca, arrives in cases:
        ground.forget()
        server = Server(**how)
        try:
            ca = os.path.join(folder, ca)
            ground.aim(server.port, f"security: {security}, user: matins, password: {password}, ca: {ca}")
            # What cannot be sent now is tried for a while, and that while is not what is looked at here.
            child = ground.start("run", "--as-of", "2024-02-01")
            try:
                child.communicate(timeout=4)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
            states = collections.Counter((one["state"], one["note"]) for one in ground.outbox().values())
            (state, note), _ = states.most_common(1)[0]
            print(f"secure  {what}: {len(server.took)} of 10 arrived; {state}: {note}")
            if arrives and len(server.took) != 10 or not arrives and (server.took or state not in ("deferred", "failed")):
                wrong.append(f"{what}: {states}")
        finally:
            server.stop()
    return wrong


def keys(folder):
    """Signing keys as Matins takes them, each with what DNS says of it. `openssl` tells the public half, and nothing of Matins."""
    def public(kind, private):
        asked = ["openssl", "pkey", "-inform", kind, "-pubout", "-outform", "DER"]
        return subprocess.run(asked, input=private, check=True, capture_output=True).stdout

    rsa = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], check=True, capture_output=True).stdout
    seed = os.urandom(32)
    # PKCS#8 of an Ed25519 key is these bytes and the seed; its public half ends with the 32 bytes of the key (RFC 8410, RFC 8463).
    edwards = public("DER", bytes.fromhex("302e020100300506032b657004220420") + seed)[-32:]
    for kind, private, half in [("rsa", rsa, public("PEM", rsa)), ("ed25519", base64.b64encode(seed), edwards)]:
        path = os.path.join(folder, f"{kind}.key")
        with open(path, "wb") as file:
            file.write(private)
        yield kind, path, f"v=DKIM1; k={kind}; p={base64.b64encode(half).decode()}".encode()


def signed(options, work):
    if dkim is None:
        print("dkim    left out: there is no dkimpy")
        return []
    few = argparse.Namespace(**{**vars(options), "recipients": 10, "regions": 5})
    ground = Ground(few, work, 1)
    ground.run("run", "--as-of", "2024-02-01", "--no-mail")
    wrong = []
    for kind, path, record in keys(work):
        ground.forget()
        server = Server()
        try:
            more = f"  dkim: {{domain: example.com, selector: night, key_file: {path}}}\n  unsubscribe: [\"https://example.com/stop?who={{recipient}}\"]\n"
            ground.aim(server.port, more=more)
            ground.night()
        finally:
            server.stop()

        def verifies(content):
            asked = lambda name, timeout=5: record if name == b"night._domainkey.example.com." else None
            return dkim.verify(content, dnsfunc=asked)

        took = [content for _, content in server.took]
        good = sum(verifies(content) for content in took)
        covered = all(b"list-unsubscribe-post" in content.split(b"DKIM-Signature:")[1].split(b"bh=")[0].lower() for content in took)
        changes = [(b"Subject: ", b"Subject: Re: "), (b"mark-of-region", b"mark-of-reg1on")]
        for old, new in changes:
            assert all(old in content for content in took), old
        forged = sum(verifies(content.replace(old, new, 1)) for content in took for old, new in changes)
        print(f"dkim    {kind}: {good} of {len(took)} verify, {forged} of {len(took) * len(changes)} that were changed; unsubscribing is covered: {covered}")
        if len(took) != 10 or good != 10 or forged or not covered:
            wrong.append(f"{kind}: {good} of {len(took)} verify, {forged} that were changed")
    return wrong


def faulty(ground, seed):
    ground.forget()
    port = free_port()
    ground.aim(port)
    child = ground.start("run", "--as-of", "2024-02-01")
    refused, until = 0, time.monotonic() + 15
    while not refused and time.monotonic() < until:
        time.sleep(0.5)
        refused = sum("refused" in (one["note"] or "").lower() for one in ground.outbox().values() if one["state"] == "deferred")
    server = Server(seed, port)
    try:
        child.communicate(timeout=LIMIT)
        # What is deferred is due again within seconds; then the server is well, and whatever can be delivered is.
        until = time.monotonic() + 60
        while time.monotonic() < until:
            ground.run("outbox", "deliver")
            states = collections.Counter(one["state"] for one in ground.outbox().values())
            if not states["deferred"] and not states["pending"]:
                break
            if time.monotonic() > until - 40:
                server.broken = False
            time.sleep(1)
        print(f"faults  {refused:4} messages deferred by the time the server listens: connection refused")
        for kind, n in sorted(server.faults.items()):
            print(f"        {n:4} × {kind}")
        wrong = verdict("faults", ground, list(server.took), False)
        return wrong if refused else [*wrong, "nobody was refused"]
    finally:
        server.stop()


def killed(ground, kills, seed):
    chance, done, asking, sending, rounds, wrong = random.Random(seed), 0, 0, 0, 0, []
    while done < kills and not wrong:
        rounds += 1
        ground.forget()
        server = Server()
        try:
            ground.aim(server.port)
            while done < kills:
                asked, before = server.asked, len(server.took)
                child = ground.start("run", "--as-of", "2024-02-01")
                if done % 5 == 4:
                    time.sleep(chance.uniform(0.02, 0.6))
                else:
                    while server.asked == asked and child.poll() is None:
                        time.sleep(0.001)
                    time.sleep(chance.uniform(0, 0.15))
                if child.poll() is not None:
                    break  # it was through before
                child.kill()
                child.communicate()
                done += 1
                asking += server.asked > asked
                sending += len(server.took) > before
            ground.night()
            ground.run("outbox", "deliver")
            wrong = verdict(f"kills {done:3}", ground, list(server.took), False)
        finally:
            server.stop()
    print(f"kills   {done} kills in {rounds} rounds: {asking} while messages were handed over, {sending} of them after the first had arrived")
    return wrong


def through_maildev(ground):
    """npm's maildev, and what its reading API says arrived."""
    if not shutil.which("npm"):
        print("maildev left out: there is no npm")
        return []
    smtp, web = free_port(), free_port()
    program = os.path.join(MAILDEV, "node_modules", ".bin", "maildev")
    if not os.path.exists(program):
        os.makedirs(MAILDEV, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "maildev@2.2.1"], cwd=MAILDEV, check=True)
    child = subprocess.Popen([program, "--ip", "127.0.0.1", "--smtp", str(smtp), "--web", str(web), "--silent"])
    api = f"http://127.0.0.1:{web}/email"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(api, timeout=5).read()
                break
            except OSError:
                time.sleep(0.1)
        ground.forget()
        ground.aim(smtp)
        since = time.monotonic()
        ground.night()
        took = time.monotonic() - since
        with urllib.request.urlopen(api, timeout=60) as answer:
            mails = json.load(answer)
        got = collections.Counter(mail["to"][0]["address"] for mail in mails)
        wrong = [f"maildev has {len(mails)} messages"] if len(mails) != len(ground.people) else []
        wrong += [f"{who} got {got[who]}" for who in ground.people if got[who] != 1]
        for mail in mails:
            marks = set(MARK.findall(mail["text"] + mail["html"]))
            if marks != {str(ground.people[mail["to"][0]["address"]])}:
                wrong.append(f"{mail['to']} was sent {marks}")
        print(f"maildev {len(mails)} messages in {took:.1f} s: {len(mails) / took:.0f} a second; each recipient got exactly one: {not wrong}")
        return wrong
    finally:
        child.terminate()
        child.wait(timeout=10)


def main():
    options = arguments()
    # What the server thinks of connections that break is not what is looked at.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    parts = options.parts.split(",")
    wrong = []
    if "secure" in parts:
        with tempfile.TemporaryDirectory(prefix="matins-mail-") as work:
            wrong += secure(options, work)
    if "dkim" in parts:
        with tempfile.TemporaryDirectory(prefix="matins-mail-") as work:
            wrong += signed(options, work)
    with tempfile.TemporaryDirectory(prefix="matins-mail-") as work:
        server = Server()
        ground = Ground(options, work, server.port)
        try:
            if "calm" in parts:
                wrong += calm(ground, server)
        finally:
            server.stop()
        if "maildev" in parts:
            wrong += through_maildev(ground)
        if "faults" in parts:
            wrong += faulty(ground, options.seed)
        if "kills" in parts:
            wrong += killed(ground, options.kills, options.seed)
    print("all of it holds" if not wrong else f"{len(wrong)} things do not hold")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
