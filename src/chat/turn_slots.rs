//! Slots for turns that run in this process, and how many of them each class of callers may hold.

use std::net::IpAddr;

use crate::{
    identity::Shopper,
    ids::ShopperId,
    network::{self, Network, Place, Places},
};

/// What a turn is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Share {
    All,
    Guests,
    /// Guests of an IPv4 address, IPv6 /64 or IPv6 /48.
    Network(Network),
    /// Accounts that ask from this network.
    AccountsOf(Network),
    Account(ShopperId),
}

/// All slots, and the share that each class of callers may hold.
#[derive(Clone)]
pub(super) struct TurnSlots {
    places: Places<Share>,
    most: usize,
}

impl TurnSlots {
    pub fn new(most: usize) -> Self {
        Self {
            places: Places::default(),
            most,
        }
    }

    /// Takes a slot for a turn of the shopper's, if each share that it counts under has one left. Guests together have half of all slots,
    /// guests of one network an eighth, those of an IPv6 /48 a quarter; one account an eighth, but at least two; and the accounts of one
    /// network or /48 half.
    pub fn take(&self, shopper: &Shopper, address: IpAddr) -> Result<Place<Share>, Share> {
        let part = |of: usize| (self.most / of).max(1);
        let mut shares = vec![(Share::All, self.most)];
        if shopper.is_guest() {
            shares.push((Share::Guests, part(2)));
            let from = network::shares(address, part(8), part(4));
            shares.extend(from.map(|(network, most)| (Share::Network(network), most)));
        } else {
            // At least two, so that a shopper with two windows is served where there are few slots.
            shares.push((Share::Account(shopper.id()), part(8).max(2)));
            let from = network::shares(address, part(2).max(2), part(2).max(2));
            shares.extend(from.map(|(network, most)| (Share::AccountsOf(network), most)));
        }
        self.places.take(shares)
    }
}
