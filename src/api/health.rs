//! gRPC health: `""` says that the process lives, `turnwise.v1.RoutingService` that calls will work.

use tokio::sync::watch;
use tonic::server::NamedService as _;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{proto::turnwise::v1::routing_service_server::RoutingServiceServer, replica::Status};

use super::routing::Routing;

/// Keeps the answers true for as long as it is polled.
pub(super) async fn report(health: HealthReporter, mut status: watch::Receiver<Status>) {
    let service = RoutingServiceServer::<Routing>::NAME;
    loop {
        let ready = {
            let status = status.borrow_and_update();
            status.ready && status.leader.is_some()
        };
        let serving = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status(service, serving).await;
        if status.changed().await.is_err() {
            health.set_service_status(service, ServingStatus::NotServing).await;
            return;
        }
    }
}
