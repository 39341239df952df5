//! Matins' own functions, as a table: what `matins functions` lists, `docs/functions.md` says and fingerprints hold.
//!
//! The engine implements them (`engine/functions`); a test there holds that it has these and no others.

use std::collections::BTreeSet;
use std::fmt::Write;

/// What the engine brings as a whole: raise it when one of its functions gives another answer, so that all tables are made
/// again. One of Matins' own has a version of its own, which only concerns the stages that call it.
const ENGINE: &str = "datafusion-55.2+exact-1+keys-1";

/// How a function meets the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value a row.
    Row,
    /// One value a group of rows.
    Group,
}

/// One function of Matins' own.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    pub name: &'static str,
    /// What it is good for, as a heading.
    pub family: &'static str,
    /// Its arguments as written; `[…]` may be left out.
    pub arguments: &'static str,
    pub returns: &'static str,
    pub meaning: &'static str,
    /// Where the formula or the rule is from.
    pub source: &'static str,
    /// Raise it when the function gives another answer, so that tables that call it are made again.
    pub version: u32,
    pub kind: Kind,
}

impl Function {
    pub fn signature(&self) -> String {
        format!("{}({}) → {}", self.name, self.arguments, self.returns)
    }
}

const INTERVALS: &str = "Intervals";
const PURCHASE: &str = "Purchase models";
const VALUE: &str = "Value";
const SERIES: &str = "Series";
const SCORES: &str = "Scores";
const CLUSTERS: &str = "Clusters";
const BASKETS: &str = "Baskets";
const TIME: &str = "Working time";
const PEOPLE: &str = "People";
const TEXTS: &str = "Texts";
const SPECIAL: &str = "Special functions";

const fn row(
    family: &'static str,
    name: &'static str,
    arguments: &'static str,
    returns: &'static str,
    meaning: &'static str,
    source: &'static str,
) -> Function {
    Function { name, family, arguments, returns, meaning, source, version: 1, kind: Kind::Row }
}

const fn group(
    family: &'static str,
    name: &'static str,
    arguments: &'static str,
    returns: &'static str,
    meaning: &'static str,
    source: &'static str,
) -> Function {
    Function { kind: Kind::Group, ..row(family, name, arguments, returns, meaning, source) }
}

const fn of_version(version: u32, function: Function) -> Function {
    Function { version, ..function }
}

const BG: &str = "Fader, Hardie & Lee 2005, Marketing Science 24:275";
const MBG: &str = "Batislam, Denizel & Filiztekin 2007, Int. J. of Research in Marketing 24:201";
const PARETO: &str = "Schmittlein, Morrison & Colombo 1987; Fader & Hardie 2005, note on deriving the Pareto/NBD";
const GG: &str = "Fader & Hardie 2013, note 025, the Gamma-Gamma model of monetary value";
const SBG: &str = "Fader & Hardie 2007, J. of Interactive Marketing 21:76";
const WILSON: &str = "Wilson 1927; Newcombe 1998, Statistics in Medicine 17:857";
const NEWCOMBE: &str = "Newcombe 1998, Statistics in Medicine 17:873, method 10";
const NPS: &str = "adjusted Wald: Rocks 2016, The American Statistician 70:365";
const HMAC: &str = "HMAC-SHA-256, RFC 2104";
const QUANTILES: &str = "type-7 quantiles as cuts, ties kept; Hyndman & Fan 1996";

const LLOYD: &str = "Lloyd 1982, IEEE Trans. on Information Theory 28:129; seeds: Arthur & Vassilvitskii 2007, SODA, p. 1027; k by silhouettes: Rousseeuw 1987, J. of Computational and Applied Mathematics 20:53";

const FIT_FIELDS: &str = "log_likelihood, converged, n, iterations, reason";

