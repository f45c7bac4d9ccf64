//! When the node stops, for what would hold it up.

use tokio::sync::watch;

/// Returns once it is true.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone.
    stopping.wait_for(|stop| *stop).await.map(drop).unwrap_or_default();
}
