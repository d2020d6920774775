//! Base64 as clients send their names and passwords in it (RFC 4648, section 4).

use alloc::{vec, vec::Vec};

/// The most that is read of a word, in its encoded form: no name or password is longer.
pub(crate) const LONGEST: usize = 1_024;

/// What `word` stands for, up to [`LONGEST`]. `None`: it is no base64. A missing padding is borne.
pub(crate) fn decode(word: &[u8]) -> Option<Vec<u8>> {
    let word = &word[..word.len().min(LONGEST)];
    let end = word.iter().position(|&byte| byte == b'=').unwrap_or(word.len());
    let (digits, padding) = word.split_at(end);
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if padding.len() > 2
        || padding.iter().any(|&byte| byte != b'=')
        || digits.len() % 4 == 1
        || !digits.iter().all(is_digit)
    {
        return None;
    }
    let mut out = vec![0; digits.len() * 3 / 4];
    decode_into(digits, &mut out);
    Some(out)
}

/// What is not at hand of a word that is longer than what is kept of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beyond {
    /// How many more bytes it has.
    pub(crate) bytes: usize,
    /// How many of its last ones are padding.
    pub(crate) padding: usize,
}

/// The beginning of what a word stands for that begins with `word`, and how long that is in all.
pub(crate) fn decode_part(word: &[u8], beyond: Beyond) -> Option<(Vec<u8>, usize)> {
    if beyond.bytes == 0 && word.len() <= LONGEST {
        let plain = decode(word)?;
        let length = plain.len();
        return Some((plain, length));
    }
    let padding = match beyond.bytes {
        0 => word.iter().rev().take_while(|&&byte| byte == b'=').count(),
        _ => beyond.padding,
    };
    let plain = decode(&word[..word.len().min(LONGEST) / 4 * 4])?;
    Some((plain, (word.len() + beyond.bytes).saturating_sub(padding) * 3 / 4))
}

/// Decodes `text` into `room`, up to its end, its padding, a letter of no meaning, or as much as
/// there is room for. The letters of section 5 mean what they mean there.
pub(crate) fn decode_into<'a>(text: &[u8], room: &'a mut [u8]) -> &'a [u8] {
    let (mut bits, mut held, mut length) = (0_u32, 0, 0);
    for value in text.iter().map_while(|&letter| value(letter)) {
        (bits, held) = (bits << 6 & 0xFFFF | u32::from(value), held + 6);
        if held >= 8 {
            held -= 8;
            let Some(place) = room.get_mut(length) else { break };
            *place = (bits >> held & 0xFF) as u8;
            length += 1;
        }
    }
    &room[..length]
}

fn value(letter: u8) -> Option<u8> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
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
            ("-_-_", None),
        ] {
            assert_eq!(decode(word.as_bytes()).as_deref(), wanted, "{word}");
        }
    }

    #[test]
    fn what_is_coded_is_read_as_far_as_it_goes() {
        for (text, wanted) in [
            (&b"cm9vdDp0b29y"[..], &b"root:toor"[..]),
            (b"eDp5", b"x:y"),
            (b"eA==", b"x"),
            (b"eA", b"x"),
            (b"eDp5 eDp5", b"x:y"),
            (b"//79", b"\xFF\xFE\xFD"),
            (b"__79", b"\xFF\xFE\xFD"),
            (b"", b""),
            (b"\xFF", b""),
        ] {
            assert_eq!(decode_into(text, &mut [0; 16]), wanted, "{}", text.escape_ascii());
        }
        assert_eq!(decode_into(&[b'A'; 1_000], &mut [1; 5]), [0; 5]);
    }

    #[test]
    fn the_length_of_a_word_is_known_that_is_not_at_hand() {
        let word = [&b"YWFh".repeat(1_000)[..], b"YQ=="].concat();
        let all = decode_part(&word, Beyond::default()).expect("base64");
        assert_eq!((&all.0[..3], all.1), (&b"aaa"[..], 3_001));
        let part = decode_part(&word[..321], Beyond { bytes: word.len() - 321, padding: 2 });
        assert_eq!(part.map(|(plain, length)| (plain.len(), length)), Some((240, 3_001)));
    }

    proptest! {
        #[test]
        fn any_word_is_borne_and_no_longer_than_its_bound(word in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert!(decode(&word).is_none_or(|plain| plain.len() <= LONGEST / 4 * 3));
        }
    }
}
