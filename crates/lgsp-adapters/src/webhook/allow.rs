//! Whom a node may call: hosts by name, and addresses that are not public only by their network.
//!
//! Source of what is not public: the IANA registries of special-purpose addresses (RFC 6890), and where clouds answer
//! questions about their machines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;
use thiserror::Error;

/// A text is neither a host nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    #[error("is no host: write a name in lower case, `*.` and a domain, or an address without brackets")]
    Host,
    #[error("is no network: write its first address and length, as in `10.20.0.0/16` or `fd00::/8`")]
    Network,
}

/// `app.phutho.gov.vn`; `*.phutho.gov.vn` for every name below it; or an address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPattern {
    /// Every name below, and not the name itself.
    below: bool,
    name: String,
}

impl HostPattern {
    /// # Errors
    /// [`PatternError::Host`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        let is_name = name.bytes().all(letter) && name.split('.').all(|part| !part.is_empty());
        let is_address = !below && name.parse::<IpAddr>().is_ok();
        if is_name || is_address {
            let name = name.to_owned();
            Ok(Self { below, name })
        } else {
            Err(PatternError::Host)
        }
    }

    /// `host`: in lower case, as [`lgsp_types::Url`] has it.
    pub(super) fn covers(&self, host: &str) -> bool {
        if self.below {
            let rest = host
                .strip_suffix(&self.name)
                .filter(|_| host.parse::<IpAddr>().is_err());
            rest.is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
        } else {
            host == self.name
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = PatternError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    first: IpAddr,
    bits: u32,
}

impl Network {
    const fn v4(first: [u8; 4], bits: u32) -> Self {
        let [a, b, c, d] = first;
        let first = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        Self { first, bits }
    }

    const fn v6(begin: [u16; 2], bits: u32) -> Self {
        let [a, b] = begin;
        let first = IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0));
        Self { first, bits }
    }

    /// # Errors
    /// [`PatternError::Network`]; also where bits behind the length are set, as one of both is a mistake.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (first, bits) = text.split_once('/').ok_or(PatternError::Network)?;
        let first: IpAddr = first.parse().map_err(|_| PatternError::Network)?;
        let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u32 = bits.parse().map_err(|_| PatternError::Network)?;
        let (number, width) = number(first);
        let free = width
            .checked_sub(bits)
            .filter(|_| digits)
            .ok_or(PatternError::Network)?;
        if prefix(number, free).checked_shl(free).unwrap_or(0) == number {
            Ok(Self { first, bits })
        } else {
            Err(PatternError::Network)
        }
    }

    fn holds(self, address: IpAddr) -> bool {
        let ((own, width), (other, other_width)) = (number(self.first), number(address));
        let free = width.saturating_sub(self.bits);
        width == other_width && prefix(own, free) == prefix(other, free)
    }
}

/// An address as a number of so many bits.
fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

fn prefix(number: u128, free: u32) -> u128 {
    number.checked_shr(free).unwrap_or(0)
}

