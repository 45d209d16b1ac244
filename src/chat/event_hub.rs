//! The turns that run in this process: the events of each so far, and its listeners.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt, stream, stream::BoxStream};
use tokio::sync::watch;

use super::events::{Event, Numbered};
use crate::ids::TurnId;

/// The events of one turn from some number on, ending with `done`.
pub type EventStream = BoxStream<'static, Numbered>;

#[derive(Clone, Default)]
pub(super) struct EventHub {
    turns: Arc<Mutex<HashMap<TurnId, Arc<LiveTurn>>>>,
}

/// A running turn's event log. Dropping it removes the turn from the [`EventHub`].
pub(super) struct EventLog {
    live: EventHub,
    id: TurnId,
    turn: Arc<LiveTurn>,
}

struct LiveTurn {
    events: Mutex<Vec<Numbered>>,
    /// How many events there are.
    count: watch::Sender<usize>,
}

impl EventHub {
    pub fn open(&self, id: TurnId) -> EventLog {
        let turn = Arc::new(LiveTurn {
            events: Mutex::default(),
            count: watch::Sender::new(0),
        });
        lock(&self.turns).insert(id, turn.clone());
        EventLog {
            live: self.clone(),
            id,
            turn,
        }
    }

    /// The turn's events after number `after`, if it runs in this process.
    pub fn follow(&self, id: TurnId, after: u32) -> Option<EventStream> {
        lock(&self.turns).get(&id).map(|turn| turn.follow(after))
    }
}

impl EventLog {
    pub fn emit(&self, event: Event) {
        let mut events = lock(&self.turn.events);
        let id = events.len() as u32 + 1;
        events.push(Numbered { id, event });
        self.turn.count.send_replace(events.len());
    }

    pub fn follow(&self, after: u32) -> EventStream {
        self.turn.follow(after)
    }

    /// The events that are stored for later listeners: all but the deltas, whose text the message repeats.
    pub fn lasting(&self, closing: Vec<Event>) -> Vec<Numbered> {
        let events = lock(&self.turn.events);
        let next = events.len() as u32 + 1;
        let closing = (next..).zip(closing).map(|(id, event)| Numbered { id, event });
        events
            .iter()
            .filter(|numbered| !matches!(numbered.event, Event::Delta { .. }))
            .cloned()
            .chain(closing)
            .collect()
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        lock(&self.live.turns).remove(&self.id);
    }
}

impl LiveTurn {
    fn follow(self: &Arc<Self>, after: u32) -> EventStream {
        let count = self.count.subscribe();
        stream::unfold(
            (self.clone(), count, after as usize),
            |(turn, mut count, next)| async move {
                loop {
                    let (event, over) = {
                        let events = lock(&turn.events);
                        let over = matches!(
                            events.last(),
                            Some(Numbered {
                                event: Event::Done { .. },
                                ..
                            })
                        );
                        (events.get(next).cloned(), over)
                    };
                    match event {
                        Some(event) => return Some((event, (turn, count, next + 1))),
                        None if over => return None,
                        None => {}
                    }
                    count.changed().await.ok()?;
                }
            },
        )
        .boxed()
    }
}

/// Locks the mutex even if it is poisoned: no event log is ever left half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn early_and_late_listeners_read_the_same() {
        let live = EventHub::default();
        let id = TurnId::new();
        let log = live.open(id);
        let early = tokio::spawn(log.follow(0).map(|numbered| numbered.id).collect::<Vec<_>>());
        log.emit(Event::Delta { text: "a".into() });
        let late = live.follow(id, 1).expect("it runs");
        log.emit(Event::Done { turn_id: id });
        assert_eq!(early.await.expect("ends"), [1, 2]);
        assert_eq!(late.map(|numbered| numbered.id).collect::<Vec<_>>().await, [2]);
        drop(log);
        assert!(live.follow(id, 0).is_none());
    }
}
