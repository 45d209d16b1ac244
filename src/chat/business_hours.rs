//! A store's business hours: whether its staff answers now, and when it is back.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, Timelike, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use validator::{Validate, ValidationError};

use crate::{
    language::{Language, TextKey},
    tenancy::{Tx, Web},
};

/// How many days ahead the next opening is looked for: a year. For a store that is closed longer, no day is named.
const MAX_DAYS_AHEAD: u64 = 366;
/// The most spans that a day may have.
const MAX_SPANS_A_DAY: usize = 8;

/// A store's business hours. A store without any is taken to be always open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// A name of the IANA time zone database.
    #[validate(length(min = 1, max = 64), custom(function = crate::text::single_line))]
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// For each of the seven days, Monday first, when staff is there, such as `09:00-12:30`; empty on days off.
    #[validate(length(equal = 7), custom(function = days_fit))]
    #[schema(value_type = Vec<Vec<String>>, example = json!([["09:00-17:00"], ["09:00-17:00"], ["09:00-17:00"], ["09:00-17:00"], ["09:00-12:30", "13:30-17:00"], [], []]))]
    pub week: Vec<Vec<Span>>,
    /// Dates on which the store is closed, at most 366.
    #[serde(default)]
    #[validate(length(max = 366))]
    #[schema(example = json!(["2026-12-25"]))]
    pub closed_on: Vec<NaiveDate>,
}

/// A span of time within one day, in minutes since midnight, such as `09:00-17:00`; it ends at `24:00` at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    from: u32,
    until: u32,
}

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let number = |text: &str| text.parse().ok().filter(|_| text.len() == 2 && !text.starts_with('+'));
            let (hour, minute): (u32, u32) = (number(hour)?, number(minute)?);
            Some(hour * 60 + minute).filter(|&at| minute < 60 && at <= 24 * 60)
        };
        text.split_once('-')
            .and_then(|(from, until)| Some((minutes(from)?, minutes(until)?)))
            .filter(|(from, until)| from < until)
            .map(|(from, until)| Self { from, until })
            .ok_or("hours are written like 09:00-17:00, the earlier first, 24:00 at the latest")
    }
}

impl TryFrom<String> for Span {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from, self.until);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            until / 60,
            until % 60
        )
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

/// Checks that the spans of each day do not overlap and are in order.
fn days_fit(week: &[Vec<Span>]) -> Result<(), ValidationError> {
    let in_order =
        |day: &Vec<Span>| day.len() <= MAX_SPANS_A_DAY && day.windows(2).all(|two| two[0].until <= two[1].from);
    if week.iter().all(in_order) {
        Ok(())
    } else {
        let mend = "the spans of a day must follow one another, at most eight of them";
        Err(ValidationError::new("order").with_message(mend.into()))
    }
}

/// Whether the staff is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Here,
    /// Staff is back at this time of the store's own clock; none where no opening is found.
    Away(Option<NaiveDateTime>),
}

impl Hours {
    /// The staff's presence at a time of the store's own clock.
    pub fn at(&self, local: NaiveDateTime) -> Presence {
        let minute = local.hour() * 60 + local.minute();
        if self
            .on(local.date())
            .iter()
            .any(|span| (span.from..span.until).contains(&minute))
        {
            return Presence::Here;
        }
        let opening = |ahead: u64| {
            let day = local.date().checked_add_days(Days::new(ahead))?;
            let later = |span: &&Span| ahead > 0 || span.from > minute;
            let from = self.on(day).iter().find(later)?.from;
            day.and_hms_opt(from / 60, from % 60, 0)
        };
        Presence::Away((0..=MAX_DAYS_AHEAD).find_map(opening))
    }