impl TryFrom<String> for Network {
    type Error = PatternError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// Of IPv4, what is not public.
const INSIDE: [Network; 16] = [
    Network::v4([0, 0, 0, 0], 8),
    Network::v4([10, 0, 0, 0], 8),
    Network::v4([100, 64, 0, 0], 10),
    Network::v4([127, 0, 0, 0], 8),
    // With 169.254.169.254.
    Network::v4([169, 254, 0, 0], 16),
    Network::v4([172, 16, 0, 0], 12),
    Network::v4([192, 0, 0, 0], 24),
    Network::v4([192, 0, 2, 0], 24),
    Network::v4([192, 88, 99, 0], 24),
    Network::v4([192, 168, 0, 0], 16),
    Network::v4([198, 18, 0, 0], 15),
    Network::v4([198, 51, 100, 0], 24),
    Network::v4([203, 0, 113, 0], 24),
    Network::v4([224, 0, 0, 0], 4),
    Network::v4([240, 0, 0, 0], 4),
    // Where Azure answers its machines.
    Network::v4([168, 63, 129, 16], 32),
];
/// Of IPv6 only this is handed out to the world, but for what is below.
const GLOBAL: Network = Network::v6([0x2000, 0], 3);
/// Protocol assignments and Teredo, documentation, 6to4: what is behind may be an address inside.
const NOT_GLOBAL: [Network; 4] = [
    Network::v6([0x2001, 0], 23),
    Network::v6([0x2001, 0x0db8], 32),
    Network::v6([0x2002, 0], 16),
    Network::v6([0x3fff, 0], 20),
];

/// May this address be connected to, where these networks inside may be?
pub(super) fn is_allowed(address: IpAddr, networks: &[Network]) -> bool {
    // `::ffff:10.0.0.1` is 10.0.0.1.
    let address = address.to_canonical();
    let public = match address {
        IpAddr::V4(_) => !INSIDE.iter().any(|network| network.holds(address)),
        IpAddr::V6(_) => GLOBAL.holds(address) && !NOT_GLOBAL.iter().any(|network| network.holds(address)),
    };
    public || networks.iter().any(|network| network.holds(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_inside_is_called_only_if_its_network_is_named() {
        for inside in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.1.1",
            "::127.0.0.1",
            "fe80::1",
            "fd00::1",
            "fd00:ec2::254",
            "fc00::1",
            "ff02::1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            let address: IpAddr = inside.parse().unwrap();
            assert!(!is_allowed(address, &[]), "{inside}");
            let all = ["0.0.0.0/0", "::/0"].map(|network| Network::parse(network).unwrap());
            assert!(is_allowed(address, &all), "{inside}");
        }
        for public in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "113.160.1.1",
            "2405:4800::1",
            "2a00::1",
        ] {
            assert!(is_allowed(public.parse().unwrap(), &[]), "{public}");
        }
        let one = [Network::parse("10.20.0.0/16").unwrap()];
        assert!(is_allowed("10.20.255.1".parse().unwrap(), &one));
        assert!(is_allowed("::ffff:10.20.0.1".parse().unwrap(), &one));
        assert!(!is_allowed("10.21.0.1".parse().unwrap(), &one));
        assert!(!is_allowed("fd00::1".parse().unwrap(), &one));
    }

    #[test]
    fn a_network_is_its_first_address_and_a_length() {
        for good in ["10.0.0.0/8", "0.0.0.0/0", "10.1.2.3/32", "fd00::/8", "::1/128"] {
            Network::parse(good).unwrap();
        }
        for bad in [
            "10.0.0.0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "a/8",
            "fd00::1/8",
            "::/129",
            "",
        ] {
            assert_eq!(Network::parse(bad), Err(PatternError::Network), "{bad}");
        }
    }

    #[test]
    fn a_host_is_covered_by_its_name_or_by_what_is_above_it() {
        for (pattern, host, covered) in [
            ("app.vn", "app.vn", true),
            ("app.vn", "x.app.vn", false),
            ("*.app.vn", "x.app.vn", true),
            ("*.app.vn", "x.y.app.vn", true),
            ("*.app.vn", "app.vn", false),
            ("*.app.vn", "xapp.vn", false),
            ("*.app.vn", ".app.vn", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("*.2.3", "10.1.2.3", false),
            ("::1", "::1", true),
        ] {
            assert_eq!(
                HostPattern::parse(pattern).unwrap().covers(host),
                covered,
                "{pattern} {host}"
            );
        }
        for bad in [
            "",
            "*",
            "*.",
            "App.vn",
            "http://app.vn",
            "a b",
            "*.*.vn",
            "a..vn",
            "[::1]",
            "*.::1",
        ] {
            assert_eq!(HostPattern::parse(bad), Err(PatternError::Host), "{bad}");
        }
    }
}
