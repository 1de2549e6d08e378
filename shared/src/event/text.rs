//! Bounds on text that strangers chose.

/// Cuts `text` to at most `bytes_max` bytes at a character's edge, marking the cut with `…`.
///
/// Control characters need no care here: JSON escapes them, and nothing interprets them.
pub fn bounded(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let room = bytes_max.saturating_sub('…'.len_utf8());
    let end = text.floor_char_boundary(room);
    let mut cut = text.get(..end).unwrap_or_default().to_owned();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_kept() {
        assert_eq!(bounded("curl/8", 6), "curl/8");
    }

    #[test]
    fn long_text_is_cut_between_characters_and_marked() {
        assert_eq!(bounded("ääää", 7), "ää…");
    }

    proptest::proptest! {
        #[test]
        fn no_text_exceeds_its_bound(text in ".*", bytes_max in 3_usize..64) {
            proptest::prop_assert!(bounded(&text, bytes_max).len() <= bytes_max);
        }
    }
}
