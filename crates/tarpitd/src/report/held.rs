//! A held client as the control socket tells of it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// A held client. It is documented in tarpitd(1): names and meanings stay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HeldClient {
    /// 16 hexadecimal digits, as in the trace.
    pub(crate) session: String,
    /// The client's address and port.
    pub(crate) client: SocketAddr,
    /// Where it connected to.
    pub(crate) server: SocketAddr,
    pub(crate) tarpit: String,
    /// Seconds since 1970.
    pub(crate) since: u64,
    pub(crate) held_seconds: u64,
    /// `None` while it is not known, and where the pattern speaks none.
    pub(crate) protocol: Option<String>,
    pub(crate) pattern: String,
    pub(crate) state: String,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Seconds since the client's last bytes; `None`: it has sent none.
    pub(crate) heard_seconds_ago: Option<u64>,
    /// How its program calls itself, if it is one of the latest clients that told. The client's own
    /// text: escape it wherever it is shown.
    pub(crate) program: Option<String>,
}

/// The name of a state as people read it: `ReceivingBody` is `receiving_body`.
pub(crate) fn state_name(variant: &str) -> String {
    let mut name = String::with_capacity(variant.len() + 4);
    for (place, letter) in variant.char_indices() {
        if letter.is_ascii_uppercase() && place > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_named_in_small_letters() {
        assert_eq!(state_name("ReceivingBody"), "receiving_body");
        assert_eq!(state_name("Idle"), "idle");
        assert_eq!(state_name(""), "");
    }
}
