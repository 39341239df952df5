#!/usr/bin/env python3
"""Pictures of the shipped example's report for docs/pictures/, checked by axe in the same browser, and the mail checked
against what mail programs support (caniemail.com).

    benches/pictures.py [--matins target/release/matins] [--pipeline customer-health] [--only pictures|axe|mail]

It needs a lake with a snapshot (`matins run`), Chromium, and for the checks Node with npm (packages go to a folder of their
own under the machine's temporary folder). Nothing is fetched by the pages themselves.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "pictures"
NODE = pathlib.Path(tempfile.gettempdir()) / "matins-pictures-node"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
]

# Runs in Node: pictures and axe through puppeteer-core, so that width and dark mode are the browser's own.
DRIVER = r"""
const puppeteer = require("puppeteer-core"), fs = require("fs");
const [, , chromium, flags, jobs] = process.argv;
(async () => {
  const browser = await puppeteer.launch({ executablePath: chromium, args: JSON.parse(flags), headless: true });
  const said = [];
  for (const job of JSON.parse(jobs)) {
    const page = await browser.newPage();
    await page.setViewport({ width: job.width, height: 900, deviceScaleFactor: 1 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: job.scheme }]);
    await page.goto("file://" + job.page);
    if (job.picture) {
      const options = { path: job.picture, fullPage: !job.height, type: "png" };
      if (job.height) options.clip = { x: 0, y: 0, width: job.width, height: job.height };
      await page.screenshot(options);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > job.width) said.push(`${job.name}: ${wide} px wide in a window of ${job.width}`);
    } else {
      await page.addScriptTag({ path: require.resolve("axe-core/axe.min.js") });
      const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      const told = found.violations.map((v) => `${v.impact} ${v.id} (${v.nodes.length}): ${v.nodes[0].target} ${v.help}`);
      said.push(`${job.name}: ${found.passes.length} rules pass, ${told.length} violations${told.map((t) => "\n    " + t).join("")}`);
    }
    await page.close();
  }
  await browser.close();
  console.log(said.join("\n"));
})().catch((e) => { console.error(e); process.exit(1); });
"""

LINTER = r"""
const { caniemail } = require("caniemail"), fs = require("fs");
const clients = ["gmail.*", "outlook.*", "apple-mail.*"];
for (const file of process.argv.slice(2)) {
  const found = caniemail({ clients, html: fs.readFileSync(file, "utf8") });
  const lines = (level) => {
    const by = {};
    for (const [client, issues] of found.issues[level]) for (const issue of issues) (by[issue.title] ||= new Set()).add(client);
    return Object.entries(by).map(([title, who]) => `    ${level.slice(0, -1)} ${title}: ${[...who].join(", ")}`);
  };
  console.log(`${file}: success ${found.success}\n${[...lines("errors"), ...lines("warnings")].join("\n")}`);
}
"""


def node(script, *args, packages):
    """Runs a script with packages of npm."""
    NODE.mkdir(exist_ok=True)
    missing = [p for p in packages if not (NODE / "node_modules" / p.rsplit("@", 1)[0]).is_dir()]
    if missing:
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *missing], cwd=NODE, check=True)
    (NODE / "script.js").write_text(script)
    return subprocess.run(["node", "script.js", *args], cwd=NODE, check=True, capture_output=True, text=True).stdout


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
    flags = json.dumps(FLAGS)
    tools = ["puppeteer-core@24", "axe-core@4"]
    if asked.only in (None, "pictures"):
        whole = [{**j, "picture": str(OUT / f"{j['name']}.png")} for j in jobs]
        top = {**jobs[0], "name": "report", "picture": str(ROOT / "docs" / "report.png"), "height": 1120}
        print(node(DRIVER, CHROMIUM, flags, json.dumps([*whole, top]), packages=tools))
        for job in [*whole, top]:
            smaller(job["picture"])
    if asked.only in (None, "axe"):
        print(node(DRIVER, CHROMIUM, flags, json.dumps(jobs), packages=tools))
    if asked.only in (None, "mail"):
        mails = [str(work / locale / "mail.html") for locale in ["en", "zh-Hans"]]
        print(node(LINTER, *mails, packages=["caniemail@2"]))
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
