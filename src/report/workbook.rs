//! A report's figures as a workbook: typed, formatted, a sheet a table. Nothing in it is a formula, whatever the texts say, and
//! what is too few to show in the report is not in it either.

use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

use super::headline::{TOO_FEW, may_show};
use super::input::{Cell, ColumnType, KpiSeries, ReportInput, Table};
use super::number::tame;
use super::template::Templates;
use crate::base::AsOf;
use crate::config::{Kpi, Locale, Report, Unit};

/// The media type of a workbook, for the mail.
pub const WORKBOOK_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// A cell takes no more characters.
const LONGEST_TEXT: usize = 32_767;
/// A number keeps so many digits; one with more is a text, so that none is lost.
const DIGITS: usize = 15;
const WIDEST_PIXELS: u32 = 420;

/// The bytes of the workbook. The same input gives the same bytes: the time in it is the interval's end.
pub fn workbook(
    templates: &Templates,
    report: &Report,
    input: &ReportInput,
    locale: Locale,
) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let title = tame(&report.title);
    let properties = DocProperties::new().set_title(title).set_author("Matins");
    book.set_properties(&properties.set_creation_datetime(&moment(&input.as_of)?));
    let words = Words::of(locale);
    let mut names = Vec::new();
    let shown: Vec<&KpiSeries> = input.kpis.iter().filter(|k| k.kpi.shown && !k.points.is_empty()).collect();
    if !shown.is_empty() {
        let sheet = named(book.add_worksheet(), words.figures, &mut names)?;
        figures(sheet, &shown, locale, &words)?;
    }
    for (name, table) in &input.tables {
        let said = |key: &str| templates.phrase(locale, key);
        let title = said(&format!("workbook.sheets.{name}")).map_or_else(|| spoken(name), str::to_owned);
        let sheet = named(book.add_worksheet(), &title, &mut names)?;
        rows(sheet, table, said)?;
    }
    if names.is_empty() {
        named(book.add_worksheet(), words.figures, &mut names)?;
    }
    book.save_to_buffer()
}

/// A name for the file that any system takes.
pub fn workbook_name(report: &Report, input: &ReportInput, ending: &str) -> String {
    let plain = |c: char| if matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|') { ' ' } else { c };
    let stem: String = tame(&format!("{} {}", report.title, input.interval)).chars().map(plain).take(120).collect();
    format!("{}.{ending}", stem.split_whitespace().collect::<Vec<_>>().join(" ").trim_start_matches('.'))
}

