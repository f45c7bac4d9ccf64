//! One call with the Rust client: `cargo run --example assign`, with `turnwise dev` up and the tour done.
//!
//! README.md shows this file from here on; a test compares.

#![expect(clippy::print_stdout, reason = "an example says what it did")]

use turnwise::{
    client::{Client, Options},
    proto::turnwise::v1::{AssignContactRequest, Assignment, assign_contact_request::Via},
};

/// Decides who gets the contact, by the rules of the campaign `spring` of the team `sales`.
pub(crate) async fn assign(nodes: &[String], contact: &str) -> anyhow::Result<Assignment> {
    // Any node will do. The client finds one that answers, and retries under one request id.
    let client = Client::new(nodes, Options::default())?;
    let request = AssignContactRequest {
        parent: "teams/sales".to_owned(),
        contact: contact.to_owned(),
        via: Some(Via::Campaign("teams/sales/campaigns/spring".to_owned())),
        ..AssignContactRequest::default()
    };
    Ok(client.call(request).await?.assignment.unwrap_or_default())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let nodes = ["127.0.0.1:7400", "127.0.0.1:7410", "127.0.0.1:7420"].map(str::to_owned);
    let assignment = assign(&nodes, "c-17").await?;
    println!("{} goes to {}", assignment.contact, assignment.rep);
    Ok(())
}
