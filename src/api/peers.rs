//! Connections to the other nodes: made when first needed, and again when broken.

use std::collections::BTreeMap;

use tonic::transport::{Channel, Endpoint, Error};

use crate::consensus::NodeId;

use super::limits::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, PEER_CONNECT_MAX};

/// A connection to each other node. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Peers(BTreeMap<NodeId, Channel>);

impl Peers {
    /// Connects to nothing yet. `addresses` are `host:port` of the other nodes' peer ports. To be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(addresses: impl IntoIterator<Item = (NodeId, String)>) -> Result<Self, Error> {
        let channel = |(node, address): (NodeId, String)| {
            let endpoint = Endpoint::from_shared(format!("http://{address}"))?
                .connect_timeout(PEER_CONNECT_MAX)
                .tcp_nodelay(true)
                .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
                .keep_alive_timeout(KEEPALIVE_TIMEOUT);
            Ok((node, endpoint.connect_lazy()))
        };
        addresses.into_iter().map(channel).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &Channel)> {
        self.0.iter().map(|(node, channel)| (*node, channel))
    }

    pub(super) fn get(&self, node: NodeId) -> Option<&Channel> {
        self.0.get(&node)
    }
}