/// What stands in the first row, by language.
struct Words {
    figures: &'static str,
    header: [&'static str; 10],
    provisional: &'static str,
    too_few: &'static str,
    /// Of a score, of days, of hours.
    units: [&'static str; 3],
}

impl Words {
    fn of(locale: Locale) -> Self {
        match locale {
            Locale::En => Self {
                figures: "Key figures",
                header: [
                    "Figure",
                    "Period from",
                    "Value",
                    "Unit",
                    "n",
                    "95 % low",
                    "95 % high",
                    "Target",
                    "Note",
                    "Name",
                ],
                provisional: "provisional",
                too_few: "too few to show",
                units: ["points", "days", "hours"],
            },
            Locale::ZhHans => Self {
                figures: "关键指标",
                header: ["指标", "周期开始", "数值", "单位", "样本量", "95% 下限", "95% 上限", "目标", "备注", "名称"],
                provisional: "暂定",
                too_few: "样本过少，不显示",
                units: ["分", "天", "小时"],
            },
        }
    }
}

/// One row a KPI and period.
fn figures(sheet: &mut Worksheet, all: &[&KpiSeries], locale: Locale, words: &Words) -> Result<(), XlsxError> {
    header(sheet, words.header.iter().copied())?;
    let mut row = 0;
    for series in all {
        let kpi = &series.kpi;
        let label = kpi.labels.get(locale.tag()).unwrap_or(&kpi.label);
        let number = Format::new().set_num_format(unit_format(&kpi.unit));
        for point in &series.points {
            row += 1;
            text(sheet, row, 0, label)?;
            date(sheet, row, 1, point.period)?;
            let shown = may_show(point, &kpi.unit);
            if shown {
                for (column, value) in [(2, point.value), (5, point.low), (6, point.high)] {
                    float(sheet, row, column, value, &number)?;
                }
                integer(sheet, row, 4, point.n)?;
            }
            text(sheet, row, 3, &unit_word(kpi, &words.units))?;
            float(sheet, row, 7, kpi.target, &number)?;
            let notes = [(point.provisional, words.provisional), (!shown, words.too_few)];
            let notes: Vec<&str> = notes.into_iter().filter_map(|(so, word)| so.then_some(word)).collect();
            text(sheet, row, 8, &notes.join(", "))?;
            text(sheet, row, 9, kpi.name.as_str())?;
        }
    }
    finish(sheet, row, u16::try_from(words.header.len()).unwrap_or(1))
}

/// The rows of one table, as they are in the snapshot; without the shares that rest on too few. Columns and values are called
/// what the catalogue calls them, `workbook.columns.<column>` and `values.<column>.<value>`.
fn rows<'w>(sheet: &mut Worksheet, table: &Table, phrase: impl Fn(&str) -> Option<&'w str>) -> Result<(), XlsxError> {
    let heads = table.columns.iter().map(|c| phrase(&format!("workbook.columns.{}", c.name)).unwrap_or(&c.name));
    header(sheet, heads)?;
    let formats: Vec<Format> = table.columns.iter().map(|c| column_format(&c.name, c.kind)).collect();
    // What the shares of a row rest on, where the table says so.
    let base = table.columns.iter().position(|c| matches!(c.name.as_str(), "n" | "cohort_size"));
    let mut row = 0;
    for cells in &table.rows {
        row += 1;
        let few = base.is_some_and(|at| matches!(cells.get(at), Some(Cell::Integer(n)) if *n < TOO_FEW));
        for (at, (cell, format)) in cells.iter().zip(&formats).enumerate() {
            let column = u16::try_from(at).unwrap_or(u16::MAX);
            match cell {
                Cell::Number(_) | Cell::Decimal(_) if few && is_share(&table.columns[at].name) => {}
                Cell::Null => {}
                Cell::Integer(n) => match exact(*n) {
                    Some(number) => float(sheet, row, column, Some(number), format)?,
                    None => text(sheet, row, column, &n.to_string())?,
                },
                Cell::Decimal(digits) => match digits.parse::<f64>() {
                    Ok(number) if digits.bytes().filter(u8::is_ascii_digit).count() <= DIGITS => {
                        float(sheet, row, column, Some(number), format)?;
                    }
                    _ => text(sheet, row, column, digits)?,
                },
                Cell::Number(number) => float(sheet, row, column, Some(*number), format)?,
                Cell::Text(said) => {
                    let known = phrase(&format!("values.{}.{said}", table.columns[at].name));
                    text(sheet, row, column, known.unwrap_or(said))?;
                }
                Cell::Date(day) => date(sheet, row, column, *day)?,
                Cell::Boolean(yes) => {
                    sheet.write_boolean(row, column, *yes)?;
                }
            }
        }
    }
    finish(sheet, row, u16::try_from(table.columns.len()).unwrap_or(u16::MAX))
}

fn header<'t>(sheet: &mut Worksheet, names: impl Iterator<Item = &'t str>) -> Result<(), XlsxError> {
    let format = Format::new().set_bold().set_border_bottom(FormatBorder::Thin).set_align(FormatAlign::Left);
    for (at, name) in names.enumerate() {
        sheet.write_string_with_format(0, u16::try_from(at).unwrap_or(u16::MAX), tame(name), &format)?;
    }
    Ok(())
}

fn finish(sheet: &mut Worksheet, last_row: u32, columns: u16) -> Result<(), XlsxError> {
    sheet.set_freeze_panes(1, 0)?;
    if columns > 0 {
        sheet.autofilter(0, 0, last_row, columns - 1)?;
    }
    sheet.set_autofit_max_width(WIDEST_PIXELS).autofit();
    Ok(())
}

/// Written as a text, and marked so that a program which is told to edit it does not take it for a formula then.
fn text(sheet: &mut Worksheet, row: u32, column: u16, said: &str) -> Result<(), XlsxError> {
    if said.is_empty() {
        return Ok(());
    }
    let said: String = tame(said).chars().take(LONGEST_TEXT).collect();
    let format = Format::new().set_num_format("@");
    let format = if said.starts_with(['=', '+', '-', '@', '\'', '|']) { format.set_quote_prefix() } else { format };
    sheet.write_string_with_format(row, column, said, &format).map(drop)
}

fn float(sheet: &mut Worksheet, row: u32, column: u16, value: Option<f64>, format: &Format) -> Result<(), XlsxError> {
    match value.filter(|v| v.is_finite()) {
        Some(value) => sheet.write_number_with_format(row, column, value, format).map(drop),
        None => Ok(()),
    }
}

