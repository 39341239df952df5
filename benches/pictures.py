#!/usr/bin/env python3
"""Pictures of the shipped example's report for docs/pictures/, checked by axe in the same browser, and the mail checked
against what mail programs support (caniemail.com).

    benches/pictures.py [--matins target/release/matins] [--pipeline customer-health] [--only pictures|axe|mail]

It needs a lake with a snapshot (`matins run`), Chromium, and for the checks Node with npm (packages go to a folder of their
own under the machine's temporary folder). Nothing is fetched by the pages themselves. Axe looks at the archive's index, at the
archived page and the explanation of its first figure, and at the page of `matins serve` too, which runs a new project's paused
pipeline here for as long as it takes to look.

The exit code is 1 when axe finds something serious or critical, when a page is wider than its window, or when the mail uses what a
mail program does not know and `EXCUSED` and `PARTLY` below do not name.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "pictures"
NODE = pathlib.Path(tempfile.gettempdir()) / "matins-pictures-node"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
]

# What caniemail calls unsupported in a mail program, for which of them that is known to do no harm, and why. Another feature, or
# the same one in another program, is news.
GMAIL = {f"gmail.{on}" for on in ["android", "desktop-webmail", "ios", "mobile-webmail"]}
OUTLOOK = {f"outlook.{on}" for on in ["android", "ios", "macos", "outlook-com", "windows", "windows-mail"]}
WORD = {"outlook.windows", "outlook.windows-mail"}
NARROW = {"gmail.mobile-webmail"}
SHEET = "what stands in a style sheet is for dark mode and small screens; every other style stands in its element"
EXCUSED = {
    "color-scheme CSS property": (GMAIL | OUTLOOK, "says that dark mode is ours; who does not know it darkens by itself"),
    "color-scheme meta tag": (GMAIL | OUTLOOK | {"apple-mail.ios"}, "says that dark mode is ours; who does not know it darkens by itself"),
    "Attribute selector": (NARROW | WORD, SHEET + "; it is of outlook.com's dark mode"),
    "Class selector": (NARROW, SHEET),
    "Descendant combinator": (NARROW, SHEET),
    "Type selector": (NARROW, SHEET),
    "@media": (NARROW | WORD, SHEET),
    "<style> element": (NARROW, SHEET),
    "display:none": (NARROW, "hides the preheader; there it stands as a first line"),
    "max-height property": (WORD, "hides the preheader, which mso-hide hides there"),
    "<body> element": ({"outlook.macos"}, "it becomes a div"),
    "white-space": (WORD, "keeps a figure on one line; the columns are wide enough without"),
    "table-layout": (WORD, "columns of the heat map are alike; widths are attributes too"),
    "role attribute": ({"outlook.windows-mail"}, "tells a table for layout from one of data, to readers of screens that this program has none of"),
    "aria-hidden attribute": ({"outlook.windows-mail"}, "passes over a mark whose word stands beside it"),
}
# What it calls known in part, in one program or another: values and elements that this mail has none of, as its notes say, or what is
# lost looks plainer and says the same.
PARTLY = {
    "!important keyword", "<body> element", "<style> element", "@media", "Attribute selector", "Class selector",
    "Descendant combinator", "Type selector", "align attribute", "background", "border", "color-scheme CSS property", "dir attribute",
    "display", "display:none", "font-size", "font-weight", "height attribute", "height property", "letter-spacing", "line-height",
    "margin", "max-width", "padding", "table-layout", "text-align", "white-space", "width attribute", "width property",
}

# Runs in Node: pictures and axe through puppeteer-core, so that width and dark mode are the browser's own.
DRIVER = r"""
const puppeteer = require("puppeteer-core"), fs = require("fs");
const [, , chromium, flags, jobs] = process.argv;
(async () => {
  const browser = await puppeteer.launch({ executablePath: chromium, args: JSON.parse(flags), headless: true });
  const said = [], grave = [];
  for (const job of JSON.parse(jobs)) {
    const page = await browser.newPage();
    await page.setViewport({ width: job.width, height: 900, deviceScaleFactor: 1 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: job.scheme }]);
    await page.goto(job.page.startsWith("http") ? job.page : "file://" + job.page);
    if (job.picture) {
      const options = { path: job.picture, fullPage: !job.height, type: "png" };
      if (job.height) options.clip = { x: 0, y: 0, width: job.width, height: job.height };
      await page.screenshot(options);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > job.width) grave.push(`${job.name}: ${wide} px wide in a window of ${job.width}`);
    } else {
      await page.addScriptTag({ path: require.resolve("axe-core/axe.min.js") });
      const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      const tell = (v) => `${v.impact} ${v.id} (${v.nodes.length}): ${v.nodes[0].target} ${v.help}`;
      const told = found.violations.map(tell);
      for (const v of found.violations) if (["serious", "critical"].includes(v.impact)) grave.push(`${job.name}: ${tell(v)}`);
      said.push(`${job.name}: ${found.passes.length} rules pass, ${told.length} violations${told.map((t) => "\n    " + t).join("")}`);
    }
    await page.close();
  }
  await browser.close();
  console.log(JSON.stringify({ said, grave }));
})().catch((e) => { console.error(e); process.exit(1); });
"""

LINTER = r"""
const { caniemail } = require("caniemail"), fs = require("fs");
const all = {};
const clients = ["gmail.*", "outlook.*", "apple-mail.*"];
for (const file of process.argv.slice(2)) {
  const found = caniemail({ clients, html: fs.readFileSync(file, "utf8") });
  const by = (level) => {
    const all = {};
    for (const [client, issues] of found.issues[level]) for (const issue of issues) (all[issue.title] ||= new Set()).add(client);
    return Object.fromEntries(Object.entries(all).map(([title, who]) => [title, [...who]]));
  };
  all[file] = { errors: by("errors"), warnings: by("warnings") };
}
console.log(JSON.stringify(all));
"""


def node(script, *args, packages):
    """Runs a script with packages of npm."""
    NODE.mkdir(exist_ok=True)
    missing = [p for p in packages if not (NODE / "node_modules" / p.rsplit("@", 1)[0]).is_dir()]
    if missing:
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *missing], cwd=NODE, check=True)
    (NODE / "script.js").write_text(script)
    return subprocess.run(["node", "script.js", *args], cwd=NODE, check=True, capture_output=True, text=True).stdout


def look(jobs):
    """Pictures are taken and axe looks; gives back what must not be."""
    told = json.loads(node(DRIVER, CHROMIUM, json.dumps(FLAGS), json.dumps(jobs), packages=["puppeteer-core@24", "axe-core@4"]))
    print("\n".join(told["said"]))
    return told["grave"]


def lint(mails):
    """What mail programs do not know and nobody has excused."""
    news = []
    for mail, found in json.loads(node(LINTER, *map(str, mails), packages=["caniemail@2"])).items():
        locale = pathlib.Path(mail).parent.name
        for title, clients in found["errors"].items():
            known, why = EXCUSED.get(title, (set(), ""))
            print(f"mail-{locale}: {title} is unknown to {', '.join(clients)}: {why or 'not excused'}")
            if more := sorted(set(clients) - known):
                news.append(f"mail-{locale}: {title} is unknown to {', '.join(more)}")
        print(f"mail-{locale}: {len(found['warnings'])} more are known in part")
        news += [f"mail-{locale}: {title} is known in part only" for title in found["warnings"] if title not in PARTLY]
    return news


def archived(asked):
    """The pages around the report that was archived last, by name."""
    listed = subprocess.run([asked.matins, "--json", "report", "list", asked.pipeline], cwd=ROOT, check=True, capture_output=True, text=True)
    reports = [one for one in json.loads(listed.stdout) if one["pages"] and one["figures"]]
    if not reports:
        print("the archive has no report: `matins run` makes one; its pages are not looked at")
        return {}
    page = pathlib.Path(reports[-1]["pages"][0]).resolve()
    return {"index": str(page.parents[3] / "index.html"), "archived": str(page), "why": reports[-1]["figures"][0]["page"]}


def serving(asked, work):
    """A scheduler of a new project with a run behind it and a paused pipeline, and the address of its page."""
    shop = work / "shop"
    # A lake that the environment names is the example's.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MATINS_")}
    for words in [["init", str(shop)], ["-C", str(shop), "run", "--no-mail"]]:
        subprocess.run([asked.matins, "-q", *words], check=True, capture_output=True, env=alone)
    for pipeline in (shop / "pipelines").glob("*.yaml"):
        pipeline.write_text('schedule: {cron: "0 3 * * *", paused: true}\n' + pipeline.read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    child = subprocess.Popen([asked.matins, "-q", "-C", str(shop), "serve", "--listen", address], env=alone)
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://{address}/", timeout=5).read()
            break
        except OSError:
            time.sleep(0.1)
    return child, f"http://{address}/"


def smaller(picture):
    """In 256 colours, where Pillow is installed: enough for a page, and a third of the bytes."""
    try:
        from PIL import Image
    except ImportError:
        return
    Image.open(picture).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(picture, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--matins", default=str(ROOT / "target/release/matins"))
    parser.add_argument("--pipeline", default="customer-health")
    parser.add_argument("--only", choices=["pictures", "axe", "mail"])
    asked = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="matins-pictures-"))
    for locale in ["en", "zh-Hans"]:
        began = time.perf_counter()
        verb = [asked.matins, "report", "preview", "--pipeline", asked.pipeline, "--locale", locale]
        subprocess.run([*verb, "--out", str(work / locale)], cwd=ROOT, check=True)
        size = (work / locale / "mail.html").stat().st_size
        print(f"{locale}: rendered in {(time.perf_counter() - began) * 1000:.0f} ms, whole process; mail {size:,} bytes")

    views = [
        (kind, locale, scheme, width)
        for kind, widths in [("page", [1040, 375]), ("mail", [680, 375])]
        for locale in ["en", "zh-Hans"]
        for scheme in ["light", "dark"]
        for width in widths
    ]
    OUT.mkdir(exist_ok=True)
    jobs = [
        {"name": f"{k}-{l}-{s}-{w}", "page": str(work / l / f"{k}.html"), "scheme": s, "width": w}
        for k, l, s, w in views
    ]
    wrong = []
    if asked.only in (None, "pictures"):
        whole = [{**j, "picture": str(OUT / f"{j['name']}.png")} for j in jobs]
        top = {**jobs[0], "name": "report", "picture": str(ROOT / "docs" / "report.png"), "height": 1120}
        wrong += look([*whole, top])
        for job in [*whole, top]:
            smaller(job["picture"])
    if asked.only in (None, "axe"):
        child, status = serving(asked, work)
        try:
            around = {**archived(asked), "status": status}
            looks = [(scheme, width) for scheme in ["light", "dark"] for width in [1040, 375]]
            more = [{"name": f"{k}-{s}-{w}", "page": page, "scheme": s, "width": w} for k, page in around.items() for s, w in looks]
            wrong += look([*jobs, *more])
        finally:
            child.terminate()
            child.wait(timeout=10)
    if asked.only in (None, "mail"):
        wrong += lint(work / locale / "mail.html" for locale in ["en", "zh-Hans"])
    shutil.rmtree(work)
    print("\n".join(["nothing that must not be"] if not wrong else ["", "what must not be:", *wrong]))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
