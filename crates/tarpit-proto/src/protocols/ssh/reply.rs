//! What `ssh_auth_hold` says under keys (RFC 4252, 4254 and 4256).

use alloc::vec::Vec;

use crate::{
    states,
    wire::ssh::{MSG_IGNORE, login::SERVICE, string},
};

states! {
    /// What a server says under keys.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Reply {
        /// The channel is open, and takes nothing.
        ChannelOpen,
        /// What was asked of the channel is done.
        ChannelSuccess,
        /// It was not the right key or word; these methods are left.
        Failure,
        /// The same, but passwords are not left.
        FailureAsking,
        /// Something to be ignored.
        Ignore,
        /// A password is asked for.
        InfoRequest,
        /// What was asked of the connection is not done.
        RequestFailure,
        /// Authentication may begin.
        ServiceAccept,
        /// The client is known as the user.
        Success,
    }
}

const MSG_SERVICE_ACCEPT: u8 = 6;
const MSG_USERAUTH_FAILURE: u8 = 51;
const MSG_USERAUTH_SUCCESS: u8 = 52;
const MSG_USERAUTH_INFO_REQUEST: u8 = 60;
const MSG_REQUEST_FAILURE: u8 = 82;
const MSG_CHANNEL_OPEN_CONFIRMATION: u8 = 91;
const MSG_CHANNEL_SUCCESS: u8 = 99;

impl Reply {
    /// The payload: to the client's `channel`, as the `number`th packet.
    pub(crate) fn payload(self, channel: u32, number: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Self::ChannelOpen => {
                out.push(MSG_CHANNEL_OPEN_CONFIRMATION);
                // Its number and ours, no bytes that may be sent to us, and the largest packet.
                for number in [channel, 0, 0, 32_768] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
            }
            Self::ChannelSuccess => {
                out.push(MSG_CHANNEL_SUCCESS);
                out.extend_from_slice(&channel.to_be_bytes());
            }
            Self::Failure | Self::FailureAsking => {
                out.push(MSG_USERAUTH_FAILURE);
                let asking = self == Self::FailureAsking;
                let all = &b"publickey,password,keyboard-interactive"[..];
                string(if asking { b"publickey,keyboard-interactive" } else { all }, &mut out);
                out.push(0);
            }
            Self::Ignore => {
                out.push(MSG_IGNORE);
                // Of a length that can be told again, and is not always the same.
                let length = 1 + (number.wrapping_mul(0x9E37_79B9) >> 28) as usize;
                string(&[0; 16][..length], &mut out);
            }
            Self::InfoRequest => {
                out.push(MSG_USERAUTH_INFO_REQUEST);
                for text in [&b""[..], b"", b""] {
                    string(text, &mut out);
                }
                out.extend_from_slice(&1_u32.to_be_bytes());
                string(b"Password: ", &mut out);
                // It is not shown while it is typed.
                out.push(0);
            }
            Self::RequestFailure => out.push(MSG_REQUEST_FAILURE),
            Self::ServiceAccept => {
                out.push(MSG_SERVICE_ACCEPT);
                string(SERVICE, &mut out);
            }
            Self::Success => out.push(MSG_USERAUTH_SUCCESS),
        }
        out
    }
}
