//! What a client says under keys: services, authentication and channels (RFC 4252, 4254 and 4256).

use alloc::{string::String, vec::Vec};

use sha2::{Digest as _, Sha256};

use crate::wire::ssh::{MSG_KEXINIT, take_string};

/// What a client says under keys. What has no answer here needs none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    /// The answers to what was asked last.
    Answers(Vec<&'a [u8]>),
    /// It would be known as a user.
    Authenticate { user: &'a [u8], method: Method<'a> },
    /// It opens a channel, which is its `number`th.
    Channel { number: u32 },
    /// It asks something of a channel.
    OfChannel { command: Option<&'a [u8]>, awaits: bool },
    /// It asks something of the connection, and waits for an answer.
    Global,
    /// It leaves, or would exchange keys again.
    Goodbye,
    /// It says something that needs no answer.
    Nothing,
    /// It asks for the service of authentication.
    Service,
}

/// By what a client would be known as a user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Method<'a> {
    Interactive,
    None,
    Other(&'a [u8]),
    Password(&'a [u8]),
    PublicKey(&'a [u8]),
}

/// The names of methods (RFC 4252, section 5, and RFC 4256, section 3.1).
pub(crate) const INTERACTIVE: &[u8] = b"keyboard-interactive";
const NONE: &[u8] = b"none";
const PASSWORD: &[u8] = b"password";
const PUBLIC_KEY: &[u8] = b"publickey";

impl<'a> Method<'a> {
    /// Its name, as the client wrote it.
    pub(crate) fn name(&self) -> &'a [u8] {
        match self {
            Self::Interactive => INTERACTIVE,
            Self::None => NONE,
            Self::Other(name) => name,
            Self::Password(_) => PASSWORD,
            Self::PublicKey(_) => PUBLIC_KEY,
        }
    }
}

const MSG_DISCONNECT: u8 = 1;
const MSG_SERVICE_REQUEST: u8 = 5;
const MSG_USERAUTH_REQUEST: u8 = 50;
const MSG_USERAUTH_INFO_RESPONSE: u8 = 61;
const MSG_GLOBAL_REQUEST: u8 = 80;
const MSG_CHANNEL_OPEN: u8 = 90;
const MSG_CHANNEL_REQUEST: u8 = 98;

/// The most answers that are looked at; no question of ours has more than one.
const MOST_ANSWERS: usize = 4;

impl<'a> Request<'a> {
    /// What this payload says.
    pub(crate) fn read(payload: &'a [u8]) -> Self {
        let Some((&number, rest)) = payload.split_first() else { return Self::Nothing };
        let read = match number {
            MSG_DISCONNECT | MSG_KEXINIT => Some(Self::Goodbye),
            MSG_SERVICE_REQUEST => take_string(rest)
                .map(|(name, _)| if name == SERVICE { Self::Service } else { Self::Nothing }),
            MSG_USERAUTH_REQUEST => Self::authentication(rest),
            MSG_USERAUTH_INFO_RESPONSE => Self::answers(rest),
            MSG_GLOBAL_REQUEST => take_string(rest).map(|(_, rest)| match rest.first() {
                Some(0) | None => Self::Nothing,
                Some(_) => Self::Global,
            }),
            MSG_CHANNEL_OPEN => take_string(rest)
                .and_then(|(_, rest)| rest.first_chunk())
                .map(|number| Self::Channel { number: u32::from_be_bytes(*number) }),
            MSG_CHANNEL_REQUEST => Self::channel_request(rest),
            _ => None,
        };
        read.unwrap_or(Self::Nothing)
    }

    fn authentication(rest: &'a [u8]) -> Option<Self> {
        let (user, rest) = take_string(rest)?;
        let (_service, rest) = take_string(rest)?;
        let (name, rest) = take_string(rest)?;
        let method = match name {
            INTERACTIVE => Method::Interactive,
            NONE => Method::None,
            PASSWORD => Method::Password(take_string(rest.get(1..)?)?.0),
            PUBLIC_KEY => {
                let (_algorithm, rest) = take_string(rest.get(1..)?)?;
                Method::PublicKey(take_string(rest)?.0)
            }
            name => Method::Other(name),
        };
        Some(Self::Authenticate { user, method })
    }

    fn answers(rest: &'a [u8]) -> Option<Self> {
        let (count, mut rest) = rest.split_first_chunk()?;
        let count = u32::from_be_bytes(*count) as usize;
        let mut answers = Vec::new();
        for _ in 0..count.min(MOST_ANSWERS) {
            let (answer, after) = take_string(rest)?;
            answers.push(answer);
            rest = after;
        }
        Some(Self::Answers(answers))
    }

    fn channel_request(rest: &'a [u8]) -> Option<Self> {
        let (kind, rest) = take_string(rest.get(4..)?)?;
        let (&awaits, rest) = rest.split_first()?;
        let command = if kind == b"exec" { Some(take_string(rest)?.0) } else { None };
        Some(Self::OfChannel { command, awaits: awaits != 0 })
    }
}

/// The service of authentication.
pub(crate) const SERVICE: &[u8] = b"ssh-userauth";

/// A key's fingerprint as OpenSSH shows it: SHA-256 in base64 without padding.
pub(crate) fn fingerprint(blob: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::from("SHA256:");
    for three in Sha256::digest(blob).chunks(3) {
        let mut number = [0; 4];
        number[1..=three.len()].copy_from_slice(three);
        let number = u32::from_be_bytes(number);
        for place in 0..=three.len() {
            let letter = number >> (18 - 6 * place) & 63;
            out.push(char::from(LETTERS[letter as usize]));
        }
    }
    out
}
