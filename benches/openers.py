#!/usr/bin/env python3
"""Opens one mail of the shipped example with programs that other people wrote, and says what they found in it.

    cargo build --release
    pip install openpyxl pyyaml                 # and poppler-utils, libreoffice-calc, chromium, npm of the system
    python3 benches/openers.py                  # --keep FOLDER keeps mail, workbook, PDF and its pages as pictures

The example runs in a temporary folder with `pdf: true`, for one reader of English and one of Chinese. What must hold:

  mail  Python's `email` and npm's mailparser (with the mailsplit beneath it) find the same tree of parts, headers, texts and files, byte for byte
  text  the plain text has every heading, every headline figure and every number of the HTML
  book  LibreOffice opens the workbook, and every cell of every table is what `matins query` says is in the snapshot
  pdf   poppler finds the HTML's headings and figures in it, no page stands mostly empty, and there are no more pages than `--pages`

The exit code is 1 when anything of that is not so. See docs/mail.md.
"""
import argparse
import datetime
import email
import email.policy
import glob
import hashlib
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import openpyxl
    import yaml
except ImportError:
    sys.exit("needs `pip install openpyxl pyyaml`")

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NODE = os.path.join(tempfile.gettempdir(), "matins-openers-node")
LIMIT = 300  # seconds; no command takes so long
AS_OF = "2025-01-01"

# Prints what npm's parsers find as JSON.
PARSER = r"""
const { simpleParser } = require("mailparser"), { Splitter } = require("@zone-eu/mailsplit");
const fs = require("fs"), crypto = require("crypto");
const bytes = fs.readFileSync(process.argv[2]);
const sha = (what) => crypto.createHash("sha256").update(what).digest("hex");
(async () => {
  const tree = [];
  await new Promise((done, fail) => {
    const splitter = new Splitter();
    splitter.on("data", (one) => {
      if (one.type !== "node") return;
      let depth = 0;
      for (let up = one.parentNode; up && up.type === "node"; up = up.parentNode) depth += 1;
      tree.push("  ".repeat(depth) + one.contentType + (one.filename ? " " + one.filename : ""));
    });
    splitter.on("end", done);
    splitter.on("error", fail);
    splitter.end(bytes);
  });
  const mail = await simpleParser(bytes, { keepCidLinks: true });
  console.log(JSON.stringify({
    tree,
    subject: mail.subject, from: mail.from.value[0].address, to: mail.to.value.map((one) => one.address), id: mail.messageId,
    date: mail.date.toISOString(), text: mail.text, html: mail.html,
    files: mail.attachments.map((one) => [one.filename || "", one.contentType, (one.cid || ""), sha(one.content)]),
  }));
})().catch((e) => { console.error(e); process.exit(1); });
"""


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--matins", default=os.path.join(ROOT, "target", "release", "matins"), help="the release build")
    p.add_argument("--pages", type=int, default=6, help="a PDF has no more (default 6)")
    p.add_argument("--keep", help="a folder for what was opened")
    return p.parse_args()


def run(*words, **more):
    done = subprocess.run(words, capture_output=True, timeout=LIMIT, **more)
    if done.returncode not in (0, 5):
        sys.exit(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr.decode('utf-8', 'replace')}")
    return done.stdout


def example(matins, work):
    """The shipped project, run once; gives back its two mails by language."""
    for part in ["matins.yaml", "pipelines", "sql", "report-templates"]:
        source = os.path.join(ROOT, part)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, os.path.join(work, part))
    path = os.path.join(work, "pipelines", "customer-health.yaml")
    with open(path) as file:
        text = file.read()
    one = "    recipients: [board@example.com]\n"
    both = "    pdf: true\n    recipients: [en@example.com, {address: zh@example.com, locale: zh-Hans}]\n"
    assert text.count(one) == 1, "the example names its recipients otherwise by now"
    with open(path, "w") as file:
        file.write(text.replace(one, both))
    run(matins, "-q", "-C", work, "run", "customer-health", "--as-of", AS_OF)
    found = glob.glob(os.path.join(work, "**", "*.eml"), recursive=True)
    return {locale: next(f for f in found if f"-{locale}@" in f) for locale in ["en", "zh"]}