fn integer(sheet: &mut Worksheet, row: u32, column: u16, value: Option<i64>) -> Result<(), XlsxError> {
    float(sheet, row, column, value.and_then(exact), &Format::new().set_num_format("#,##0"))
}

/// A whole number that a cell keeps to the last digit.
fn exact(n: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "none is lost below 2^53, which is looked at")]
    (n.unsigned_abs() < 1 << 53).then_some(n as f64)
}

fn date(sheet: &mut Worksheet, row: u32, column: u16, day: chrono::NaiveDate) -> Result<(), XlsxError> {
    let format = Format::new().set_num_format("yyyy-mm-dd");
    match excel_date(day) {
        Some(date) => sheet.write_datetime_with_format(row, column, date?, &format).map(drop),
        // Before 1900 there is no such cell.
        None => text(sheet, row, column, &day.to_string()),
    }
}

fn excel_date(day: chrono::NaiveDate) -> Option<Result<ExcelDateTime, XlsxError>> {
    use chrono::Datelike;
    let (year, month, day) =
        (u16::try_from(day.year()).ok()?, u8::try_from(day.month()).ok()?, u8::try_from(day.day()).ok()?);
    (1900..=9999).contains(&year).then(|| ExcelDateTime::from_ymd(year, month, day))
}

fn moment(as_of: &AsOf) -> Result<ExcelDateTime, XlsxError> {
    excel_date(as_of.date()).unwrap_or_else(|| ExcelDateTime::from_ymd(1900, 1, 1))
}

fn unit_format(unit: &Unit) -> String {
    match unit {
        Unit::Share => "0.0%".to_owned(),
        Unit::Count => "#,##0".to_owned(),
        Unit::Money(sign) if sign.is_empty() || sign.contains(['"', '\\']) => "#,##0.00".to_owned(),
        Unit::Money(sign) => format!("\"{}\"#,##0.00", tame(sign)),
        Unit::Mean | Unit::Ratio => "0.00".to_owned(),
        Unit::Score | Unit::Days | Unit::Hours => "0.0".to_owned(),
    }
}

fn unit_word(kpi: &Kpi, [points, days, hours]: &[&str; 3]) -> String {
    match &kpi.unit {
        Unit::Share => "%".to_owned(),
        Unit::Money(sign) => tame(sign),
        Unit::Count | Unit::Ratio => String::new(),
        Unit::Score | Unit::Mean => (*points).to_owned(),
        Unit::Days => (*days).to_owned(),
        Unit::Hours => (*hours).to_owned(),
    }
}

/// Whether a column is called after one of these words.
fn has(name: &str, words: &[&str]) -> bool {
    name.split('_').any(|part| words.contains(&part))
}

fn is_share(name: &str) -> bool {
    has(name, &["share", "rate", "retention", "probability"])
}

/// By what a column holds, and for numbers by what it is called.
fn column_format(name: &str, kind: ColumnType) -> Format {
    let pattern = match kind {
        ColumnType::Integer if has(name, &["id", "year", "index", "no", "decile"]) => "0",
        ColumnType::Integer => "#,##0",
        ColumnType::Number if is_share(name) => "0.0%",
        ColumnType::Number => "#,##0.00",
        ColumnType::Text | ColumnType::Date | ColumnType::Boolean => "General",
    };
    Format::new().set_num_format(pattern)
}

/// Gives a sheet a name that is allowed and that no other sheet has, whatever its case.
fn named<'b>(sheet: &'b mut Worksheet, name: &str, taken: &mut Vec<String>) -> Result<&'b mut Worksheet, XlsxError> {
    let clean: String = tame(name).chars().map(|c| if "[]:*?/\\'".contains(c) { ' ' } else { c }).take(28).collect();
    let clean = if clean.trim().is_empty() { "Sheet".to_owned() } else { clean.trim().to_owned() };
    let mut unique = clean.clone();
    for number in 2.. {
        if !taken.contains(&unique.to_lowercase()) {
            break;
        }
        unique = format!("{clean} {number}");
    }
    taken.push(unique.to_lowercase());
    sheet.set_name(unique)
}