/// All of them, family by family.
#[rustfmt::skip]
pub const TABLE: &[Function] = &[
    row(INTERVALS, "wilson_low", "k, n[, confidence]", "DOUBLE",
        "lower bound of a share of k out of n; confidence 0.95 unless given; NULL when n is 0",
        WILSON),
    row(INTERVALS, "wilson_high", "k, n[, confidence]", "DOUBLE",
        "upper bound of a share of k out of n; NULL when n is 0",
        WILSON),
    row(INTERVALS, "newcombe_low", "k1, n1, k2, n2[, confidence]", "DOUBLE",
        "lower bound of the difference of two shares, k1/n1 - k2/n2; NULL when n1 or n2 is 0",
        NEWCOMBE),
    row(INTERVALS, "newcombe_high", "k1, n1, k2, n2[, confidence]", "DOUBLE",
        "upper bound of the difference of two shares, k1/n1 - k2/n2; NULL when n1 or n2 is 0",
        NEWCOMBE),
    row(INTERVALS, "nps_low", "promoters, detractors, n[, confidence]", "DOUBLE",
        "lower bound of a net promoter score, in points from -100 to 100; NULL when n is 0",
        NPS),
    row(INTERVALS, "nps_high", "promoters, detractors, n[, confidence]", "DOUBLE",
        "upper bound of a net promoter score, in points; NULL when n is 0",
        NPS),
    of_version(2, group(PURCHASE, "fit_bgnbd", "x, t_x, t[, min_customers, min_repeaters]", "STRUCT(r, alpha, a, b, …)",
        "fits the BG/NBD model to customers with x repeat purchases, the last one t_x after the first, seen for t (any one unit of time); NULL parameters and a reason under 500 customers or 100 repeaters, unless given",
        BG)),
    of_version(2, row(PURCHASE, "bgnbd_expected", "model, horizon, x, t_x, t", "DOUBLE",
        "purchases expected of this customer in the horizon after t",
        BG)),
    row(PURCHASE, "bgnbd_alive", "model, x, t_x, t", "DOUBLE",
        "probability that this customer is still one; always 1 when x is 0, so take `mbgnbd_alive` where many never came back",
        BG),
    of_version(2, row(PURCHASE, "bgnbd_unconditional", "model, t", "DOUBLE",
        "repeat purchases expected of a new customer by t",
        BG)),
    row(PURCHASE, "bgnbd_probability", "model, t, n", "DOUBLE",
        "probability that a new customer makes exactly n repeat purchases by t",
        BG),
    of_version(2, row(PURCHASE, "bgnbd_clv", "model, x, t_x, t, mean, periods, length, rate", "DOUBLE",
        "purchases expected in each of the next periods of this length × the mean, discounted by rate a period",
        "Σ mean·(E[Y(k)] - E[Y(k-1)])/(1 + rate)^k")),
    of_version(2, group(PURCHASE, "fit_mbgnbd", "x, t_x, t[, min_customers, min_repeaters]", "STRUCT(r, alpha, a, b, …)",
        "fits the MBG/NBD model, in which a customer may be lost right after the first purchase; as `fit_bgnbd`",
        MBG)),
    of_version(2, row(PURCHASE, "mbgnbd_expected", "model, horizon, x, t_x, t", "DOUBLE",
        "purchases expected of this customer in the horizon after t",
        MBG)),
    row(PURCHASE, "mbgnbd_alive", "model, x, t_x, t", "DOUBLE",
        "probability that this customer is still one",
        MBG),
    of_version(2, row(PURCHASE, "mbgnbd_unconditional", "model, t", "DOUBLE",
        "repeat purchases expected of a new customer by t",
        MBG)),
    row(PURCHASE, "mbgnbd_probability", "model, t, n", "DOUBLE",
        "probability that a new customer makes exactly n repeat purchases by t",
        MBG),
    of_version(2, row(PURCHASE, "mbgnbd_clv", "model, x, t_x, t, mean, periods, length, rate", "DOUBLE",
        "as `bgnbd_clv`",
        "Σ mean·(E[Y(k)] - E[Y(k-1)])/(1 + rate)^k")),
    of_version(2, group(PURCHASE, "fit_pareto_nbd", "x, t_x, t[, min_customers, min_repeaters]", "STRUCT(r, alpha, s, beta, …)",
        "fits the Pareto/NBD model, in which a customer may be lost at any time; as `fit_bgnbd`",
        PARETO)),
    row(PURCHASE, "pareto_nbd_expected", "model, horizon, x, t_x, t", "DOUBLE",
        "purchases expected of this customer in the horizon after t",
        PARETO),
    row(PURCHASE, "pareto_nbd_alive", "model, x, t_x, t", "DOUBLE",
        "probability that this customer is still one",
        PARETO),
    row(PURCHASE, "pareto_nbd_unconditional", "model, t", "DOUBLE",
        "repeat purchases expected of a new customer by t",
        PARETO),
    row(PURCHASE, "pareto_nbd_probability", "model, t, n", "DOUBLE",
        "probability that a new customer makes exactly n repeat purchases by t",
        "Fader & Hardie 2006, P(X(t) = x) under the Pareto/NBD"),
    row(PURCHASE, "pareto_nbd_clv", "model, x, t_x, t, mean, periods, length, rate", "DOUBLE",
        "as `bgnbd_clv`",
        "Σ mean·(E[Y(k)] - E[Y(k-1)])/(1 + rate)^k"),
    of_version(2, group(VALUE, "fit_gamma_gamma", "x, m[, min_customers]", "STRUCT(p, q, gamma, correlation, …)",
        "fits the Gamma-Gamma model to customers with x > 0 purchases of mean value m > 0, leaving the others out; NULL parameters and a reason under 100 customers unless given, when q ≤ 1, or when x and m correlate by 0.3 or more",
        GG)),
    row(VALUE, "gamma_gamma_mean", "model, x, m", "DOUBLE",
        "mean value expected of this customer's purchases; the population's when x is 0, whatever m",
        GG),
    of_version(2, group(VALUE, "fit_sbg", "period, survivors", "STRUCT(alpha, beta, …)",
        "fits the shifted beta-geometric model to the customers left after 0, 1, 2, … renewals",
        SBG)),
    row(VALUE, "sbg_survival", "model, period", "DOUBLE",
        "share of customers left after this many renewals",
        SBG),
    row(VALUE, "clv_multiple", "retention, rate", "DOUBLE",
        "lifetime value of a yearly margin of 1, r/(1 + i - r), the first margin after a year",
        "Gupta & Lehmann 2003, J. of Interactive Marketing 17:9"),
    group(SERIES, "holt_winters", "at, value, season, horizon, 'additive' | 'multiplicative'", "STRUCT(alpha, beta, gamma, sse, level, trend, seasonals, forecast, mase, ship, …)",
        "forecasts a series of whole-numbered periods without gaps; forecast is a list of (step, value, low80, high80, low95, high95, naive), naive being the value one season before; mase compares its errors over the last season with those of naive, ship is mase < 1",
        "Holt 1957, Winters 1960, start values as in R's HoltWinters; intervals: Yar & Chatfield 1990"),
    group(SERIES, "holt_winters_totals", "at, value, season, horizon, 'additive' | 'multiplicative'", "STRUCT(alpha, beta, gamma, sse, level, trend, seasonals, forecast, mase, ship, …)",
        "as `holt_winters`, of the totals of whole seasons: horizon counts seasons, naive is the last season's total, and mase is of the last 13 seasons, forecast from the end of each one before; NULL where two more do not come before them",
        "intervals of totals: Snyder, Koehler, Hyndman & Ord 2004, European J. of Operational Research 158:444"),
    group(SCORES, "mad", "value", "DOUBLE",
        "median of the distances from the median; × 1.4826 it estimates σ",
        "Hampel 1974"),
    row(SCORES, "quantile_score", "value, cut1, cut2, cut3, cut4", "BIGINT",
        "1 to 5: 1 + the cuts that the value exceeds, so equal values score alike",
        QUANTILES),
    row(SCORES, "quantile_score_rfm", "value, cut1, cut2, cut3, cut4", "BIGINT",
        "as `quantile_score`, a cut being passed at cut + 1, as R's package rfm does with whole numbers",
        "R package rfm"),
    group(CLUSTERS, "fit_kmeans", "point, least_k, most_k", "STRUCT(k, centres, sizes, within, silhouette, tried, n, reason)",
        "divides points, lists of numbers of one length and one scale, into k clusters, from least_k to most_k those with the greatest mean silhouette width; cluster 1 has the centre whose last number is greatest; within is the sum of squared distances from the centres, tried a list of (k, silhouette); of more than 2000 different points an even sample of 2000 rows decides on k, and the rounds over all begin where it settled; points with a NULL are left out; NULL and a reason where fewer than least_k points are different",
        LLOYD),
    row(CLUSTERS, "nearest_centre", "centres, point", "BIGINT",
        "the number of the centre nearest to a point, from 1, the lower of two as near",
        "Lloyd 1982"),
    group(BASKETS, "frequent_pairs", "basket, item, least", "LIST(STRUCT(a, b, together, baskets_a, baskets_b, baskets))",
        "pairs of items that are together in at least so many baskets, a before b, with the baskets of each and all baskets; an item counts once in a basket, NULL is no item; for `unnest`",
        "support counting with pruning: Agrawal & Srikant 1994, VLDB, p. 487"),
    row(TIME, "business_seconds", "from, to, hours[, holidays]", "DOUBLE",
        "seconds of working time between two local timestamps; hours as in `'Mon-Fri 09:00-17:30, Sat 10:00-14:00'`, holidays a list of dates or a text of them with commas; negative when `to` is before `from`",
        "ours"),
    row(PEOPLE, "mask_name", "name", "TEXT",
        "the first character and `**`, in any script: `张**`",
        "ours"),
    row(PEOPLE, "mask_email", "address", "TEXT",
        "the first character, `***` and the domain: `z***@example.com`",
        "ours"),
    row(PEOPLE, "mask_phone", "number", "TEXT",
        "first three and last four digits, `138****5678`; fewer of a short number; +86 is left out",
        "ours"),
    row(PEOPLE, "pseudonym", "value, key", "TEXT",
        "first 10 hexadecimal digits of a keyed hash; the key comes as a parameter",
        HMAC),
    of_version(2, row(TEXTS, "sentiment", "text, 'en' | 'zh'", "DOUBLE",
        "-1 to 1 by lexicon: VADER's compound score for English without its emoji names; longest match with negation and degree words for Chinese",
        "Hutto & Gilbert 2014; Chinese: ours")),
    row(TEXTS, "language", "text", "TEXT",
        "en, de, fr, es, it, pt, nl, zh, ja or ko by its writing and its small words; und where that cannot be told, as of many short texts",
        "ours; names by ISO 639"),
    row(TEXTS, "mojibake_score", "text", "DOUBLE",
        "share of characters that look decoded with the wrong encoding, 0 to 1",
        "ours"),
    row(TEXTS, "jaro_winkler", "text, text", "DOUBLE",
        "how alike two names are, 0 to 1: by characters they share in about the same place, and more for a common beginning; case counts",
        "Winkler 1990, Proc. Section on Survey Research Methods, American Statistical Association, p. 354; by the crate strsim"),
    row(TEXTS, "soundex", "text", "TEXT",
        "the American code of how a name sounds, `R163` for Robert; marks are left off letters, and a text without a Latin letter has none: NULL",
        "US National Archives, the Soundex indexing system"),
    row(SPECIAL, "lgamma", "x", "DOUBLE",
        "logarithm of the gamma function, x > 0",
        "Pugh 2004, by the crate statrs"),
    row(SPECIAL, "hyp2f1", "a, b, c, z", "DOUBLE",
        "Gauss's hypergeometric function for real z < 1, stable near 1; NULL where it has no value",
        "Abramowitz & Stegun 15.3"),
    row(SPECIAL, "normal_cdf", "z", "DOUBLE",
        "probability that a standard normal is at most z",
        "incomplete gamma function, by the crate statrs"),
    row(SPECIAL, "normal_quantile", "p", "DOUBLE",
        "the z a standard normal stays under with probability p, 0 < p < 1",
        "inverse of erfc, by the crate statrs, and a Newton step"),
    row(SPECIAL, "chi_squared_tail", "x, degrees", "DOUBLE",
        "probability that χ² with these degrees of freedom is x or more",
        "Pearson 1900; incomplete gamma function, by the crate statrs"),
];

