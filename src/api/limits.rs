//! Every bound of what callers may send and get, in one place. Each is tested at n and at n + 1.

use std::time::Duration;

/// One contact to assign: a unary call, or an item of a stream.
pub const ASSIGN_MESSAGE_LEN_MAX: usize = 64 * 1024;
/// One message of any other public service.
pub const MESSAGE_LEN_MAX: usize = 1024 * 1024;
/// One answer, and one message between nodes.
pub const ANSWER_LEN_MAX: usize = 4 * 1024 * 1024;
/// A page ends early where its items pass this, so that it fits an answer.
pub const PAGE_LEN_MAX: usize = 2 * 1024 * 1024;

/// The answer to a batch: as long as any, less the envelope it may travel in between nodes.
pub const BATCH_ANSWER_LEN_MAX: usize = ANSWER_LEN_MAX - 64 * 1024;

/// An id: 1 to 128 bytes of `[A-Za-z0-9._:@+-]`.
pub const ID_LEN_MAX: usize = 128;
/// What people call a thing.
pub const DISPLAY_NAME_LEN_MAX: usize = 256;
/// How long a new leader may take to be one: a few election timeouts across regions.
pub const TRANSFER_MAX: Duration = Duration::from_secs(3);
/// The note of an absence.
pub const NOTE_LEN_MAX: usize = 1024;
/// An email, after normalisation.
pub const EMAIL_LEN_MAX: usize = 320;
/// External ids of one rep.
pub const EXTERNAL_IDS_MAX: usize = 16;
/// A user id in another system.
pub const EXTERNAL_ID_LEN_MAX: usize = 256;
/// The value of a label.
pub const LABEL_LEN_MAX: usize = 256;
/// The name of a time zone.
pub const TIME_ZONE_LEN_MAX: usize = 64;
/// Open assignments that a rep may be limited to.
pub const MAX_OPEN_MAX: u32 = 1_000_000;
/// Picks that a period cap may allow.
pub const PERIOD_CAP_COUNT_MAX: u32 = 1_000_000;
/// Length of a period cap's stretch of time, in days.
pub const PERIOD_DAYS_MAX: u64 = 366;
/// Length of an idle period after which a ring restarts, in days.
pub const IDLE_PERIOD_DAYS_MAX: u64 = 3_650;
/// Length of a filter.
pub const FILTER_LEN_MAX: usize = 4 * 1024;
/// Comparisons in a filter.
pub const FILTER_TERMS_MAX: usize = 32;
/// Resources that one page of a filtered list looks at.
pub const PAGE_SCAN_MAX: usize = 10_000;
/// Picks of one preview.
pub const PREVIEW_COUNT_MAX: usize = 1_000;
/// Changes that one preview supposes.
pub const PREVIEW_CHANGES_MAX: usize = 100;
/// Next members that one rotation of a list previews.
pub const LISTED_NEXT_COUNT_MAX: usize = 100;
/// Members named by one call.
pub const MEMBERS_PER_CALL_MAX: usize = 1_000;

/// Items in a page where the caller does not say.
pub const PAGE_SIZE_DEFAULT: usize = 100;
/// Items in a page at most.
pub const PAGE_SIZE_MAX: usize = 1_000;
/// Next members in a preview where the caller does not say.
pub const NEXT_COUNT_DEFAULT: usize = 10;
/// Next members in a preview at most.
pub const NEXT_COUNT_MAX: usize = 1_000;
/// Violations that one status names: details travel in headers, which are bounded.
pub const VIOLATIONS_MAX: usize = 16;

/// Time for a call that brings no deadline.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(5);
/// Time for a call at most.
pub const DEADLINE_MAX: Duration = Duration::from_secs(60);
/// Items of one `AssignContacts` stream under way at a time; more wait in the connection's window.
pub const STREAM_ITEMS_IN_FLIGHT_MAX: usize = 1_024;
/// A stream without a new item for this long is ended; the client opens it again.
pub const STREAM_IDLE_MAX: Duration = Duration::from_secs(5 * 60);

/// Open `WatchEvents` streams of one node at a time.
pub const WATCHERS_MAX: usize = 256;
/// A watcher hears how far the node is at least this often.
pub const WATCH_PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// Events of one message to a watcher.
pub const WATCH_MESSAGE_EVENTS_MAX: usize = 1_000;
/// Such a message ends early where its events pass this.
pub const WATCH_MESSAGE_LEN_MAX: usize = 256 * 1024;
/// Entries, of any team, that a watcher looks at in one step.
pub const WATCH_LOOKED_AT_ONCE: usize = 512;

/// Whether an open watcher may still watch is asked at least this often.
pub const WATCH_CHECKED_EVERY: Duration = Duration::from_secs(1);

/// Credentials that a node remembers to be valid; one more, and it compares all anew.
pub const KNOWN_BEARERS_MAX: usize = 10_000;
/// Credentials that a node does not remember and is comparing at a time: each may cost the leader a look.
pub const UNKNOWN_BEARERS_AT_ONCE: usize = 64;
/// One more waits this long for its turn and is then refused.
pub const UNKNOWN_BEARER_WAIT: Duration = Duration::from_millis(100);

/// Backups of one node at a time.
pub const BACKUPS_MAX: usize = 2;
/// Bytes of one message of a backup.
pub const BACKUP_CHUNK_LEN: usize = 1024 * 1024;
/// Such messages that wait for a slow caller.
pub const BACKUP_CHUNKS_WAITING_MAX: usize = 4;
/// A caller that takes none for this long is cut off.
pub const BACKUP_STALL_MAX: Duration = Duration::from_secs(60);

/// Calls waiting to be sent to the leader; more are refused.
pub const FORWARD_QUEUE_MAX: usize = 4_096;
/// Calls sent to the leader and not answered; more wait in the queue.
pub const FORWARD_IN_FLIGHT_MAX: usize = 16_384;
/// Answers to them that wait for the stream; then no more are taken from it.
pub const FORWARD_ANSWERS_WAITING_MAX: usize = 256;
/// Calls that wait on a node for somebody to lead; more are refused at once.
pub const WAITING_FOR_LEADER_MAX: usize = 16_384;
/// A call that waits because the leader can't be reached or refuses asks it again after this, then after twice
/// that, and so on.
pub const LEADER_ASKED_AGAIN: Duration = Duration::from_millis(50);
/// Time for a connection to another node.
pub const PEER_CONNECT_MAX: Duration = Duration::from_secs(1);
/// Time for another node to say how it is.
pub const PEER_STATUS_MAX: Duration = Duration::from_secs(1);

/// Connections of clients at a time, where the configuration says nothing.
pub const CONNECTIONS_MAX: usize = 1_024;
/// HTTP/2 streams of one connection, where the configuration says nothing.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// All headers of one call.
pub const HEADER_LIST_LEN_MAX: u32 = 16 * 1024;
/// Streams reset by the peer and not yet taken by us.
pub const RESET_STREAMS_PENDING_MAX: usize = 64;
/// Streams reset by us because of the peer's errors, over the life of a connection.
pub const RESET_STREAMS_LOCAL_MAX: usize = 1_024;
/// A silent connection is pinged this often.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// And closed if it does not answer for this long.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Resources that one status names, for the same reason.
pub const NAMED_RESOURCES_MAX: usize = 5;
