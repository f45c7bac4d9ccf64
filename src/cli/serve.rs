//! `turnwise serve`: one node.

use super::failure::{Failure, chain};
use crate::{
    config::{Config, ServeArgs},
    consensus::driver::Ended,
    server::{self, ServeError},
    telemetry,
};

pub(super) const EXAMPLE: &str = "\
Every setting can also be given in a file (--config) or in the environment; a flag wins over the \
environment, which wins over the file. docs/CONFIGURATION.md has the table.

Example:
  turnwise serve --node-id 1 --cluster-id $(turnwise cluster new-id) --data-dir data --bootstrap";

pub(super) fn run(arguments: &ServeArgs) -> Result<(), Failure> {
    let config = Config::load(arguments).map_err(|error| Failure::usage(error.to_string()))?;
    telemetry::init(config.log_format, &config.log_level).map_err(Failure::usage)?;
    server::run(config).map_err(|error| {
        let chain = chain(&error);
        match error {
            ServeError::Ended(Ended::Panicked(_)) => Failure::defect(chain)
                .advise("this is a defect of Turnwise: please report it with the lines above"),
            ServeError::Ended(_) => Failure::fault(chain),
            // Of the configuration: the message says what to type.
            ServeError::Operator(_) => Failure::usage(chain),
            ServeError::Start(_)
            | ServeError::Listen { .. }
            | ServeError::Join(_)
            | ServeError::OtherCluster { .. }
            | ServeError::System(_)
            | ServeError::NotServed { .. } => Failure::failed(chain),
        }
    })
}
