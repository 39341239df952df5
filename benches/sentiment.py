#!/usr/bin/env python3
"""What the lexicons are worth against people's labels: `satisfaction.comment_scores`, as it is shipped, over texts that people judged.

    git clone https://github.com/cjhutto/vaderSentiment && git clone https://github.com/SophonPlus/ChineseNlpCorpus
    pip install vaderSentiment                  # the reference for English; without it that comparison is left out
    cargo build --release
    python3 benches/sentiment.py --vader vaderSentiment --chinese ChineseNlpCorpus
    python3 benches/sentiment.py --chinese ChineseNlpCorpus --held-out                # the half the lexicon's words are judged on
    python3 benches/sentiment.py --csv judged.csv --text comment --label label        # a company's own sample

Either clone may be missing, and needs no work tree. Labels of `--csv` are positive, neutral and negative, or 1, 0 and -1, or 1 and 0
where no -1 stands. The texts become one export of a temporary project that runs that stage; its `label` is compared.

English texts have the mean of some 20 people from -4 to 4. It is cut into classes at ±0.05, where the paper cuts scores and where its
figures nearly come out, which leaves hardly anything neutral; and at ±0.5, where the mean rounds to 0. The Chinese texts came with their labels, most of
them from nobody knows where, and no label is neutral. A text that the lexicon calls neutral, or does not score, is missed by its class.

Leaves with 1 when a score of an ASCII text is not that of the reference. See docs/bench.md.
"""
import argparse
import csv
import hashlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STAGE = "sql/crm/satisfaction/satisfaction/comment_scores.sql"
CLASSES = ["positive", "neutral", "negative"]
CUTS = [0.05, 0.5]
# Hutto & Gilbert 2014, table 4: what VADER had there, correlation and F1, and what one person had beside the mean of all.
RATED = {
    "tweets": ("tweets", (0.881, 0.96), (0.888, 0.84)),
    "product reviews": ("amazonReviewSnippets", (0.565, 0.63), (0.911, 0.85)),
    "film reviews": ("movieReviewSnippets", (0.451, 0.61), (0.899, 0.92)),
    "newspaper": ("nytEditorialSnippets", (0.492, 0.55), (0.745, 0.65)),
}
CHINESE = {
    "meal deliveries": "waimai_10k/waimai_10k.csv",
    "hotels": "ChnSentiCorp_htl_all/ChnSentiCorp_htl_all.csv",
    "nine kinds of goods": "online_shopping_10_cats/online_shopping_10_cats.zip",
}


@dataclass
class Judged:
    """One text; what people said of it is a class, or the mean of their ratings."""

    text: str
    label: str | None = None
    rating: float | None = None
    # What the stage says, once it has run.
    language: str | None = None
    score: float | None = None
    verdict: str | None = None


@dataclass
class View:
    """A data set with its ratings cut into classes: pairs of what people said and what the lexicon says."""

    name: str
    cut: float | None
    texts: list
    pairs: list

    @property
    def title(self):
        return self.name if self.cut is None else f"{self.name}, ±{self.cut:g}"

    @property
    def classes(self):
        return [c for c in CLASSES if any(said == c for said, _ in self.pairs)]


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--vader", help="a clone of cjhutto/vaderSentiment")
    p.add_argument("--chinese", help="a clone of SophonPlus/ChineseNlpCorpus")
    p.add_argument("--held-out", action="store_true", help="of the Chinese texts only the half that no word of the lexicon was picked from")
    p.add_argument("--csv", help="a file of your own with a head")
    p.add_argument("--text", default="text", help="its column of texts (default text)")
    p.add_argument("--label", default="label", help="its column of labels (default label)")
    p.add_argument("--matins", default=os.path.join(ROOT, "target", "release", "matins"), help="the release build")
    p.add_argument("--markdown", action="store_true", help="print the tables for docs/bench.md")
    options = p.parse_args()
    if not (options.vader or options.chinese or options.csv):
        p.error("nothing to read: give --vader, --chinese or --csv")
    return options


