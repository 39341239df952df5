//! Every key of a project's texts: its shape, whether it must be there, and what it means.
//!
//! The one declaration from which decoders, messages and the JSON Schema come.

use super::shape::{Key, Need, Object, Shape};

const fn must(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, doc, shape, required: true }
}

const fn may(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, doc, shape, required: false }
}

const fn object(name: &'static str, keys: &'static [Key]) -> Object {
    Object { name, keys, need: Need::Nothing }
}

const fn one_of(name: &'static str, need: &'static [&'static str], keys: &'static [Key]) -> Object {
    Object { name, keys, need: Need::ExactlyOne(need) }
}

const fn any_of(name: &'static str, need: &'static [&'static str], keys: &'static [Key]) -> Object {
    Object { name, keys, need: Need::AtLeastOne(need) }
}

const WORD: &str = "^[a-z][a-z0-9_]*$";
const DASHED: &str = "^[a-z][a-z0-9_-]*$";
const PACK: &str = "^[a-z][a-z0-9_/-]*$";
const TABLE: &str = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$";
const ADDRESS: &str = "@";
const DESTINATION: &str = "^(.*@.*|[a-z][a-z0-9_-]*)$";
const TYPE: &str = r"^(text|integer|float|boolean|date|timestamp|decimal\( *[0-9]+ *, *[0-9]+ *\))$";

const SPAN_OF_TIME: &str = "^ *0*[1-9][0-9]{0,8} *[smhd] *$";
const DAYS: &str = "^[0-9]{1,4} *d$";

pub(super) const INTERVALS: &[&str] = &["hour", "day", "week", "month", "quarter"];

pub(super) static PROJECT: Object = object(
    "matins.yaml",
    &[
        may(
            "lake",
            Shape::Setting,
            "where Matins writes: a URL, or a folder relative to the project (default `lake`); the variable MATINS_LAKE overrides it",
        ),
        may("time_zone", Shape::Text, "the zone of intervals and schedules, as in `Europe/London` (default `UTC`)"),
        may(
            "memory",
            Shape::Form(r"^[0-9.]+ *([KkMmGg]i?)?[Bb]?$"),
            "the engine's memory, as in `2GiB`; it spills instead of using more (default: half of the machine's)",
        ),
        may("default_pipeline", Shape::Form(DASHED), "the pipeline that verbs use when none is named"),
        may(
            "stores",
            Shape::Map(DASHED, &Shape::Either(&Shape::Setting, &STORE)),
            "named places in object storage: a URL or a folder, or a mapping with `url` and `options`",
        ),
        may("mail", Shape::Object(&MAIL), "where mail goes"),
        may(
            "channels",
            Shape::Map(DASHED, &Shape::Object(&CHANNEL)),
            "places that take posts over HTTP, by the names that `recipients` use",
        ),
        may(
            "calendars",
            Shape::Map(DASHED, &Shape::Object(&CALENDAR)),
            "business days and holidays, by the names that `schedule.calendar` uses",
        ),
        may("serve", Shape::Object(&SERVE), "how `matins serve` uses this machine, and what it shows"),
        may(
            "timeouts",
            Shape::Object(&TIMEOUTS),
            "how long work may last, for pipelines that do not say it themselves",
        ),
        may(
            "site",
            Shape::Form("^https?://"),
            "where people read the lake's `reports/`, as in `https://reports.example.com`: links in messages begin with it",
        ),
        may(
            "notify",
            Shape::List(&Shape::Form(DESTINATION)),
            "who is told when a pipeline fails, works again, or has not published by its `publish_by`: addresses, and names of `channels`",
        ),
    ],
);

pub(super) static STORE: Object = object(
    "a store",
    &[
        must(
            "url",
            Shape::Setting,
            "`s3://bucket/prefix`, `az://…`, `gs://…`, `https://…`, `file:///…`, or a folder relative to the project",
        ),
        may(
            "options",
            Shape::Map("", &Shape::Setting),
            "passed to the store as they are: `endpoint`, `region`, `access_key_id`, `allow_http` …",
        ),
    ],
);

pub(super) static MAIL: Object = object(
    "`mail`",
    &[
        may("from", Shape::Form(ADDRESS), "the sender, as in `Matins <matins@example.com>`"),
        may("folder", Shape::Text, "the folder that messages are written to (default `mail`)"),
        may("transport", Shape::Object(&TRANSPORT), "how messages leave (default: files in `folder`)"),
        may(
            "allow",
            Shape::List(&Shape::Form(ADDRESS)),
            "the only recipients there are: addresses, or `*@example.com`; messages to others are suppressed",
        ),
        may("dkim", Shape::Object(&DKIM), "signs every message"),
        may(
            "unsubscribe",
            Shape::OneOrMany(&Shape::Form("^(mailto:|https://)")),
            "`mailto:…`, or `https://…` that takes a POST (RFC 8058); `{recipient}` in it is the address",
        ),
        may("give_up_after_hours", Shape::Whole(1), "how long a message that is refused for now is tried (default 24)"),
        may(
            "bounces",
            Shape::Text,
            "a maildir to which notices of non-delivery come; they mark the message and its recipient",
        ),
    ],
);

pub(super) static CHANNEL: Object = one_of(
    "a channel",
    &["slack", "webhook"],
    &[
        may("slack", Shape::Setting, "the address of a Slack-compatible incoming webhook; write it as `${VARIABLE}`"),
        may("webhook", Shape::Setting, "the address that takes Matins' own JSON"),
        may("secret", Shape::Setting, "signs the posts of a `webhook` (HMAC-SHA-256); write it as `${VARIABLE}`"),
        may("timeout_s", Shape::Whole(1), "how long an answer may take (default 30)"),
    ],
);

pub(super) static TRANSPORT: Object =
    one_of("`transport`", &["smtp"], &[may("smtp", Shape::Object(&SMTP), "a mail server")]);

pub(super) static SMTP: Object = object(
    "`smtp`",
    &[
        must("host", Shape::Setting, "the server's name"),
        may("port", Shape::Whole(1), "its port (default: 587, 465 for `tls`, 25 for `none`)"),
        may(
            "security",
            Shape::OneOf(&["starttls", "tls", "none"]),
            "`starttls` refuses to go on without it; `none` only where nobody can listen (default `starttls`)",
        ),
        may("user", Shape::Setting, "the login"),
        may("password", Shape::Setting, "write it as `${VARIABLE}`"),
        may("connections", Shape::Whole(1), "how many at once (default 4)"),
        may("timeout_s", Shape::Whole(1), "how long an answer may take (default 60)"),
        may("ca", Shape::Text, "a PEM file of certificates to trust besides the usual ones"),
    ],
);

pub(super) static DKIM: Object = one_of(
    "`dkim`",
    &["key", "key_file"],
    &[
        must("domain", Shape::Text, "the domain that signs"),
        must("selector", Shape::Text, "the name of the key in its DNS"),
        may("key", Shape::Setting, "the private key, as `${VARIABLE}`"),
        may(
            "key_file",
            Shape::Text,
            "the file of the private key: RSA as PKCS#1 PEM, or Ed25519 as base64 of 32 bytes",
        ),
    ],
);

pub(super) static PIPELINE: Object = object(
    "a pipeline",
    &[
        may("description", Shape::Text, "what it is for"),
        may("time_zone", Shape::Text, "the zone of its intervals (default: the project's)"),
        may("interval", Shape::OneOf(INTERVALS), "the calendar unit of its runs (default `day`)"),
        may(
            "week_starts",
            Shape::OneOf(&["monday", "sunday"]),
            "the first day of a week, for `interval: week` (default `monday`)",
        ),
        may(
            "close_after",
            Shape::Form(DAYS),
            "how long after its end a month is closed, as in `2d`, for stages with `closed: month`: until its last rows have come (default `0d`)",
        ),
        may("schedule", Shape::Object(&SCHEDULE), "when it runs by itself"),
        may("timeouts", Shape::Object(&TIMEOUTS), "how long its work may last"),
        may(
            "notify",
            Shape::List(&Shape::Form(DESTINATION)),
            "who is told when it fails, works again, or has not published by `publish_by` (default: the project's)",
        ),
        may("sample", Shape::Object(&SAMPLE), "made-up exports, so that it runs with nothing given"),
        may("params", Shape::Map(WORD, &Shape::Literal), "values that stages use as `$name`"),
        may(
            "sources",
            Shape::Map(WORD, &Shape::Object(&SOURCE)),
            "the exports it reads; each becomes the table `raw.<source>`",
        ),
        may("currency", Shape::Text, "the sign or code shown before its amounts of money, as in `£` or `CNY`"),
        may("packs", Shape::List(&Shape::Form(PACK)), "folders of stages below `sql/`"),
        may(
            "kpis",
            Shape::List(&Shape::Either(&Shape::Form(WORD), &KPI)),
            "the KPIs its reports show, in this order: names of its packs' KPIs, what it says differently of them, and its own (default: all of its packs)",
        ),
        may("reports", Shape::List(&Shape::Object(&REPORT)), "what is rendered from its snapshot"),
    ],
);

pub(super) const WEEKDAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

pub(super) static CALENDAR: Object = object(
    "a calendar",
    &[
        may(
            "business_days",
            Shape::OneOrMany(&Shape::OneOf(WEEKDAYS)),
            "the weekdays on which there is business (default: Monday to Friday)",
        ),
        may("holidays", Shape::List(&Shape::Date), "dates without business, as in `2027-12-25`"),
    ],
);

pub(super) static SERVE: Object = object(
    "`serve`",
    &[
        may("at_once", Shape::Whole(1), "how many pipelines run side by side; they share its memory (default 2)"),
        may(
            "listen",
            Shape::Text,
            "an address and a port, as in `127.0.0.1:9180`, where it shows how it is: `/`, `/status`, `/metrics`, `/healthz`, `/readyz`",
        ),
        may("gc", Shape::Object(&GC), "deletes once a day what no snapshot reaches any more (default: never)"),
    ],
);

pub(super) static GC: Object = object(
    "`gc`",
    &[
        must("at", Shape::Text, "the time of day, in the project's zone, as in `05:00`"),
        may("keep", Shape::Whole(1), "snapshots kept for each pipeline (default 400)"),
    ],
);

pub(super) static TIMEOUTS: Object = object(
    "`timeouts`",
    &[
        may("step", Shape::Form(SPAN_OF_TIME), "one step, as in `30m` (default `6h`)"),
        may("run", Shape::Form(SPAN_OF_TIME), "one run of one interval, as in `3h` (default `12h`)"),
    ],
);

pub(super) static SCHEDULE: Object = any_of(
    "`schedule`",
    &["cron", "after", "exports"],
    &[
        may(
            "cron",
            Shape::OneOrMany(&Shape::Text),
            "a cron pattern or a list of them, in the pipeline's zone: minute hour day month weekday, with seconds before them if needed",
        ),
        may(
            "after",
            Shape::OneOrMany(&Shape::Form(DASHED)),
            "pipelines: it runs an interval when all of them have published it",
        ),
        may(
            "exports",
            Shape::OneOrMany(&Shape::Form(WORD)),
            "sources with `{date}` in their path: it runs an interval when each has an export of its last day",
        ),
        may("look_every_minutes", Shape::Whole(1), "how often `exports` are looked for (default 5)"),
        may(
            "calendar",
            Shape::Form(DASHED),
            "a calendar of `matins.yaml`: a fire of `cron` on a day without business moves to the next business day",
        ),
        may("catch_up", Shape::Object(&CATCH_UP), "what happens to runs that were missed"),
        may(
            "overlap",
            Shape::OneOf(&["queue", "skip"]),
            "what becomes of a fire while the pipeline runs: it waits, or is skipped (default `queue`)",
        ),
        may(
            "priority",
            Shape::OneOf(&["low", "normal", "high"]),
            "who goes first when more is due than may run side by side (default `normal`)",
        ),
        may(
            "paused",
            Shape::Boolean,
            "whether it does nothing; what passes meanwhile is not run later (default `false`)",
        ),
        may(
            "publish_by",
            Shape::Text,
            "the time of day after an interval's end by which it must have published, as in `06:30`; else `notify` is told",
        ),
    ],
);

pub(super) static CATCH_UP: Object = object(
    "`catch_up`",
    &[
        may(
            "data",
            Shape::OneOf(&["all", "latest", "none"]),
            "which missed runs are made up for; of `all` the latest 31 (default `all`)",
        ),
        may(
            "reports",
            Shape::OneOf(&["latest", "all", "none"]),
            "which of their reports go out, marked late (default `latest`)",
        ),
    ],
);

pub(super) static SAMPLE: Object = object(
    "`sample`",
    &[
        must("store", Shape::Form(DASHED), "the store whose folder is filled when it is empty"),
        must("as_of", Shape::Date, "the end of the sample's time, as in `2025-01-01`"),
        may("customers", Shape::Whole(1), "how many customers the company has (default 2000)"),
    ],
);

pub(super) static SOURCE: Object = object(
    "a source",
    &[
        must(
            "path",
            Shape::Form("^[a-z][a-z0-9_-]*://.+$"),
            "where its exports are: `store://folder/{date}.csv`, with `{date:%Y%m%d}` for another form, and the globs `*`, `?` and `**`",
        ),
        may(
            "mode",
            Shape::OneOf(&["append", "full"]),
            "whether each export adds rows, or is everything there is (default `append`)",
        ),
        may("format", Shape::Object(&FORMAT), "how the files are written"),
        may("key", Shape::OneOrMany(&Shape::Text), "the columns that tell one row from another"),
        may(
            "keep",
            Shape::Either(&Shape::OneOf(&["first", "last"]), &KEEP),
            "which of the rows with one key stays (default `last`)",
        ),
        may(
            "unknown_columns",
            Shape::OneOf(&["ignore", "warn", "refuse"]),
            "what to do with a column that is not declared (default `warn`)",
        ),
        may(
            "on_vanish",
            Shape::OneOf(&["keep", "refuse"]),
            "what to do when a landed export is gone from its store (default `keep`)",
        ),
        may(
            "quarantine_limit",
            Shape::Share,
            "above this share of rows quarantined nothing is published (default `1%`)",
        ),
        must(
            "columns",
            Shape::Map(WORD, &Shape::Either(&Shape::Form(TYPE), &COLUMN)),
            "the contract: each column with its type, in this order",
        ),
        may("checks", Shape::List(&Shape::Object(&CHECK)), "rules on the landed rows"),
    ],
);

pub(super) static FORMAT: Object = object(
    "`format`",
    &[
        may("delimiter", Shape::Text, "what stands between fields (default `,`); `tab` for a tab"),
        may("quote", Shape::Text, "what stands around a field (default `\"`)"),
        may("encoding", Shape::Text, "a label of the WHATWG encoding standard, as in `windows-1252` (default `utf-8`)"),
        may(
            "null_tokens",
            Shape::OneOrMany(&Shape::Text),
            "texts that mean \"no value\" in every column, besides the empty field",
        ),
        may("trim", Shape::Boolean, "whether spaces around a field are taken off (default `false`)"),
    ],
);

pub(super) static KEEP: Object = one_of(
    "`keep`",
    &["latest", "earliest"],
    &[
        may("latest", Shape::Text, "the row with the greatest value of this column"),
        may("earliest", Shape::Text, "the row with the least value of this column"),
    ],
);

pub(super) static COLUMN: Object = object(
    "a column",
    &[
        must(
            "type",
            Shape::Form(TYPE),
            "`text`, `integer`, `decimal(18,4)`, `float`, `boolean`, `date` or `timestamp`",
        ),
        may("header", Shape::OneOrMany(&Shape::Text), "the header texts it may have in an export (default: its name)"),
        may("required", Shape::Boolean, "whether a row without a value is quarantined (default `false`)"),
        may(
            "format",
            Shape::OneOrMany(&Shape::Text),
            "how a date or timestamp is written, as in `%d.%m.%Y`; several are tried in turn",
        ),
        may(
            "zone",
            Shape::Text,
            "the zone a timestamp is written in; it becomes UTC (default: local wall-clock time, kept)",
        ),
        may("decimal_comma", Shape::Boolean, "whether a decimal is written `1.234,56` (default `false`)"),
        may("yes", Shape::OneOrMany(&Shape::Text), "texts of a boolean that mean true"),
        may("no", Shape::OneOrMany(&Shape::Text), "texts of a boolean that mean false"),
        may("null_tokens", Shape::OneOrMany(&Shape::Text), "more texts that mean \"no value\", for this column"),
        may("accepted", Shape::List(&Shape::Text), "the only values it may have"),
        may("min", Shape::Literal, "the least value it may have"),
        may("max", Shape::Literal, "the greatest value it may have"),
        may(
            "pii",
            Shape::Text,
            "the class of personal data it holds, as in `name` or `email`; `none` says it was thought about",
        ),
        may("description", Shape::Text, "what it means"),
    ],
);

const RULES: &[&str] = &[
    "not_null",
    "unique",
    "accepted",
    "range",
    "references",
    "expression",
    "freshness",
    "row_count",
    "row_change",
    "query",
];

pub(super) static CHECK: Object = one_of(
    "a check",
    RULES,
    &[
        may("name", Shape::Text, "what it is called (default: its rule)"),
        may(
            "severity",
            Shape::OneOf(&["info", "warn", "quarantine", "error"]),
            "what a bad row leads to; `quarantine` takes it out, `error` blocks publishing (default `error`)",
        ),
        may("limit", Shape::Object(&LIMIT), "how many bad rows it lets pass (default: none)"),
        may("not_null", Shape::OneOrMany(&Shape::Text), "these columns have a value"),
        may("unique", Shape::OneOrMany(&Shape::Text), "no two rows are equal in these columns"),
        may("accepted", Shape::Object(&ACCEPTED), "a column has only these values"),
        may("range", Shape::Object(&RANGE), "a column lies between these bounds, both included"),
        may("references", Shape::Object(&REFERENCES), "every value stands in another table's column"),
        may("expression", Shape::Text, "a SQL expression that is true of every row"),
        may(
            "freshness",
            Shape::Object(&FRESHNESS),
            "the greatest value of a column is at most so many days before the run's as-of",
        ),
        may("row_count", Shape::Object(&ROW_COUNT), "the table has so many rows"),
        may("row_change", Shape::Object(&ROW_CHANGE), "the number of rows against the last snapshot"),
        may("query", Shape::Text, "a query that returns the bad rows"),
    ],
);

pub(super) static LIMIT: Object = any_of(
    "`limit`",
    &["count", "share"],
    &[
        may("count", Shape::Whole(0), "this many bad rows"),
        may("share", Shape::Share, "this share of the rows, as in `1%`"),
    ],
);

pub(super) static ACCEPTED: Object = object(
    "`accepted`",
    &[must("column", Shape::Text, "the column"), must("values", Shape::List(&Shape::Text), "all values it may have")],
);

pub(super) static RANGE: Object = Object {
    name: "`range`",
    keys: &[
        must("column", Shape::Text, "the column"),
        may("min", Shape::Literal, "the least value it may have"),
        may("max", Shape::Literal, "the greatest value it may have"),
    ],
    need: Need::AtLeastOne(&["min", "max"]),
};

pub(super) static REFERENCES: Object = object(
    "`references`",
    &[
        must("column", Shape::Text, "the column of this table"),
        must("table", Shape::Form(TABLE), "the other table, as in `core.customers`"),
        may("to", Shape::Text, "the other table's column (default: the same name)"),
    ],
);

pub(super) static FRESHNESS: Object = object(
    "`freshness`",
    &[must("column", Shape::Text, "a date or timestamp column"), must("days", Shape::Whole(0), "how many days")],
);

pub(super) static ROW_COUNT: Object = any_of(
    "`row_count`",
    &["min", "max"],
    &[
        may("min", Shape::Whole(0), "the least number of rows"),
        may("max", Shape::Whole(0), "the greatest number of rows"),
    ],
);

pub(super) static ROW_CHANGE: Object = any_of(
    "`row_change`",
    &["down", "up"],
    &[
        may("down", Shape::Share, "how much less it may be, as in `20%`"),
        may("up", Shape::Share, "how much more it may be, as in `50%`"),
    ],
);

pub(super) static PACK_FILE: Object = object(
    "pack.yaml",
    &[
        may("description", Shape::Text, "what the pack answers, in a sentence"),
        may(
            "params",
            Shape::Map(WORD, &Shape::Literal),
            "values that its stages use as `$name`, where a pipeline does not say them",
        ),
        may("kpis", Shape::List(&Shape::Object(&KPI)), "the named figures of its tables"),
    ],
);

pub(super) static KPI: Object = object(
    "a KPI",
    &[
        must("name", Shape::Form(WORD), "its name"),
        may("table", Shape::Form(TABLE), "the table of its values (default: `kpi.<name>`)"),
        may(
            "label",
            Shape::Either(&Shape::Text, &WORDING),
            "what people read: a text, or one for each language (default: its name)",
        ),
        may(
            "definition",
            Shape::Either(&Shape::Text, &WORDING),
            "what it means, in a sentence (default: the description of the stage that makes its table)",
        ),
        may(
            "unit",
            Shape::Either(
                &Shape::OneOf(&["share", "count", "score", "mean", "ratio", "days", "hours", "money"]),
                &UNIT,
            ),
            "`share`, `count`, `score`, `mean`, `ratio`, `days`, `hours`, `money` (in the pipeline's `currency`) or `{money: \"£\"}`",
        ),
        may("direction", Shape::OneOf(&["up", "down", "neither"]), "which way is good (default `neither`)"),
        may(
            "comparison",
            Shape::OneOf(&["previous", "last_year"]),
            "the period it is compared with: the one before, or the same one last year (default `previous`)",
        ),
        may(
            "minimum_n",
            Shape::Whole(1),
            "with a smaller sample it is shown in grey, and no alert rests on it (default 30)",
        ),
        may("target", Shape::Number, "the value to reach"),
        may("gate", Shape::Number, "below it reports say that their figures are not reliable, and strike them"),
        may("alert", Shape::Object(&ALERT), "when people must be told"),
    ],
);

pub(super) static WORDING: Object = object(
    "a text in several languages",
    &[must("en", Shape::Text, "in English"), may("zh-Hans", Shape::Text, "in simplified Chinese")],
);

pub(super) static ALERT: Object = any_of(
    "`alert`",
    &["below", "above", "change"],
    &[
        may("below", Shape::Literal, "`target` or a value: the figure, and its whole interval, lie below it"),
        may("above", Shape::Literal, "`target` or a value: the figure, and its whole interval, lie above it"),
        may(
            "change",
            Shape::Literal,
            "against its comparison, by at least so much: `-5pp` for a share, `-10%` for an amount, `-5` for a score",
        ),
    ],
);

pub(super) static UNIT: Object =
    object("`unit`", &[must("money", Shape::Text, "the sign or code shown before the figure, as in `£`")]);

pub(super) static REPORT: Object = object(
    "a report",
    &[
        must("name", Shape::Form(DASHED), "its name"),
        may("title", Shape::Text, "what stands at its top (default: its name)"),
        must("template", Shape::Text, "its path below `report-templates/`"),
        may("subject", Shape::Text, "the subject of its mail (default: its title)"),
        may(
            "recipients",
            Shape::OneOrMany(&Shape::Either(&Shape::Form(DESTINATION), &RECIPIENT)),
            "who gets it: an address, a channel's name, or a mapping with one of them, `locale` and `filter`",
        ),
        may("recipients_from", Shape::Object(&RECIPIENTS_FROM), "more recipients: one a row of a table"),
        may(
            "deliver_by",
            Shape::Form("^[0-9]{1,2}:[0-9]{2}$"),
            "the local time by which it must be out, as in `07:30`; later, a short notice says that it is delayed",
        ),
        may(
            "shared",
            Shape::OneOrMany(&Shape::Form(WORD)),
            "what of its `data` recipients with a `filter` see whole; `kpis` stands for its KPIs",
        ),
        may("workbook", Shape::Boolean, "whether its tables are attached as a workbook (default `true`)"),
        may("pdf", Shape::Boolean, "whether its page is attached as a PDF, made by Chromium (default `false`)"),
        may("data", Shape::Map(WORD, &Shape::Form(TABLE)), "the tables it shows, by the name its template uses"),
        may(
            "when",
            Shape::OneOf(&["always", "alert"]),
            "`alert`: messages go out only when a KPI breaks a rule of its `alert`; its page is made all the same (default `always`)",
        ),
    ],
);

pub(super) const LOCALES: &[&str] = &["en", "zh-Hans"];

pub(super) static RECIPIENT: Object = one_of(
    "a recipient",
    &["address", "channel"],
    &[
        may("address", Shape::Form(ADDRESS), "the mail address"),
        may("channel", Shape::Form(DASHED), "the name of a channel of `matins.yaml`"),
        may("locale", Shape::OneOf(LOCALES), "the language of words, numbers and dates (default `en`)"),
        may(
            "filter",
            Shape::Map(WORD, &Shape::Literal),
            "the rows this recipient sees: `column: value`, in every table of the report that is not `shared`",
        ),
    ],
);

pub(super) static RECIPIENTS_FROM: Object = object(
    "`recipients_from`",
    &[
        must("table", Shape::Form(TABLE), "the table: one row a recipient"),
        may("address", Shape::Form(WORD), "its column of addresses (default `address`)"),
        may("locale", Shape::Form(WORD), "its column of languages (default: everybody reads `en`)"),
        may(
            "filter",
            Shape::Map(WORD, &Shape::Form(WORD)),
            "the rows each sees: a column of the report's tables, and the column here whose value it must have",
        ),
    ],
);

pub(super) static INCREMENTAL: Object = object(
    "`incremental`",
    &[
        must("by", Shape::Text, "the date or timestamp of its sources' rows that says which part they are in"),
        must("every", Shape::OneOf(&["day", "month"]), "how long a part is"),
        may(
            "lookback",
            Shape::Form(DAYS),
            "for how many days after a part its rows may still come, as in `3d` (default `0d`)",
        ),
        may(
            "lookahead",
            Shape::Form(DAYS),
            "for how many days before a part its rows may come already: a clock or zone ahead of the exports' (default `0d`)",
        ),
        may(
            "late",
            Shape::OneOf(&["error", "warn"]),
            "whether rows that come still later block publishing (default), or are left out with a remark",
        ),
    ],
);

pub(super) static TEST_FILE: Object = object(
    "a stage's tests",
    &[must(
        "tests",
        Shape::List(&Shape::Object(&TEST)),
        "rows the stage beside this file is given, and what it must make of them",
    )],
);

/// A row a mapping, `column: value`.
const ROWS: Shape = Shape::List(&Shape::Map("", &Shape::Cell));

pub(super) static TEST: Object = object(
    "a test",
    &[
        must("name", Shape::Text, "what it shows, in a few words"),
        must("as_of", Shape::Text, "the end of the interval that the stage is made for, as in `2025-01-01`: `$as_of`"),
        may("interval", Shape::OneOf(INTERVALS), "the interval that ends there (default `day`)"),
        may("time_zone", Shape::Text, "the zone of the interval (default `UTC`)"),
        may("params", Shape::Map(WORD, &Shape::Literal), "values of parameters, where those of the packs do not suit"),
        may(
            "given",
            Shape::Map(TABLE, &Shape::Either(&ROWS, &GIVEN)),
            "the tables it reads, by name: a list of rows, or a mapping with `csv` or `sql`; `[]` is an empty table",
        ),
        must(
            "expect",
            Shape::Either(&ROWS, &EXPECT),
            "all rows it must make; only the columns that are named are looked at",
        ),
        may(
            "ordered",
            Shape::Boolean,
            "whether they come in this order (default: whether the stage ends with ORDER BY)",
        ),
        may(
            "tolerance",
            Shape::Number,
            "how far a float may be off (default: half of the last decimal it is written with, from two on)",
        ),
        may("fails", Shape::OneOrMany(&Shape::Text), "the checks of the stage's head that these rows break"),
    ],
);

pub(super) static GIVEN: Object = one_of(
    "a given table",
    &["csv", "sql"],
    &[
        may("csv", Shape::Text, "a header and a row a line; an empty field is NULL, `\"\"` an empty text"),
        may(
            "sql",
            Shape::Text,
            "a SELECT that makes its rows, where they are many; it may read other tables of the test",
        ),
    ],
);

pub(super) static EXPECT: Object = object(
    "`expect`",
    &[must("csv", Shape::Text, "a header and a row a line; an empty field is NULL, `\"\"` an empty text")],
);

pub(super) static HEAD: Object = object(
    "a stage's head",
    &[
        may("description", Shape::Text, "what one row is"),
        may("columns", Shape::Map("", &Shape::Text), "what its columns mean"),
        may(
            "key",
            Shape::OneOrMany(&Shape::Text),
            "the columns that tell one row from another; they are checked to be unique and not null",
        ),
        may(
            "incremental",
            Shape::Either(&Shape::OneOf(&["day", "month"]), &INCREMENTAL),
            "made a period at a time: part P from the exports dated in P, or from the rows whose time lies in P",
        ),
        may(
            "closed",
            Shape::OneOf(&["month"]),
            "made as of the end of the last closed month, from the exports of before: the same table all month",
        ),
        may(
            "timeout",
            Shape::Form(SPAN_OF_TIME),
            "how long making a part may last, as in `10m` (default: `timeouts.step`)",
        ),
        may("checks", Shape::List(&Shape::Object(&CHECK)), "rules on the table"),
        may("grain", Shape::Text, "what one row is, for its page (default: the description)"),
        may("formula", Shape::Text, "the figure as a formula, for its page"),
        may("rules", Shape::OneOrMany(&Shape::Text), "what is decided at the edges, for its page"),
        may("reference", Shape::OneOrMany(&Shape::Text), "where the definition comes from, for its page"),
    ],
);