def by_python(path):
    with open(path, "rb") as file:
        mail = email.message_from_binary_file(file, policy=email.policy.default)
    tree, files, defects = [], [], []

    def walk(part, depth):
        name = part.get_filename()
        tree.append("  " * depth + part.get_content_type() + (f" {name}" if name else ""))
        defects.extend(str(d) for d in part.defects)
        if part.is_multipart():
            for one in part.iter_parts():
                walk(one, depth + 1)
        elif part.get_content_maintype() != "text":
            content = part.get_payload(decode=True)
            cid = (part["content-id"] or "").strip("<>")
            files.append([name or "", part.get_content_type(), cid, hashlib.sha256(content).hexdigest()])

    walk(mail, 0)
    date = mail["date"].datetime.astimezone(datetime.timezone.utc)
    return mail, {
        "tree": tree,
        "subject": mail["subject"],
        "from": mail["from"].addresses[0].addr_spec,
        "to": [one.addr_spec for one in mail["to"].addresses],
        "id": mail["message-id"],
        "date": date.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "text": mail.get_body(("plain",)).get_content(),
        "html": mail.get_body(("html",)).get_content(),
        "files": files,
    }, defects


def by_npm(path):
    if not os.path.isdir(os.path.join(NODE, "node_modules", "mailparser")):
        os.makedirs(NODE, exist_ok=True)
        run("npm", "install", "--silent", "--no-audit", "--no-fund", "mailparser@3", "@zone-eu/mailsplit@5", cwd=NODE)
    with open(os.path.join(NODE, "parse.js"), "w") as file:
        file.write(PARSER)
    return json.loads(run("node", "parse.js", path, cwd=NODE))


def parsed(locale, path):
    mail, ours, defects = by_python(path)
    theirs = by_npm(path)
    plain = lambda one: re.sub(r"\r\n", "\n", one).rstrip() if isinstance(one, str) else one
    wrong = [f"{locale}: the parsers do not agree on {key}" for key in ours if plain(ours[key]) != plain(theirs[key])]
    wrong += [f"{locale}: {d}" for d in defects]
    print(f"mail {locale}: {os.path.getsize(path):,} bytes, {len(ours['tree'])} parts, {len(ours['files'])} files; "
          f"Python and npm agree on {sum(plain(ours[k]) == plain(theirs[k]) for k in ours)} of {len(ours)}: {', '.join(ours)}")
    if locale == "en":
        kinds = []
        for line in ours["tree"]:
            if kinds and kinds[-1][0] == line.split(" cid")[0]:
                kinds[-1][1] += 1
            else:
                kinds.append([line, 1])
        print("\n".join(f"    {line}{f'  ({n} of them)' if n > 1 else ''}" for line, n in kinds))
    return mail, ours, wrong


class Page(html.parser.HTMLParser):
    """The texts of a page: headings, headline figures, and all of it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.figures, self.all = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in ("br", "img", "meta", "link"):
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tags = [tag for tag, _ in self.open]
        if "style" in tags or "title" in tags or "script" in tags:
            return
        text = " ".join(data.split())
        if not text:
            return
        self.all.append(text)
        if tags and tags[-1] in ("h1", "h2", "h3"):
            self.headings.append(text)
        if self.open and "value" in self.open[-1][1].get("class", "").split():
            self.figures.append(text)


def flat(text):
    return re.sub(r"\s+", "", text)


NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def told(locale, page, text):
    whole = flat(text)
    wrong = []
    for kind, all_of in [("heading", page.headings), ("figure", page.figures)]:
        missing = [one for one in all_of if flat(one) not in whole]
        wrong += [f"{locale}: the text has no {kind} “{one}”" for one in missing]
        print(f"text {locale}: {len(all_of) - len(missing)} of {len(all_of)} {kind}s of the HTML are in it")
    known = set(NUMBER.findall(text))
    numbers = {n for part in page.all for n in NUMBER.findall(part)}
    missing = sorted(numbers - known)
    print(f"text {locale}: {len(numbers) - len(missing)} of {len(numbers)} different numbers of the HTML are in it" + (f"; not {missing}" if missing else ""))
    return wrong + [f"{locale}: the text does not say {n}" for n in missing]


def part(mail, ending):
    return next(p.get_payload(decode=True) for p in mail.walk() if (p.get_filename() or "").endswith(ending))


def typed(value):
    """As comparable: numbers to the digits that a cell keeps, days and texts as texts."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return value
    # How LibreOffice writes a truth.
    if value in ("=TRUE()", "=FALSE()"):
        return value == "=TRUE()"
    if isinstance(value, (int, float)):
        return float(f"{value:.12g}")
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.strftime("%Y-%m-%d")
    return value