def of_clone(clone, path):
    """From the commit, so that a bare clone will do; None of a file that it has not got."""
    done = subprocess.run(["git", "-C", clone, "show", f"HEAD:{path}"], capture_output=True)
    if done.returncode != 0:
        print(f"left out, {path}: {done.stderr.decode('utf-8', 'replace').strip()}", file=sys.stderr)
        return None
    return done.stdout


def rated(clone):
    packed = of_clone(clone, "additional_resources/hutto_ICWSM_2014.tar.gz")
    if packed is None:
        return {}
    found = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        for name, (file, _, _) in RATED.items():
            lines = files.extractfile(f"hutto_ICWSM_2014/{file}_GroundTruth.txt").read().decode("utf-8-sig").splitlines()
            rows = [line.split("\t", 2) for line in lines if line]
            found[name] = [Judged(text, rating=float(mean)) for _, mean, text in rows]
    return found


def chinese(clone):
    found = {}
    for name, path in CHINESE.items():
        data = of_clone(clone, f"datasets/{path}")
        if data is not None:
            if path.endswith(".zip"):
                with zipfile.ZipFile(io.BytesIO(data)) as files:
                    data = files.read(files.namelist()[0])
            # The goods have hotels among them, and those for the most part are the hotels' texts once more.
            found[name] = labelled(data, "review", "label", lambda row: row.get("cat") != "酒店")
    return found


def held_out(text):
    """By letters and digits only, so that texts that differ in marks and spaces stay together. To choose words, look at the others."""
    bare = "".join(c for c in text.lower() if c.isalnum()) or text
    return hashlib.sha256(bare.encode()).digest()[0] % 2 == 1


def labelled(data, text, label, wanted=lambda _: True):
    lines = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    missing = {text, label} - set(lines.fieldnames or [])
    if missing:
        sys.exit(f"no column {', '.join(sorted(missing))} among {lines.fieldnames}")
    rows = [(row[text] or "", (row[label] or "").strip().lower()) for row in lines if wanted(row)]
    three = any(said in ("-1", "neutral") for _, said in rows)
    words = {"1": "positive", "-1": "negative", "0": "neutral" if three else "negative", **{c: c for c in CLASSES}}
    unknown = sorted({said for _, said in rows} - set(words))
    if unknown:
        sys.exit(f"no label of a class: {unknown[:5]}")
    return [Judged(text, label=words[said]) for text, said in rows if text.strip()]


