//! One binary for all stories.

#[cfg(test)]
mod adapter;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod client;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod document;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod full;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod metrics;
mod node_life;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod story;
#[cfg(test)]
mod streaming;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tidy;
