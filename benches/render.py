#!/usr/bin/env python3
"""How long the full report takes to render from a snapshot of many orders, as a whole process.

    cargo build --release
    python3 benches/render.py                       # 700,000 customers, 2 M orders: about two minutes to make the snapshot

The fictional company's exports are generated and run once, in a temporary folder. Then `matins report preview --out` is timed as a
whole process: it opens project and lake, reads every table the report shows, and writes page, mail, text and pictures. The median,
the range and the peak of memory are printed for each language; the exit code is 1 when a median is over `--most` milliseconds, or
the mail's HTML is over 95,000 bytes.
"""
import argparse
import glob
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PIPELINE, AS_OF = "customer-health", "2025-01-01"
BYTES = 95_000


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--customers", type=int, default=700_000, help="how many the company has (default 700000)")
    p.add_argument("--rounds", type=int, default=11, help="how often each language is rendered (default 11)")
    p.add_argument("--most", type=float, default=300, help="milliseconds a median may be (default 300)")
    p.add_argument("--matins", default=os.path.join(ROOT, "target", "release", "matins"), help="the release build")
    p.add_argument("--work", help="a folder that is kept, and used again when the snapshot is there")
    return p.parse_args()


def timed(command):
    """Seconds, seconds of processor and peak memory in MiB of a command that must succeed."""
    with tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            err.seek(0)
            sys.exit(f"{' '.join(command)}\nexit {child.returncode}\n{err.read().decode()[-4000:]}")
    # ru_maxrss is kilobytes on Linux and bytes on a Mac.
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


def snapshot(matins, work, customers):
    """Makes the project and its snapshot, unless they are there."""
    if glob.glob(os.path.join(work, "**", "reports", "**", "*.html"), recursive=True):
        return
    for part in ["matins.yaml", "pipelines", "sql", "report-templates"]:
        source = os.path.join(ROOT, part)
        if not os.path.exists(os.path.join(work, part)):
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, os.path.join(work, part))
    exports = os.path.join(work, "exports")
    if not os.path.isdir(exports):
        timed([matins, "-q", "-C", work, "sample", exports, "--customers", str(customers), "--as-of", AS_OF])
    size = sum(os.path.getsize(f) for f in glob.glob(os.path.join(exports, "**", "*.csv"), recursive=True))
    seconds, _, peak = timed([matins, "-q", "-C", work, "run", PIPELINE, "--as-of", AS_OF, "--no-mail"])
    print(f"{customers:,} customers, {size / 1e6:,.0f} MB of exports: run in {seconds:.1f} s, peak {peak:,.0f} MiB")


def main():
    options = arguments()
    matins = os.path.abspath(options.matins)
    wrong = []
    with tempfile.TemporaryDirectory(prefix="matins-render-") as folder:
        work = os.path.abspath(options.work or folder)
        os.makedirs(work, exist_ok=True)
        snapshot(matins, work, options.customers)
        for locale in ["en", "zh-Hans"]:
            out = os.path.join(folder, f"out-{locale}")
            command = [matins, "-q", "-C", work, "report", "preview", "--pipeline", PIPELINE, "--out", out, "--locale", locale]
            timed(command)
            took, busy, peaks = zip(*(timed(command) for _ in range(options.rounds)))
            median = statistics.median(took) * 1000
            mail = os.path.getsize(os.path.join(out, "mail.html"))
            pictures = sum(os.path.getsize(f) for f in glob.glob(os.path.join(out, "*.png")))
            print(
                f"{locale:8} rendered in {median:.0f} ms ({min(took) * 1000:.0f} to {max(took) * 1000:.0f} ms in {options.rounds} rounds), {statistics.median(busy) * 1000:.0f} ms of processor, peak {max(peaks):.0f} MiB;"
                f" mail {mail:,} bytes of HTML, {pictures:,} of pictures"
            )
            if median > options.most:
                wrong.append(f"{locale}: {median:.0f} ms")
            if mail > BYTES:
                wrong.append(f"{locale}: {mail} bytes")
    sys.exit("; ".join(wrong) or 0)


if __name__ == "__main__":
    main()
