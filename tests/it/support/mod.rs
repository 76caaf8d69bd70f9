//! What all stories stand on: the real program as a process of its own, its folder, and the departments that call it.

mod arrival;
mod department;
mod desk;
mod disk;
mod home;
mod letter;
mod lines;
mod link;
mod node;
mod outside;
mod program;
mod python;

use std::path::PathBuf;

pub(crate) use department::{Department, INFORMATION, JUSTICE, OUTSIDE, PROVINCE};
pub(crate) use desk::{Way, written, written_status};
pub(crate) use home::Home;
pub(crate) use letter::{letter, subject};
pub(crate) use lines::Lines;
pub(crate) use node::Node;
pub(crate) use outside::facade_outside;
pub(crate) use program::{Ended, run, run_into, to_lgsp};
pub(crate) use python::python;

/// A file or folder of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

/// A file or folder of tests/data.
pub(crate) fn data(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data")).join(path)
}
