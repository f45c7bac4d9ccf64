//! Ports for a node: bound and never listened on, so that nobody else is given the same numbers, and the
//! node, which like us allows addresses to be used again, can listen on them.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// The peer port of a node that is alone on its machine.
pub(crate) const PEER_PORT: u16 = 7401;

/// Reserved for as long as this lives.
pub(crate) struct Ports {
    pub(crate) client: SocketAddr,
    pub(crate) peer: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// None where nobody else could be given them.
    _reserved: Option<[TcpSocket; 3]>,
}

impl Ports {
    /// Three free ones on loopback.
    pub(crate) fn reserve() -> io::Result<Self> {
        let [client, peer, admin] = [bound()?, bound()?, bound()?];
        Ok(Self {
            client: client.local_addr()?,
            peer: peer.local_addr()?,
            admin: admin.local_addr()?,
            _reserved: Some([client, peer, admin]),
        })
    }

    /// In a network namespace of the node's own, where nobody else is.
    pub(crate) fn alone(ip: IpAddr) -> Self {
        let [client, peer, admin] = [7400, PEER_PORT, 7402].map(|port| SocketAddr::new(ip, port));
        Self { client, peer, admin, _reserved: None }
    }
}

fn bound() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(socket)
}
