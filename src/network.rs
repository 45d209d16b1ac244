//! The network that a caller's address belongs to. Limits count networks, because whoever has one address has all of its network.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// An IPv4 address, or an IPv6 prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of one subscriber: an IPv4 address or an IPv6 /64.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self {
                base: address.into(),
                prefix: 32,
            },
            IpAddr::V6(address) => Self::v6(address, 64),
        }
    }

    /// The site of an address: the /48 above an IPv6 /64, which one customer of a hosting provider can hold. None for IPv4.
    pub fn site(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(Self::v6(address, 48)),
        }
    }

    fn v6(address: Ipv6Addr, prefix: u8) -> Self {
        let base = u128::from(address) >> (128 - prefix) << (128 - prefix);
        Self {
            base: Ipv6Addr::from(base).into(),
            prefix,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.base, self.prefix)
    }
}

/// The limits that count for a caller: `of_network` for its network and, for IPv6, `of_site` for the /48 above it.
pub fn shares(address: IpAddr, of_network: usize, of_site: usize) -> impl Iterator<Item = (Network, usize)> {
    let site = Network::site(address).map(|site| (site, of_site));
    std::iter::once((Network::of(address), of_network)).chain(site)
}

/// Places in use, counted by key. A caller takes a place under each of its keys, or none at all.
pub struct Places<K> {
    held: Arc<Mutex<HashMap<K, usize>>>,
}

/// A place that a caller holds. It is freed when dropped.
pub struct Place<K: Eq + Hash> {
    held: Arc<Mutex<HashMap<K, usize>>>,
    keys: Vec<K>,
}

impl<K> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self {
            held: self.held.clone(),
        }
    }
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self { held: Arc::default() }
    }
}

impl<K: Copy + Eq + Hash> Places<K> {
    /// Takes a place under each key, where each has one left. Otherwise returns the first key that has none.
    pub fn take(&self, shares: impl IntoIterator<Item = (K, usize)>) -> Result<Place<K>, K> {
        let shares: Vec<_> = shares.into_iter().collect();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((full, _)) = shares
            .iter()
            .find(|(key, most)| held.get(key).copied().unwrap_or(0) >= *most)
        {
            return Err(*full);
        }
        for (key, _) in &shares {
            *held.entry(*key).or_default() += 1;
        }
        Ok(Place {
            held: self.held.clone(),
            keys: shares.into_iter().map(|(key, _)| key).collect(),
        })
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            if let Some(count) = held.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    held.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_one_subscriber_holds() {
        let of = |text: &str| Network::of(text.parse().expect("an address")).to_string();
        let site = |text: &str| Network::site(text.parse().expect("an address")).map(|site| site.to_string());
        assert_eq!(of("192.0.2.1"), "192.0.2.1/32");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1/32");
        assert_eq!(of("2001:db8:1:2:ffff::9"), "2001:db8:1:2::/64");
        assert_eq!(site("2001:db8:1:2:ffff::9").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(site("192.0.2.1"), None);
    }

    #[test]
    fn a_place_is_taken_under_every_key_or_under_none() {
        let places = Places::default();
        let first = places.take([("all", 2), ("one", 1)]).expect("a place");
        assert_eq!(places.take([("all", 2), ("one", 1)]).err(), Some("one"));
        let second = places.take([("all", 2), ("two", 1)]).expect("the refusal took nothing");
        assert_eq!(places.take([("all", 2)]).err(), Some("all"));
        drop((first, second));
        assert_eq!(places.held.lock().expect("no panic").len(), 0);
    }
}
