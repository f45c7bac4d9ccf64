//! What this process holds of its machine.

/// Bytes of memory that the process holds (resident). None where there is no /proc.
pub(super) fn memory_bytes() -> Option<u64> {
    // proc_pid_statm(5): size and resident, in pages.
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::memory_bytes;

    #[test]
    fn a_process_holds_memory() {
        let held = std::hint::black_box(vec![1_u8; 32 << 20]);
        assert!(memory_bytes().is_some_and(|bytes| bytes > 32 << 20));
        drop(held);
    }
}
