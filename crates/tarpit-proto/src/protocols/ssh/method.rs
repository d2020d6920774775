//! The methods of key exchange (RFC 4253, section 8; RFC 4419; RFC 5656, section 4; RFC 8731;
//! RFC 9142): what each of them hashes with, and the server's part of it.

use alloc::vec::Vec;

use elliptic_curve::{
    AffinePoint, CurveArithmetic, FieldBytesSize, SecretKey,
    point::PointCompression,
    sec1::{FromSec1Point, ModulusSize, ToSec1Point},
};
use p256::elliptic_curve;
use x25519_dalek::{PublicKey as XPublic, StaticSecret};

use crate::{
    base::{host_keys::positive, rng::Entropy},
    protocols::ssh::{group::Group, hash::Hash},
    states,
};

states! {
    /// A method of key exchange.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Method {
        Curve25519,
        Group14Sha1,
        Group14Sha256,
        Group16,
        Group18,
        /// Over a group that the client asks for.
        GroupExchange,
        NistP256,
        NistP384,
        NistP521,
    }
}

/// Their names.
pub(super) const METHODS: &[(&str, Method)] = &[
    ("curve25519-sha256", Method::Curve25519),
    ("curve25519-sha256@libssh.org", Method::Curve25519),
    ("diffie-hellman-group-exchange-sha256", Method::GroupExchange),
    ("diffie-hellman-group14-sha1", Method::Group14Sha1),
    ("diffie-hellman-group14-sha256", Method::Group14Sha256),
    ("diffie-hellman-group16-sha512", Method::Group16),
    ("diffie-hellman-group18-sha512", Method::Group18),
    ("ecdh-sha2-nistp256", Method::NistP256),
    ("ecdh-sha2-nistp384", Method::NistP384),
    ("ecdh-sha2-nistp521", Method::NistP521),
];

/// Our public value, and the secret that both sides share, as a positive number.
pub(super) struct Exchanged {
    pub(super) own: Vec<u8>,
    pub(super) shared: Vec<u8>,
}

impl Method {
    /// The hash that it is made with, of nothing.
    pub(super) fn hash(self) -> Hash {
        match self {
            Self::Group14Sha1 => Hash::sha1(),
            Self::Curve25519 | Self::Group14Sha256 | Self::GroupExchange | Self::NistP256 => {
                Hash::sha256()
            }
            Self::NistP384 => Hash::sha384(),
            Self::Group16 | Self::Group18 | Self::NistP521 => Hash::sha512(),
        }
    }

    /// The group of numbers, where the method names one.
    pub(super) fn group(self) -> Option<Group> {
        match self {
            Self::Group14Sha1 | Self::Group14Sha256 => Some(Group::Bits2048),
            Self::Group16 => Some(Group::Bits4096),
            Self::Group18 => Some(Group::Bits8192),
            _ => None,
        }
    }

    /// What it costs more than the cheapest, in handshakes of that kind.
    ///
    /// As measured in a release build on two busy cores: 0.05 ms with Curve25519, 0.8 with P-256,
    /// 1.7 with P-384, 4.1 with P-521; and 2.3 with 2,048 bits, 3.6 with 3,072, 8.4 with 4,096 and
    /// 25 with 8,192.
    pub(super) fn cost(self, group: Option<Group>) -> u32 {
        match (self, self.group().or(group)) {
            (Self::NistP256, _) => 4,
            (Self::NistP384, _) => 9,
            (Self::NistP521, _) => 21,
            (_, Some(Group::Bits2048)) => 11,
            (_, Some(Group::Bits3072)) => 18,
            (_, Some(Group::Bits4096)) => 42,
            (_, Some(Group::Bits8192)) => 126,
            (_, None) => 0,
        }
    }

    /// Answers a client's public value, over `group` where the client asked for one. `None`: it is
    /// no such value.
    pub(super) fn exchange(
        self,
        public: &[u8],
        group: Option<Group>,
        entropy: &mut dyn Entropy,
    ) -> Option<Exchanged> {
        match self {
            Self::Curve25519 => {
                let public: [u8; 32] = public.try_into().ok()?;
                let secret = StaticSecret::from(drawn(entropy));
                let shared = secret.diffie_hellman(&XPublic::from(public));
                if !shared.was_contributory() {
                    return None;
                }
                let own = XPublic::from(&secret).to_bytes().to_vec();
                Some(Exchanged { own, shared: positive(shared.as_bytes()) })
            }
            Self::NistP256 => on_curve::<p256::NistP256>(public, &drawn::<32>(entropy)),
            Self::NistP384 => on_curve::<p384::NistP384>(public, &drawn::<48>(entropy)),
            Self::NistP521 => {
                let mut secret = drawn::<66>(entropy);
                // Of 521 bits, 1 is in the first byte.
                secret[0] &= 1;
                on_curve::<p521::NistP521>(public, &secret)
            }
            Self::Group14Sha1
            | Self::Group14Sha256
            | Self::Group16
            | Self::Group18
            | Self::GroupExchange => {
                let (own, shared) = self.group().or(group)?.agree(public, &drawn(entropy))?;
                Some(Exchanged { own, shared })
            }
        }
    }
}

fn drawn<const N: usize>(entropy: &mut dyn Entropy) -> [u8; N] {
    let mut secret = [0; N];
    entropy.fill(&mut secret);
    secret
}

/// The agreement over a curve of numbers.
fn on_curve<C>(public: &[u8], secret: &[u8]) -> Option<Exchanged>
where
    C: CurveArithmetic + PointCompression,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let public = elliptic_curve::PublicKey::<C>::from_sec1_bytes(public).ok()?;
    // One in four thousand million is no secret of the curve; its client is held.
    let secret = SecretKey::<C>::from_slice(secret).ok()?;
    let shared =
        elliptic_curve::ecdh::diffie_hellman(secret.to_nonzero_scalar(), public.as_affine());
    let own = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
    Some(Exchanged { own, shared: positive(shared.raw_secret_bytes()) })
}