def is_share(name):
    return any(word in ("share", "rate", "retention", "probability") for word in name.split("_"))


def book(matins, work, mail):
    office = shutil.which("soffice") or shutil.which("libreoffice")
    path, out = os.path.join(work, "book.xlsx"), os.path.join(work, "opened")
    with open(path, "wb") as file:
        file.write(part(mail, ".xlsx"))
    profile = f"-env:UserInstallation=file://{work}/profile"
    run(office, profile, "--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", out, path, env={**os.environ, "HOME": work})
    opened = openpyxl.load_workbook(os.path.join(out, "book.xlsx"))
    formulas = [c.coordinate for sheet in openpyxl.load_workbook(path) for row in sheet.iter_rows() for c in row if c.data_type == "f"]
    with open(os.path.join(work, "pipelines", "customer-health.yaml")) as file:
        tables = yaml.safe_load(file)["reports"][0]["data"]
    with open(os.path.join(work, "report-templates", "locales", "en.yaml")) as file:
        catalogue = yaml.safe_load(file)
    values, words = catalogue.get("values", {}), catalogue.get("workbook", {})
    names, heads = words.get("sheets", {}), words.get("columns", {})
    wrong, cells = [], 0
    query = lambda sql: json.loads(run(matins, "-q", "-C", work, "query", "--pipeline", "customer-health", "--json", sql))
    for name, table in tables.items():
        title = names.get(name, name.replace("_", " ").capitalize())
        sheet = [[typed(c.value) for c in row] for row in opened[title].iter_rows()]
        rows = query(f"SELECT * FROM {table}")
        called = {heads.get(c, c): c for c in (rows[0] if rows else sheet[0])}
        columns = [called.get(head, head) for head in sheet[0]]
        if sorted(columns) != sorted(called.values()):
            wrong.append(f"the sheet {title} has the columns {sheet[0]}")
            continue
        base = next((c for c in columns if c in ("n", "cohort_size")), None)
        expected = []
        for row in rows:
            few = base and row[base] is not None and row[base] < 10
            line = []
            for c in columns:
                value, kind = row[c], next((type(r[c]) for r in rows if r[c] is not None), str)
                # Money is decimal and comes as a text of digits.
                if isinstance(value, str) and re.fullmatch(r"-?\d+\.\d+", value):
                    value = float(value)
                if few and is_share(c) and kind is not int:
                    value = None
                if isinstance(value, str):
                    value = values.get(c, {}).get(value, value)
                line.append(typed(value))
            expected.append(line)
        key = lambda line: json.dumps(line, sort_keys=True, default=str)
        same = sorted(map(key, sheet[1:])) == sorted(map(key, expected))
        cells += len(expected) * len(columns)
        print(f"book {title}: {len(expected)} rows of {len(columns)} columns {'are those of ' + table if same else 'DIFFER from ' + table}")
        if not same:
            odd = [line for line in map(key, sheet[1:]) if line not in set(map(key, expected))]
            wrong.append(f"the sheet {title} is not {table}: e.g. {odd[:1]} for {[l for l in map(key, expected) if l not in set(map(key, sheet[1:]))][:1]}")
    figures = [[typed(c.value) for c in row] for row in opened["Key figures"].iter_rows()][1:]
    kpis = {line[9] for line in figures}
    same = 0
    for line in figures:
        column = query(f"SELECT * FROM kpi.{line[9]} WHERE period = '{line[1]}'")
        column = [r for r in column if r.get("dimension") is None]
        value = typed(float(column[0]["value"])) if column and column[0]["value"] is not None else None
        too_few = "too few to show" in (line[8] or "")
        if line[2] == (None if too_few else value):
            same += 1
        else:
            wrong.append(f"{line[9]} of {line[1]} is {line[2]} in the workbook, and {value} in the snapshot")
    print(f"book Key figures: {same} of {len(figures)} values of {len(kpis)} KPIs are those of the snapshot")
    print(f"book {cells:,} cells of tables compared; {len(formulas)} formulas")
    return wrong + [f"{c} is a formula" for c in formulas]