def project(folder, texts):
    files = {
        "matins.yaml": "lake: lake\ntime_zone: UTC\ndefault_pipeline: labels\nstores: {exports: exports}\n",
        "pipelines/labels.yaml": "sources:\n  texts:\n    path: exports://texts.csv\n    mode: full\n    key: id\n    columns:\n"
        "      id: {type: integer, required: true}\n      comment: {type: text, required: true}\npacks: [labels]\n",
        "sql/labels/core/survey_responses.sql": "SELECT id AS response_id, 'one' AS customer_key, 'labels' AS survey,\n"
        "    CAST('2024-01-01' AS TIMESTAMP) AS answered_at, CAST('2024-01-01' AS DATE) AS bdate, comment\nFROM raw.texts\n",
    }
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "w") as out:
            out.write(text)
    os.makedirs(os.path.join(folder, "sql/labels/satisfaction"))
    shutil.copy(os.path.join(ROOT, STAGE), os.path.join(folder, "sql/labels/satisfaction/comment_scores.sql"))
    os.makedirs(os.path.join(folder, "exports"))
    with open(os.path.join(folder, "exports/texts.csv"), "w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, quoting=csv.QUOTE_ALL)
        rows.writerow(["id", "comment"])
        rows.writerows((at, one.text) for at, one in enumerate(texts))


def scored(matins, texts):
    """Puts down with each text what the stage says of it."""
    environment = {key: value for key, value in os.environ.items() if key != "MATINS_LAKE"}
    with tempfile.TemporaryDirectory(prefix="matins-sentiment-") as folder:
        project(folder, texts)
        subprocess.run([matins, "-C", folder, "run", "-q"], check=True, env=environment, stdout=subprocess.DEVNULL)
        sql = "SELECT response_id, language, score, label FROM satisfaction.comment_scores"
        done = subprocess.run([matins, "-C", folder, "query", "--json", sql], check=True, env=environment, stdout=subprocess.PIPE)
    rows = json.loads(done.stdout)
    if len(rows) != len(texts):
        sys.exit(f"{len(texts)} texts went in and {len(rows)} came out")
    for row in rows:
        one = texts[row["response_id"]]
        one.language, one.score, one.verdict = row["language"], row["score"], row["label"]


def views(sets):
    for name, texts in sets.items():
        if texts[0].rating is None:
            yield View(name, None, texts, [(one.label, one.verdict) for one in texts])
            continue
        for cut in CUTS:
            yield View(name, cut, texts, [(cut_at(one.rating, cut), one.verdict) for one in texts])


def cut_at(rating, cut):
    return "positive" if rating >= cut else "negative" if rating <= -cut else "neutral"


def of_class(pairs, name):
    """Precision, recall and F1; 0 where there is nothing to divide by."""
    both = sum(said == name == verdict for said, verdict in pairs)
    called = sum(verdict == name for _, verdict in pairs)
    are = sum(said == name for said, _ in pairs)
    return both / called if called else 0.0, both / are if are else 0.0, 2 * both / (called + are) if called + are else 0.0


def macro_f1(pairs, classes):
    return statistics.fmean(of_class(pairs, c)[2] for c in classes)


def f1_by_size(pairs, classes):
    """Each class weighs by its texts, which is what the paper's "overall" must mean to come out as it does."""
    return sum(of_class(pairs, c)[2] * sum(said == c for said, _ in pairs) for c in classes) / len(pairs)


def share(true, of):
    return f"{100 * true / of:.1f} %" if of else "–"


def overall(all_views):
    yield ("data set", "texts", *CLASSES, "macro-F1", "accuracy", "decided", "polarity right of these")
    for view in all_views:
        pairs = view.pairs
        decided = [(said, verdict) for said, verdict in pairs if "neutral" not in (said, verdict) and verdict]
        yield (
            view.title, f"{len(pairs):,}", *(f"{sum(said == c for said, _ in pairs):,}" for c in CLASSES),
            f"**{macro_f1(pairs, view.classes):.2f}**", share(sum(said == verdict for said, verdict in pairs), len(pairs)),
            share(len(decided), len(pairs)), share(sum(said == verdict for said, verdict in decided), len(decided)),
        )


def beside_the_paper(all_views):
    yield ("data set", "r", "published", "one person", "F1 by size", "published", "one person")
    for view in all_views:
        if view.cut != CUTS[0]:
            continue
        _, (r, f1), (r_person, f1_person) = RATED[view.name]
        ours = statistics.correlation(*zip(*((one.rating, one.score) for one in view.texts if one.score is not None)))
        yield (view.title, f"**{ours:.3f}**", f"{r:.3f}", f"{r_person:.3f}",
               f"**{f1_by_size(view.pairs, view.classes):.2f}**", f"{f1:.2f}", f"{f1_person:.2f}")


def by_class(all_views):
    yield ("data set", *(f"{c}: precision, recall, F1" for c in CLASSES))
    for view in all_views:
        cells = (" · ".join(f"{x:.2f}" for x in of_class(view.pairs, c)) if c in view.classes else "–" for c in CLASSES)
        yield (view.title, *cells)


def as_kpis(all_views):
    """What `kpi.negative_comments` and `kpi.sentiment` would say of these texts, and what people's labels say."""
    yield ("data set", "negative, people", "negative, lexicon", "net, people", "net, lexicon", "called neutral", "not scored")
    for view in all_views:
        n, scored_ones = len(view.pairs), [verdict for _, verdict in view.pairs if verdict]
        m = len(scored_ones)
        net = lambda given, of: f"{100 * (given.count('positive') - given.count('negative')) / of:+.0f}" if of else "–"
        said = [said for said, _ in view.pairs]
        yield (view.title, share(said.count("negative"), n), share(scored_ones.count("negative"), m), net(said, n), net(scored_ones, m),
               share(scored_ones.count("neutral"), m), share(n - m, n))


def by_length(all_views):
    yield ("data set", *(f"{which} third: characters, macro-F1" for which in ["shortest", "middle", "longest"]))
    for view in all_views:
        order = sorted(range(len(view.texts)), key=lambda at: len(view.texts[at].text))
        cells = []
        for third in range(3):
            places = order[third * len(order) // 3:(third + 1) * len(order) // 3]
            lengths = [len(view.texts[at].text) for at in places]
            part = View(view.name, view.cut, [], [view.pairs[at] for at in places])
            cells.append(f"{min(lengths)}–{max(lengths)}: {macro_f1(part.pairs, part.classes):.2f}" if places else "–")
        yield (view.title, *cells)


def table(rows, markdown):
    head, *body = rows
    if not body:
        return
    if markdown:
        for line in (head, ("---",) * len(head), *body):
            print("| " + " | ".join(line) + " |")
    else:
        plain = [[cell.strip("*") for cell in row] for row in (head, *body)]
        widths = [max(len(row[at]) for row in plain) for at in range(len(head))]
        for row in plain:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()


def beside_the_reference(sets):
    """How far the scores are from the package's own; gives back how many ASCII texts differ."""
    try:
        import importlib.metadata

        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError:
        print("Not compared with the reference: `pip install vaderSentiment`")
        return 0
    reference = SentimentIntensityAnalyzer()
    english = [one for texts in sets.values() for one in texts if one.language == "en"]
    far = [(abs(one.score - reference.polarity_scores(one.text)["compound"]), one) for one in english]
    # What is written outside ASCII may be an emoji, whose name the reference reads and we do not.
    for what, some in [("ASCII texts", [f for f in far if f[1].text.isascii()]), ("other texts", [f for f in far if not f[1].text.isascii()])]:
        differ = [one for distance, one in some if distance > 1e-9]
        if some:
            print(f"vaderSentiment {importlib.metadata.version('vaderSentiment')}, {len(some):,} {what} taken for English: "
                  f"{len(differ)} scores differ, by at most {max(distance for distance, _ in some):.4f}")
        for one in differ[:3]:
            print(f"    {one.score} and not {reference.polarity_scores(one.text)['compound']}: {one.text[:120]!r}")
    return sum(distance > 1e-9 and one.text.isascii() for distance, one in far)


def main():
    options = arguments()
    sets = rated(options.vader) if options.vader else {}
    of_chinese = chinese(options.chinese) if options.chinese else {}
    if options.held_out:
        of_chinese = {name: [one for one in texts if held_out(one.text)] for name, texts in of_chinese.items()}
    sets.update(of_chinese)
    if options.csv:
        with open(options.csv, "rb") as file:
            sets[os.path.basename(options.csv)] = labelled(file.read(), options.text, options.label)
    sets = {name: texts for name, texts in sets.items() if texts}
    if not sets:
        sys.exit("no labelled text was found")
    scored(os.path.abspath(options.matins), [one for texts in sets.values() for one in texts])
    all_views = list(views(sets))
    for rows in (overall, beside_the_paper, by_class, as_kpis, by_length):
        table(list(rows(all_views)), options.markdown)
    sys.exit(1 if beside_the_reference(sets) else 0)


if __name__ == "__main__":
    main()
