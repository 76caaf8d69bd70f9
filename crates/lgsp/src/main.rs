//! The one executable: settings, wiring, shutdown, subcommands.

mod adapters;
mod commands;
mod contract_files;
mod grpc;
mod hexadecimal;
mod home;
mod http1;
mod log;
mod metrics;
mod node;
mod operations;
mod private;
mod registry_files;
mod settings;
mod traces;

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

use commands::Command;

/// Most of what a node allocates is small, and given back on another thread than it was taken on.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// The data-exchange platform of a province (LGSP): connects its information systems, and proves what happened.
#[derive(Debug, Parser)]
#[command(name = "lgsp", version, arg_required_else_help = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn every_command_and_its_arguments_fit_together() {
        Arguments::command().debug_assert();
    }
}
