//! The `turnwise` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    turnwise::cli::run(std::env::args_os())
}
