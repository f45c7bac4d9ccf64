//! Connections to the other nodes: made when first needed, and again when broken or when a node has moved.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{runtime::Handle, sync::watch};
use tonic::transport::{Channel, Endpoint};

use crate::{
    consensus::NodeId,
    replica::{Address, Addresses},
};

use super::limits::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, PEER_CONNECT_MAX};

/// A connection to each other node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Peers {
    /// Whose threads carry what goes to the others, whoever sends it.
    runtime: Handle,
    addresses: watch::Receiver<Arc<Addresses>>,
    channels: Arc<Mutex<BTreeMap<NodeId, (String, Channel)>>>,
}

impl Peers {
    /// Connects to nothing yet; later, on `runtime`.
    #[must_use]
    pub fn new(addresses: watch::Receiver<Arc<Addresses>>, runtime: Handle) -> Self {
        Self { runtime, addresses, channels: Arc::default() }
    }

    /// Where connections to the others are.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Where everybody is.
    pub(super) fn addresses(&self) -> Arc<Addresses> {
        Arc::clone(&self.addresses.borrow())
    }

    /// Where a node is, and the way there.
    pub(super) fn way_to(&self, node: NodeId) -> Option<(String, Channel)> {
        let addresses = self.addresses();
        let Address { peer: address, .. } = addresses.get(&node)?;
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|node, _| addresses.contains_key(node));
        if let Some(known) = channels.get(&node).filter(|(known, _)| known == address) {
            return Some(known.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .inspect_err(|error| tracing::warn!(node = node.0, %address, %error, "no address"))
            .ok()?
            .connect_timeout(PEER_CONNECT_MAX)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        let _on = self.runtime.enter();
        let way = (address.clone(), endpoint.connect_lazy());
        channels.insert(node, way.clone());
        Some(way)
    }

    pub(super) fn get(&self, node: NodeId) -> Option<Channel> {
        self.way_to(node).map(|(_, channel)| channel)
    }
}