/// The function of this name.
pub fn find(name: &str) -> Option<&'static Function> {
    TABLE.iter().find(|f| f.name == name)
}

/// What the answers of these functions depend on besides their arguments, for a fingerprint. Equal for statements that call
/// none of Matins' own, so a change of one of these concerns nobody else.
pub fn versions(called: &BTreeSet<String>) -> String {
    called.iter().filter_map(|name| find(name)).fold(ENGINE.to_owned(), |mut all, function| {
        let _ = write!(all, " {}/{}", function.name, function.version);
        all
    })
}

/// The table as `docs/functions.md`.
pub fn markdown() -> String {
    let mut page = format!(
        "# Functions\n\n\
         What SQL cannot say well, in stages, checks and `matins query` alike, beside all of \
         [DataFusion's](https://datafusion.apache.org/user-guide/sql/). This page is what `matins functions --markdown` \
         prints; the table is `src/sql/functions.rs`.\n\n\
         A NULL argument gives NULL unless a function says otherwise; an argument without a meaning, as 5 out of 3, is an \
         error. Functions of a group read their rows in no order, sort them inside, and give the same digits on any number \
         of cores. A fit of a model also returns `{FIT_FIELDS}`: `reason` says why it did not converge, and then the \
         parameters are NULL. Where a function takes a `model`, give the struct a fit returned, or its parameters one by \
         one:\n\n\
         ```sql\n\
         SELECT c.customer_key, mbgnbd_alive(f.model, c.x, c.t_x, c.t) AS alive\n\
         FROM value.customers AS c CROSS JOIN (SELECT fit_mbgnbd(x, t_x, t) AS model FROM value.customers) AS f\n\
         ```\n"
    );
    let mut family = "";
    for function in TABLE {
        if function.family != family {
            family = function.family;
            let _ = write!(page, "\n## {family}\n\n| function | | source |\n| --- | --- | --- |\n");
        }
        let cell = |text: &str| text.replace('|', "\\|");
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            cell(&function.signature()),
            cell(function.meaning),
            cell(function.source)
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_once_and_only_callers_know_its_version() {
        let names: BTreeSet<&str> = TABLE.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), TABLE.len());
        let called = |names: &[&str]| versions(&names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(called(&["sum", "max"]), called(&[]));
        assert_eq!(called(&["sum", "wilson_low"]), format!("{ENGINE} wilson_low/1"));
    }

    #[test]
    fn the_page_says_what_the_table_says() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/functions.md");
        let written = std::fs::read_to_string(page).expect("docs/functions.md");
        assert!(written == markdown(), "run: matins functions --markdown > docs/functions.md");
    }
}
