//! `turnwise health`: whether nodes serve, by exit code, for containers and scripts that have no other tool.
//!
//! It asks the gRPC health service, which needs no credential.

use std::time::Duration;

use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{Context, failure::Failure};
use crate::clock;

pub(super) const EXAMPLE: &str = "\
Asks each of --endpoints, and exits with 0 only if all of them serve: they know a leader and are caught up with \
it. --wait asks again until they do, or until --deadline.

Example: turnwise health --wait --endpoints 127.0.0.1:7400";

/// Between two questions, and for how long one may take.
const PAUSE: Duration = Duration::from_millis(100);
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// What is asked about, as `api` names it.
pub(super) const ROUTING: &str = "turnwise.v1.RoutingService";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Ask only whether the processes live, leader or not
    #[arg(long)]
    alive: bool,
    /// Wait until they serve
    #[arg(long)]
    wait: bool,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let service = if arguments.alive { "" } else { ROUTING };
    let until = clock::monotonic() + context.deadline;
    loop {
        let mut rows = Vec::new();
        let mut missing = Vec::new();
        for endpoint in &context.endpoints {
            let state = state(endpoint, service, context.deadline.min(ANSWER_MAX)).await?;
            if state != SERVING {
                missing.push(format!("{endpoint} is {state}"));
            }
            rows.push(vec![endpoint.as_str().into(), state.into()]);
        }
        if missing.is_empty() {
            return context.output.list(&["endpoint", "state"], &rows);
        }
        if !arguments.wait || clock::monotonic() + PAUSE >= until {
            return Err(Failure::failed(missing.join(", "))
                .advise("the node's /readyz page, on its admin port, says why"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) const SERVING: &str = "SERVING";

/// What a node says of a service within so long.
///
/// # Errors
/// The endpoint is none.
pub(super) async fn state(
    endpoint: &str,
    service: &str,
    max: Duration,
) -> Result<&'static str, Failure> {
    let invalid = |error| Failure::usage(format!("--endpoints: `{endpoint}`: {error}"));
    let channel = Endpoint::from_shared(format!("http://{endpoint}")).map_err(invalid)?;
    let ask = async {
        let mut health = HealthClient::new(channel.connect().await.ok()?);
        let request = HealthCheckRequest { service: service.to_owned() };
        Some(health.check(request).await.ok()?.into_inner().status())
    };
    Ok(match tokio::time::timeout(max, ask).await.ok().flatten() {
        Some(ServingStatus::Serving) => SERVING,
        Some(ServingStatus::NotServing) => "NOT_SERVING",
        Some(ServingStatus::Unknown | ServingStatus::ServiceUnknown) => "UNKNOWN",
        None => "UNREACHABLE",
    })
}
