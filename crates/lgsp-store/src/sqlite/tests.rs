//! Stories told by facts, and what holds for every schedule of them.

mod documents;
mod facts;
mod lists;
mod model;
mod opening;
mod plans;
mod room;
mod schedule;
mod search;
mod stories;
