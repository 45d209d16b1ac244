//! The doctor's check of the platforms that stores are connected with: whether their events come, and how far their records were fetched.

use super::{
    Finding,
    Level::{Amber, Green},
};
use crate::{
    integrations::platform_sync::{self, RUN_EVERY},
    tenancy::{Executor, Tx},
};

/// How old the newest event may be. A shop that sells nothing for so long is rare; one whose webhooks were taken away is not.
const QUIET: chrono::Duration = chrono::Duration::days(3);

/// The findings about a store's shop. A store without one has none.
pub(super) async fn examine(tx: &mut Tx<Executor>, slug: &str) -> Result<Vec<Finding>, sqlx::Error> {
    let Some(shop) = platform_sync::connected(tx).await? else {
        return Ok(Vec::new());
    };
    let now = crate::clock::now();
    let title = shop.source.title();
    let mut found = Vec::new();
    let mut note = |code, text: String| found.push(Finding::new("shops", Amber, code, format!("{slug}: {text}")));
    let newest = shop.newest_event_at.unwrap_or(shop.connected_at);
    if now - newest > QUIET {
        note(
            "shop_quiet",
            format!(
                "no event of {title} has come for {}; run `countersign connect` with --shop again, which registers the webhooks",
                age(now - newest)
            ),
        );
    }
    let fetched = platform_sync::progress(tx).await?;
    if fetched.is_empty() {
        note(
            "shop_unfetched",
            "its records were never fetched from the shop; `countersign connect` does that".into(),
        );
    }
    for progress in &fetched {
        let what = progress.entity.name();
        match (&progress.last_error, progress.finished_at) {
            (Some(error), _) => note("shop_fetch_failed", format!("{what} were not fetched: {error}")),
            (None, None) if now - progress.started_at > RUN_EVERY => {
                note(
                    "shop_fetch_slow",
                    format!("{what} are being fetched for over a day; is a worker running?"),
                );
            }
            (None, Some(finished)) if now - finished > RUN_EVERY * 2 => {
                note(
                    "shop_fetch_old",
                    format!(
                        "{what} were last compared {} ago; is a worker running?",
                        age(now - finished)
                    ),
                );
            }
            _ => {}
        }
        if progress.failed > 0 {
            note(
                "shop_record_refused",
                format!(
                    "{} of the {what} could not be stored; console, *Incoming events*, says why",
                    progress.failed
                ),
            );
        }
    }
    if found.is_empty() {
        let repaired: i64 = fetched.iter().map(|progress| progress.repaired).sum();
        let text = format!(
            "{slug}: the newest event of {title} is {} old; {repaired} changes came without an event and were fetched",
            age(now - newest)
        );
        found.push(Finding::new("shops", Green, "shop_connected", text));
    }
    Ok(found)
}

fn age(age: chrono::Duration) -> String {
    match (age.num_days(), age.num_hours(), age.num_minutes()) {
        (days, ..) if days > 1 => format!("{days} days"),
        (_, hours, _) if hours > 1 => format!("{hours} hours"),
        (.., 1) => "1 minute".to_owned(),
        (.., minutes) => format!("{} minutes", minutes.max(0)),
    }
}
