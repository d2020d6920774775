//! Base 64 (RFC 4648, section 4), read leniently: credentials come in it.

/// Decodes `text` into `room`, up to its end, its padding, a letter of no meaning, or as much as
/// there is room for.
pub(super) fn decode<'a>(text: &[u8], room: &'a mut [u8]) -> &'a [u8] {
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
    use super::*;

    #[test]
    fn what_is_coded_is_read_as_far_as_it_goes() {
        for (text, wanted) in [
            (&b"cm9vdDp0b29y"[..], &b"root:toor"[..]),
            (b"eDp5", b"x:y"),
            (b"eA==", b"x"),
            (b"eA", b"x"),
            (b"eDp5 eDp5", b"x:y"),
            (b"//79", b"\xFF\xFE\xFD"),
            (b"", b""),
            (b"\xFF", b""),
        ] {
            assert_eq!(decode(text, &mut [0; 16]), wanted, "{}", text.escape_ascii());
        }
        assert_eq!(decode(&[b'A'; 1_000], &mut [1; 5]), [0; 5]);
    }
}
