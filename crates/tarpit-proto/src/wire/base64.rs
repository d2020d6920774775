//! Base64 as clients send their names and passwords in it (RFC 4648, section 4).

use alloc::vec::Vec;

/// The most that is read of a word, in its encoded form: no name or password is longer.
pub(crate) const LONGEST: usize = 1_024;

/// What `word` stands for, up to [`LONGEST`]. `None`: it is no base64. A missing padding is borne.
pub(crate) fn decode(word: &[u8]) -> Option<Vec<u8>> {
    let word = &word[..word.len().min(LONGEST)];
    let end = word.iter().position(|&byte| byte == b'=').unwrap_or(word.len());
    let (digits, padding) = word.split_at(end);
    if padding.len() > 2 || padding.iter().any(|&byte| byte != b'=') || digits.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for &digit in digits {
        bits = bits << 6 | u32::from(value(digit)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xFF) as u8);
        }
    }
    Some(out)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_read_with_and_without_their_padding() {
        for (word, wanted) in [
            ("", Some(&b""[..])),
            ("cm9vdA==", Some(b"root")),
            ("cm9vdA", Some(b"root")),
            ("AHUAcA==", Some(b"\0u\0p")),
            ("+/+/", Some(&[0xFB, 0xFF, 0xBF])),
            ("cm9v dA==", None),
            ("cm9vd", None),
            ("cm9vdA===", None),
            ("=cm9", None),
            ("*", None),
        ] {
            assert_eq!(decode(word.as_bytes()).as_deref(), wanted, "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_word_is_borne_and_no_longer_than_its_bound(word in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert!(decode(&word).is_none_or(|plain| plain.len() <= LONGEST / 4 * 3));
        }
    }
}