    fn on(&self, day: NaiveDate) -> &[Span] {
        let spans = self.week.get(day.weekday().num_days_from_monday() as usize);
        spans
            .filter(|_| !self.closed_on.contains(&day))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

/// The text for a shopper who waits for a person while no staff is there; none while somebody is.
pub(super) async fn away(
    tx: &mut Tx<Web>,
    now: DateTime<Utc>,
    language: Language,
) -> Result<Option<String>, sqlx::Error> {
    let clock = store_clock(tx, now).await?;
    Ok(match clock.presence {
        Presence::Here => None,
        Presence::Away(Some(back)) => Some(back_on(back, &clock.time_zone, language)),
        Presence::Away(None) => Some(AWAY.in_language(language)),
    })
}

/// The time where a store is, and whether its staff is there.
pub struct StoreClock {
    /// A name of the IANA time zone database; `UTC` where the store has said none.
    pub time_zone: String,
    pub local: NaiveDateTime,
    pub presence: Presence,
}

/// The bound store's clock at `now`.
pub async fn store_clock(tx: &mut Tx<Web>, now: DateTime<Utc>) -> Result<StoreClock, sqlx::Error> {
    let Some(hours) = read(tx).await? else {
        return Ok(StoreClock {
            time_zone: "UTC".to_owned(),
            local: now.naive_utc(),
            presence: Presence::Here,
        });
    };
    // Postgres knows the time zones.
    let local = sqlx::query_scalar!(
        r#"SELECT $1::timestamptz AT TIME ZONE $2 AS "local!""#,
        now,
        hours.time_zone
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(StoreClock {
        presence: hours.at(local),
        time_zone: hours.time_zone,
        local,
    })
}

const AWAY: TextKey = TextKey("staff-away");

fn back_on(back: NaiveDateTime, time_zone: &str, language: Language) -> String {
    let place = time_zone.rsplit('/').next().unwrap_or_default().replace('_', " ");
    let day = [
        ("weekday", back.weekday().number_from_monday().into()),
        ("date", back.day().into()),
        ("month", back.month().into()),
    ];
    let values = [
        ("day", TextKey("day").with(language, &day).into()),
        ("time", back.format("%H:%M").to_string().into()),
        ("place", place.into()),
    ];
    TextKey("staff-back").with(language, &values)
}

/// The store's hours, if it has set any.
pub async fn read(tx: &mut Tx<Web>) -> Result<Option<Hours>, sqlx::Error> {
    sqlx::query!(r#"SELECT time_zone, week AS "week: Json<Vec<Vec<Span>>>", closed_on FROM staff_hours"#)
        .fetch_optional(&mut **tx)
        .await
        .map(|row| {
            row.map(|row| Hours {
                time_zone: row.time_zone,
                week: row.week.0,
                closed_on: row.closed_on,
            })
        })
}

/// Whether there is a time zone of this name.
pub async fn is_time_zone(tx: &mut Tx<Web>, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT is_time_zone($1) AS "is_one!""#, name)
        .fetch_one(&mut **tx)
        .await
}

pub async fn write(tx: &mut Tx<Web>, hours: &Hours, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO staff_hours (tenant_id, time_zone, week, closed_on, updated_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id) DO UPDATE SET time_zone = $2, week = $3, closed_on = $4, updated_at = $5",
        tx.tenant_id().as_uuid(),
        hours.time_zone,
        Json(&hours.week) as _,
        &hours.closed_on,
        now
    )
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Removes the hours, so that staff is taken to be always there. False where there were none.
pub async fn remove(tx: &mut Tx<Web>) -> Result<bool, sqlx::Error> {
    let removed = sqlx::query!("DELETE FROM staff_hours WHERE tenant_id = $1", tx.tenant_id().as_uuid())
        .execute(&mut **tx)
        .await?;
    Ok(removed.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(week: [&[&str]; 7], closed_on: &[&str]) -> Hours {
        let spans = |day: &[&str]| day.iter().map(|span| span.parse().expect("a span")).collect();
        Hours {
            time_zone: "Europe/Berlin".into(),
            week: week.map(spans).into(),
            closed_on: closed_on.iter().map(|day| day.parse().expect("a day")).collect(),
        }
    }

    fn at(text: &str) -> NaiveDateTime {
        text.parse().expect("a time")
    }

    const OFFICE: [&[&str]; 7] = [
        &["09:00-12:00", "13:00-17:00"],
        &["09:00-17:00"],
        &["09:00-17:00"],
        &["09:00-17:00"],
        &["09:00-17:00"],
        &[],
        &[],
    ];

    #[test]
    fn somebody_is_there_or_it_is_known_until_when_not() {
        let office = hours(OFFICE, &["2026-12-25", "2026-11-30"]);
        let away = |text: &str| Presence::Away(Some(at(text)));
        // 2026-11-23 is a Monday.
        assert_eq!(office.at(at("2026-11-23T09:00:00")), Presence::Here);
        assert_eq!(office.at(at("2026-11-23T11:59:59")), Presence::Here);
        assert_eq!(office.at(at("2026-11-23T12:00:00")), away("2026-11-23T13:00:00"));
        assert_eq!(office.at(at("2026-11-23T03:00:00")), away("2026-11-23T09:00:00"));
        assert_eq!(office.at(at("2026-11-23T17:00:00")), away("2026-11-24T09:00:00"));
        // The Monday after that week-end is a day off.
        assert_eq!(office.at(at("2026-11-27T18:00:00")), away("2026-12-01T09:00:00"));
        assert_eq!(hours([&[]; 7], &[]).at(at("2026-11-23T10:00:00")), Presence::Away(None));
        assert_eq!(
            hours([&["00:00-24:00"]; 7], &[]).at(at("2026-11-23T23:59:59")),
            Presence::Here
        );
    }

    #[test]
    fn spans_are_read_as_they_are_written_and_nothing_else() {
        for good in ["09:00-17:00", "00:00-24:00", "23:59-24:00"] {
            assert_eq!(good.parse::<Span>().expect("a span").to_string(), good);
        }
        for bad in [
            "",
            "9:00-17:00",
            "17:00-09:00",
            "09:00-09:00",
            "09:00-24:01",
            "09:60-10:00",
            "09:00",
            "09:00-17:00-18:00",
            "+9:00-17:00",
            "٠٩:00-17:00",
        ] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_spans_of_a_day_follow_one_another() {
        assert!(hours(OFFICE, &[]).validate().is_ok());
        let mut crossed = OFFICE;
        crossed[0] = &["13:00-17:00", "09:00-12:00"];
        assert!(hours(crossed, &[]).validate().is_err());
        let mut short = hours(OFFICE, &[]);
        short.week.pop();
        assert!(short.validate().is_err());
    }

    proptest! {
        #[test]
        fn when_they_are_said_to_be_back_they_are(days in proptest::collection::vec(proptest::collection::vec((0u32..1439, 1u32..600), 0..3), 7), minutes in 0i64..1_000_000) {
            let week = days.iter().map(|day| {
                let mut spans: Vec<Span> = day.iter().map(|&(from, long)| Span { from, until: (from + long).min(1440) }).collect();
                spans.sort_by_key(|span| span.from);
                spans.dedup_by(|next, before| next.from < before.until);
                spans
            }).collect();
            let hours = Hours { time_zone: "UTC".into(), week, closed_on: vec![] };
            prop_assert!(hours.validate().is_ok());
            let now = at("2026-01-01T00:00:00") + chrono::Duration::minutes(minutes);
            match hours.at(now) {
                Presence::Here => {}
                Presence::Away(None) => prop_assert!(hours.week.iter().all(Vec::is_empty)),
                Presence::Away(Some(back)) => {
                    prop_assert!(back > now);
                    prop_assert_eq!(hours.at(back), Presence::Here);
                    let mut between = now;
                    while between < back {
                        prop_assert_ne!(hours.at(between), Presence::Here);
                        between += chrono::Duration::minutes(7);
                    }
                }
            }
        }
    }
}
