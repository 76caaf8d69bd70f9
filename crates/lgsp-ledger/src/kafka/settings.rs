//! How a Kafka ledger is reached: addresses, TLS, time-outs, bounds; and what of it cannot be.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How a Kafka ledger is reached. The production values and their reasons: reliability.md 3.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Brokers to begin with, `host:port` each.
    pub bootstrap: Vec<String>,
    /// TLS with a certificate of our own; `None`: plaintext, which is for the loopback address.
    pub tls: Option<Tls>,
    /// Plaintext may leave this machine: for a network that is protected otherwise.
    pub plaintext_beyond_loopback: bool,
    /// So long records wait for others to share a request.
    pub linger: Duration,
    /// A broker answers an append within this, or it counts as failed and is tried again.
    pub request_timeout: Duration,
    /// A connection that is silent for so long while an answer is due is closed.
    pub socket_timeout: Duration,
    /// An append without an answer for so long is unknown.
    pub message_timeout: Duration,
    /// Records that wait for their answer; more are refused.
    pub queue_records_max: u32,
    /// KiB of records that wait for their answer; more are refused.
    pub queue_kib_max: u32,
}

/// PEM files for TLS in both directions; changed files are read when the ledger is opened again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Who signs the certificates of the brokers.
    pub ca: PathBuf,
    /// Our certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A setting that cannot be: which, why, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {what}; {mend}")]
pub struct Mistake {
    /// Its name in the settings of the program.
    pub setting: &'static str,
    /// What is wrong, and which rule says so.
    pub what: String,
    /// What to do.
    pub mend: String,
}

impl Settings {
    /// Everything in the settings that cannot be.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = self.order_of_timeouts();
        if self.bootstrap.is_empty() {
            mistakes.push(Mistake {
                setting: "bootstrap",
                what: String::from("no broker is named"),
                mend: String::from("name at least one as `host:port`"),
            });
        }
        for server in &self.bootstrap {
            let Some(host) = host(server) else {
                mistakes.push(Mistake {
                    setting: "bootstrap",
                    what: format!("`{server}` is no address"),
                    mend: String::from("write `host:port`"),
                });
                continue;
            };
            if self.tls.is_none() && !self.plaintext_beyond_loopback && !is_loopback(host) {
                mistakes.push(Mistake {
                    setting: "bootstrap",
                    what: format!("`{server}` would be reached in plaintext, which is for the loopback address"),
                    mend: String::from("name ca, cert and key, or set plaintext_beyond_loopback"),
                });
            }
        }
        mistakes
    }

    /// A longer wait that ends before a shorter one it contains would tell a caller "unknown" while nothing was tried.
    fn order_of_timeouts(&self) -> Vec<Mistake> {
        let order = [
            ("request_timeout_ms", self.request_timeout),
            ("socket_timeout_ms", self.socket_timeout),
            ("message_timeout_ms", self.message_timeout),
        ];
        let pairs = order.windows(2).filter_map(|pair| match pair {
            [(shorter, least), (longer, most)] if least >= most => Some(Mistake {
                setting: shorter,
                what: format!(
                    "{} ms is not less than {longer}, {} ms",
                    least.as_millis(),
                    most.as_millis()
                ),
                mend: String::from("keep request_timeout_ms < socket_timeout_ms < message_timeout_ms"),
            }),
            _ => None,
        });
        pairs.collect()
    }
}

fn host(server: &str) -> Option<&str> {
    let (host, port) = server.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let letters = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    (port > 0 && !host.is_empty() && host.chars().all(letters)).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
