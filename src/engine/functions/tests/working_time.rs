//! Working time: weeks, breaks, holidays, and calendars that are wrong.

use super::{error, near, values};

fn seconds(from: &str, to: &str, rest: &str) -> String {
    format!("business_seconds(TIMESTAMP '{from}', TIMESTAMP '{to}', {rest})")
}

#[tokio::test]
async fn working_time_between_two_moments() {
    let office = "'Mon-Fri 09:00-17:30'";
    // 2024-03-01 is a Friday.
    for (from, to, hours) in [
        ("2024-03-01T10:00:00", "2024-03-01T12:30:00", 2.5),
        ("2024-03-01T17:00:00", "2024-03-04T09:30:00", 1.0),
        ("2024-03-02T08:00:00", "2024-03-03T20:00:00", 0.0),
        ("2024-03-01T00:00:00", "2024-03-08T00:00:00", 42.5),
        ("2024-03-04T09:30:00", "2024-03-01T17:00:00", -1.0),
        ("2023-03-01T00:00:00", "2024-02-28T00:00:00", 52.0 * 42.5),
        ("1969-12-29T00:00:00", "1970-01-05T00:00:00", 42.5),
    ] {
        near(&values(&seconds(from, to, office)).await, &[hours * 3600.0], 1e-9);
    }
    let found = values(
        &[
            seconds("2024-03-01T11:00:00", "2024-03-02T12:00:00", "'Mon-Fri 09:00-12:00 13:00-17:00; Sat 10:00-14:00'"),
            // Two days of the week are holidays, one given twice, one on a Sunday.
            seconds(
                "2024-03-01T00:00:00",
                "2024-03-08T00:00:00",
                &format!("{office}, [DATE '2024-03-04', DATE '2024-03-04', DATE '2024-03-05', DATE '2024-03-03']"),
            ),
            seconds("2024-03-04T10:00:00", "2024-03-05T10:00:00", &format!("{office}, '2024-03-04, 2024-10-01'")),
            seconds("2024-03-01T10:00:00", "2024-03-01T10:00:00.25", "'Mon-Sun 00:00-24:00'"),
            "business_seconds(NULL, TIMESTAMP '2024-03-01T10:00:00', 'Mon 09:00-10:00')".to_owned(),
        ]
        .join(", "),
    )
    .await;
    near(&found, &[(1.0 + 4.0 + 2.0) * 3600.0, 3.0 * 8.5 * 3600.0, 3600.0, 0.25, f64::NAN], 1e-9);
}

#[tokio::test]
async fn bad_calendars_say_what_is_wrong() {
    for (calendar, why) in [
        ("'Mun-Fri 09:00-17:30'", "`Mun` is not a day"),
        ("'Mon-Fri'", "`Mon-Fri` has no hours"),
        ("'Mon 9-17'", "`9-17` is not a span of hours"),
        ("'Mon 17:00-09:00'", "ends before it starts"),
        ("'Mon 09:00-12:00 11:00-13:00'", "overlap"),
        ("'Mon 09:00-25:00'", "is not a span of hours"),
        ("''", "the calendar is empty"),
        ("'Mon 09:00-10:00', '1st of May'", "is not a date"),
        ("5", "takes its hours as a text"),
    ] {
        let sql = format!("SELECT {}", seconds("2024-03-01T10:00:00", "2024-03-01T12:30:00", calendar));
        let found = error(&sql).await;
        assert!(found.contains(why), "{calendar}: {found}");
    }
}
