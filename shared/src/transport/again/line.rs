//! A line of a file: the CRC-32 of an event, and the event as it is on the wire, which has no line ends in it. Pure.

/// What stands before the event: eight hexadecimal digits and a space.
const HEAD_BYTES: usize = 9;

/// The lines of these events.
pub(super) fn lines<'e>(events: impl Iterator<Item = &'e [u8]> + Clone) -> Vec<u8> {
    let bytes = events.clone().map(|event| HEAD_BYTES + event.len() + 1).sum();
    let mut lines = Vec::with_capacity(bytes);
    for event in events {
        lines.extend_from_slice(format!("{:08x} ", crc32fast::hash(event)).as_bytes());
        lines.extend_from_slice(event);
        lines.push(b'\n');
    }
    lines
}

/// The event in a line without its end, if it is as it was written.
pub(super) fn body(line: &[u8]) -> Option<&[u8]> {
    let (head, body) = line.split_at_checked(HEAD_BYTES)?;
    let checksum = str::from_utf8(head).ok()?.strip_suffix(' ')?;
    let checksum = u32::from_str_radix(checksum, 16).ok()?;
    (checksum == crc32fast::hash(body)).then_some(body)
}