def ink(picture):
    """How far down a page something is drawn, as a share of its height: a grey picture as pdftoppm writes it."""
    with open(picture, "rb") as file:
        data = file.read()
    head = re.match(rb"P5\s+(\d+)\s+(\d+)\s+(\d+)\s", data)
    wide, high = int(head[1]), int(head[2])
    pixels = data[head.end():]
    drawn = [y for y in range(high) if min(pixels[y * wide:(y + 1) * wide]) < 200]
    return (drawn[-1] + 1) / high if drawn else 0.0


def printed(locale, work, mail, page, most):
    path = os.path.join(work, f"{locale}.pdf")
    with open(path, "wb") as file:
        file.write(part(mail, ".pdf"))
    pages = int(re.search(rb"Pages:\s+(\d+)", run("pdfinfo", path))[1])
    text = flat(run("pdftotext", path, "-").decode("utf-8", "replace"))
    missing = [one for one in page.headings + page.figures if flat(one) not in text]
    run("pdftoppm", "-gray", "-r", "40", path, os.path.join(work, f"{locale}-ink"))
    filled = [ink(p) for p in sorted(glob.glob(os.path.join(work, f"{locale}-ink-*.pgm")))]
    shares = ", ".join(f"{100 * share:.0f} %" for share in filled)
    count = len(page.headings) + len(page.figures)
    print(f"pdf  {locale}: {os.path.getsize(path):,} bytes, {pages} pages, drawn on down to {shares}; {count - len(missing)} of {count} headings and figures are in it")
    wrong = [f"{locale}: the PDF has no “{one}”" for one in missing]
    wrong += [f"{locale}: page {n + 1} of the PDF is empty below {share:.0%}" for n, share in enumerate(filled[:-1]) if share < 0.6]
    return wrong + ([f"{locale}: the PDF has {pages} pages"] if pages > most else [])


def main():
    options = arguments()
    matins = os.path.abspath(options.matins)
    wrong = []
    with tempfile.TemporaryDirectory(prefix="matins-openers-") as work:
        for locale, path in example(matins, work).items():
            mail, ours, found = parsed(locale, path)
            wrong += found
            page = Page(ours["html"])
            wrong += told(locale, page, ours["text"])
            wrong += printed(locale, work, mail, page, options.pages)
            if locale == "en":
                wrong += book(matins, work, mail)
            if options.keep:
                os.makedirs(options.keep, exist_ok=True)
                shutil.copy(path, os.path.join(options.keep, f"{locale}.eml"))
                shutil.copy(os.path.join(work, f"{locale}.pdf"), options.keep)
                run("pdftoppm", "-png", "-r", "60", os.path.join(work, f"{locale}.pdf"), os.path.join(options.keep, f"{locale}-page"))
                with open(os.path.join(options.keep, f"{locale}.txt"), "w") as file:
                    file.write(ours["text"])
    for line in wrong:
        print(f"  WRONG {line}")
    print("all of it holds" if not wrong else f"{len(wrong)} things do not hold")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