/// `growth_revenue` → `Growth revenue`.
fn spoken(name: &str) -> String {
    let text = name.replace('_', " ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Cursor, Read};

    use super::super::check::{Fill, fixture};
    use super::super::input::TableColumn;
    use super::super::template::compile;
    use super::*;
    use crate::base::{Place, SourceText};

    fn report() -> Report {
        let place = Place::file(&SourceText::new("pipelines/a.yaml", ""));
        Report {
            name: "r".parse().expect("a name"),
            title: "A/B: \u{202e}test".into(),
            template: "r.html".into(),
            data: BTreeMap::new(),
            subject: "R".into(),
            recipients: vec![],
            shared: std::collections::BTreeSet::new(),
            deliver_by: None,
            workbook: true,
            pdf: false,
            when: crate::config::When::Always,
            recipients_from: None,
            place,
        }
    }

    fn templates() -> Templates {
        compile(&BTreeMap::new()).expect("no templates, no mistakes")
    }

    /// Every file of a workbook, one after another.
    fn unpacked(bytes: &[u8]) -> String {
        let mut book = zip::ZipArchive::new(Cursor::new(bytes)).expect("a workbook");
        let mut all = String::new();
        for at in 0..book.len() {
            book.by_index(at).expect("a file").read_to_string(&mut all).expect("XML");
        }
        all
    }

    fn of_one_table(columns: &[(&str, ColumnType)], rows: Vec<Vec<Cell>>) -> ReportInput {
        let mut input = fixture(&[], &BTreeMap::new(), Fill::Full);
        let columns = columns.iter().map(|(name, kind)| TableColumn { name: (*name).into(), kind: *kind }).collect();
        input.tables.insert("figures".into(), Table { columns, rows });
        input
    }

    #[test]
    fn the_same_figures_are_the_same_bytes_and_texts_stay_texts() {
        let columns = [("name", ColumnType::Text), ("amount", ColumnType::Number), ("big", ColumnType::Integer)];
        let rows = vec![vec![
            Cell::Text("=HYPERLINK(\"http://x\")".into()),
            Cell::Decimal("12345678901234567.89".into()),
            Cell::Integer(i64::MAX),
        ]];
        let input = of_one_table(&columns, rows);
        let one = workbook(&templates(), &report(), &input, Locale::En).expect("a workbook");
        assert!(one == workbook(&templates(), &report(), &input, Locale::En).expect("a workbook"));
        let said = unpacked(&one);
        assert!(!said.contains("<f>") && said.contains("=HYPERLINK(") && said.contains("quotePrefix=\"1\""), "{said}");
        // No digit is lost.
        assert!(said.contains("12345678901234567.89") && said.contains(&i64::MAX.to_string()));
        assert_eq!(workbook_name(&report(), &input, "xlsx"), format!("A B test {}.xlsx", input.interval));
    }

    #[test]
    fn a_catalogue_names_sheets_columns_and_values() {
        let words = "workbook:\n  sheets: {figures: 等级表}\n  columns: {tier: 等级}\nvalues:\n  tier: {gold: 黄金}\n";
        let files =
            [("locales/zh-Hans.yaml".to_owned(), SourceText::new("report-templates/locales/zh-Hans.yaml", words))];
        let templates = compile(&files.into()).expect("a catalogue");
        let columns = [("tier", ColumnType::Text), ("net", ColumnType::Number)];
        let rows = ["gold", "unheard of"].map(|tier| vec![Cell::Text(tier.into()), Cell::Number(1.0)]);
        let input = of_one_table(&columns, rows.into());
        let of = |locale| unpacked(&workbook(&templates, &report(), &input, locale).expect("a workbook"));
        let (chinese, english) = (of(Locale::ZhHans), of(Locale::En));
        for told in ["name=\"等级表\"", ">等级<", ">黄金<", ">unheard of<", ">net<"] {
            assert!(chinese.contains(told), "{told}");
        }
        assert!(english.contains("name=\"Figures\"") && english.contains(">gold<") && !english.contains("黄金"));
    }

    #[test]
    fn shares_of_too_few_are_not_in_it() {
        let columns =
            [("cohort_size", ColumnType::Integer), ("retention", ColumnType::Number), ("net", ColumnType::Number)];
        let row = |n, share: f64, net: f64| vec![Cell::Integer(n), Cell::Number(share), Cell::Number(net)];
        let input = of_one_table(&columns, vec![row(9, 0.111, 71.0), row(10, 0.222, 72.0)]);
        let said = unpacked(&workbook(&templates(), &report(), &input, Locale::En).expect("a workbook"));
        assert!(!said.contains("0.111") && said.contains("0.222") && said.contains("<v>71</v>"), "{said}");
    }
}
