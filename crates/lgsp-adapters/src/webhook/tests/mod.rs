//! The adapter against receivers over real sockets.

mod reached;
mod receivers;
mod stage;
