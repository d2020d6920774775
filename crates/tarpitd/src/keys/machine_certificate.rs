//! The certificate that the machine would have. Every client sees it, whatever name it asks for: a
//! server with a certificate for every name could be found by asking for nonsense.
//!
//! Its form depends on the machine and on the installation. Many servers whose certificates differ
//! only in the name would stand out.

use std::time::Duration;

use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SerialNumber,
};
use tarpit_proto::{
    keys::key_identifier,
    persona::{Persona, System},
    time::Wall,
};

/// With what a certificate is made.
pub(super) struct Made<'a> {
    pub(super) key: &'a KeyPair,
    /// The key of the authority that has issued it; `None`: it vouches for itself.
    pub(super) authority: Option<&'a KeyPair>,
    /// When the machine was installed.
    pub(super) at: Wall,
    pub(super) serial: [u8; 20],
}

/// What a machine's certificate looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// As `openssl req -x509` makes it, asked nothing but the name.
    Administrator { days: u64 },
    /// As a device makes it at its first start, when its clock is not set.
    Device,
    /// As IIS makes it when it is asked for one.
    Iis,
    /// An authority of the house has issued it.
    Issued,
    /// As the package `ssl-cert` of Debian makes it at its installation.
    Snakeoil,
    /// As the management service of IIS makes it at its installation.
    WebManagement,
}

const DAY: u64 = 86_400;

impl Shape {
    fn of(persona: &Persona, made: &Made<'_>) -> Self {
        let number = persona.number();
        match persona.system() {
            _ if made.authority.is_some() => Self::Issued,
            // Whatever makes certificates unasked makes keys of RSA.
            _ if made.key.algorithm() == &PKCS_ECDSA_P256_SHA256 => {
                Self::Administrator { days: if number.is_multiple_of(2) { 365 } else { 3_650 } }
            }
            System::Camera if number.is_multiple_of(3) => Self::Administrator { days: 3_650 },
            System::Camera => Self::Device,
            System::Linux if number % 8 < 5 => Self::Snakeoil,
            System::Linux if number % 8 < 7 => Self::Administrator { days: 3_650 },
            System::Linux => Self::Administrator { days: 365 },
            System::Windows if number % 8 < 5 => Self::Iis,
            System::Windows => Self::WebManagement,
        }
    }

    /// From when to when it is good.
    fn validity(self, at: Wall, number: u64) -> (Wall, Wall) {
        let until = |from: Wall, days: u64| (from, Wall(from.0 + days * DAY));
        match self {
            Self::Administrator { days } => until(at, days),
            // The second start of its clock is 2000; from there it is good for thirty years.
            Self::Device => until(Wall(946_684_800 + 9 + number % 40), 10_950),
            // To the end of the day, a year later.
            Self::Iis => (at, Wall((at.0 / DAY + 365) * DAY)),
            Self::Issued => until(at, 825),
            Self::Snakeoil | Self::WebManagement => until(at, 3_650),
        }
    }

    fn subject(self, host: &str) -> DistinguishedName {
        let mut name = DistinguishedName::new();
        match self {
            Self::Administrator { .. } => {
                name.push(DnType::CountryName, printable("AU"));
                name.push(DnType::StateOrProvinceName, "Some-State");
                name.push(DnType::OrganizationName, "Internet Widgits Pty Ltd");
                name.push(DnType::CommonName, host);
            }
            Self::Device => {
                name.push(DnType::CountryName, printable("CN"));
                name.push(DnType::OrganizationName, "IPC");
                name.push(DnType::OrganizationalUnitName, "Embedded");
                name.push(DnType::CommonName, host);
            }
            Self::Iis | Self::Issued | Self::Snakeoil => name.push(DnType::CommonName, host),
            Self::WebManagement => {
                name.push(DnType::CommonName, format!("WMSvc-SHA2-{host}"));
            }
        }
        name
    }

    /// How many bytes its serial number has.
    fn serial(self) -> usize {
        match self {
            Self::Administrator { .. } | Self::Snakeoil => 20,
            Self::Device => 8,
            Self::Iis | Self::WebManagement => 16,
            Self::Issued => 2,
        }
    }

    /// Its extensions, in their order.
    fn extensions(self, host: &str, made: &Made<'_>) -> Vec<CustomExtension> {
        let own = identifier(made.key);
        match self {
            Self::Administrator { .. } | Self::Device => {
                vec![subject_key(own), authority_key(own), is_authority()]
            }
            Self::Iis | Self::WebManagement => {
                vec![for_servers(), usage(KEY_ENCIPHERMENT | DATA_ENCIPHERMENT)]
            }
            Self::Issued => {
                let issuer = made.authority.map_or(own, identifier);
                let usage = usage(DIGITAL_SIGNATURE | KEY_ENCIPHERMENT);
                let names = names(host);
                let none = is_no_authority();
                vec![none, subject_key(own), authority_key(issuer), usage, for_servers(), names]
            }
            Self::Snakeoil => vec![is_no_authority(), names(host), subject_key(own)],
        }
    }
}

/// The certificate, in DER.
pub(super) fn certificate(made: &Made<'_>, persona: &Persona) -> Result<Vec<u8>, rcgen::Error> {
    let (host, number) = (persona.host(), persona.number());
    let shape = Shape::of(persona, made);
    let mut params = CertificateParams::default();
    params.distinguished_name = shape.subject(host);
    let (from, to) = shape.validity(made.at, number);
    let moment = |wall: Wall| {
        let date = wall.date();
        let year = i32::try_from(date.year).unwrap_or(9_999);
        let midnight = rcgen::date_time_ymd(year, date.month, date.day as u8);
        midnight + Duration::from_secs(wall.0 % DAY)
    };
    (params.not_before, params.not_after) = (moment(from), moment(to));
    let mut serial = made.serial;
    // Positive, as serial numbers must be (RFC 5280, section 4.1.2.2).
    serial[0] = (serial[0] & 0x7F).max(1);
    if shape == Shape::Issued {
        // As an authority counts that has not issued many; `openssl ca` begins with 1000.
        serial[0] = 0x10;
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial[..shape.serial()]));
    params.custom_extensions = shape.extensions(host, made);
    let certificate = match made.authority {
        None => params.self_signed(made.key)?,
        Some(authority) => {
            let mut issuer = CertificateParams::default();
            issuer.distinguished_name = authority_name(number);
            params.signed_by(made.key, &Issuer::new(issuer, authority))?
        }
    };
    Ok(certificate.der().to_vec())
}

/// What the house calls its authority.
fn authority_name(number: u64) -> DistinguishedName {
    const ALL: [(&str, &str); 4] = [
        ("Infrastructure", "Internal CA"),
        ("IT Operations", "Internal Issuing CA 1"),
        ("Local Network", "Local Root CA"),
        ("Systems", "Private CA G2"),
    ];
    let (organization, authority) = ALL[(number / 64 % ALL.len() as u64) as usize];
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organization);
    name.push(DnType::CommonName, authority);
    name
}

fn printable(text: &str) -> DnValue {
    // Nothing but letters, so that the other form is never needed.
    text.try_into().map_or_else(|_| text.into(), DnValue::PrintableString)
}

/// By what a key is named.
fn identifier(key: &KeyPair) -> [u8; 20] {
    key_identifier(key.der_bytes())
}

/// Uses of a key (RFC 5280, section 4.2.1.3).
const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_ENCIPHERMENT: u8 = 0x20;
const DATA_ENCIPHERMENT: u8 = 0x10;

fn usage(bits: u8) -> CustomExtension {
    let unused = bits.trailing_zeros() as u8;
    extension(&[2, 5, 29, 15], vec![3, 2, unused, bits])
}

/// The use of servers alone.
fn for_servers() -> CustomExtension {
    extension(&[2, 5, 29, 37], b"\x30\x0A\x06\x08\x2B\x06\x01\x05\x05\x07\x03\x01".to_vec())
}

fn is_authority() -> CustomExtension {
    let mut extension = extension(&[2, 5, 29, 19], vec![48, 3, 1, 1, 0xFF]);
    extension.set_criticality(true);
    extension
}

fn is_no_authority() -> CustomExtension {
    extension(&[2, 5, 29, 19], vec![48, 0])
}

fn subject_key(identifier: [u8; 20]) -> CustomExtension {
    extension(&[2, 5, 29, 14], [&[4, 20], &identifier[..]].concat())
}

fn authority_key(identifier: [u8; 20]) -> CustomExtension {
    extension(&[2, 5, 29, 35], [&[48, 22, 0x80, 20], &identifier[..]].concat())
}

/// The names that it is good for; a host's has less than 64 bytes.
fn names(host: &str) -> CustomExtension {
    let host = &host.as_bytes()[..host.len().min(63)];
    let length = host.len() as u8;
    extension(&[2, 5, 29, 17], [&[48, length + 2, 0x82, length], host].concat())
}

fn extension(number: &[u64], content: Vec<u8>) -> CustomExtension {
    CustomExtension::from_oid_content(number, content)
}

#[cfg(test)]
mod tests {
    use rcgen::PKCS_RSA_SHA256;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use tarpit_proto::{keys::RsaKey, rng::Seed};

    use super::*;
    use crate::os::entropy::System;

    fn rsa() -> KeyPair {
        let der = RsaKey::new(RsaKey::SHORT, &mut System).and_then(|key| key.to_pkcs8()).unwrap();
        KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der), &PKCS_RSA_SHA256)
            .unwrap()
    }

    fn persona(name: &str, number: u8) -> Persona {
        let mut seed = [b'x'; 32];
        seed[2] = number;
        Persona::named(name, &Seed(seed)).unwrap()
    }

    #[test]
    fn every_machine_has_a_certificate_that_is_the_same_at_every_start_and_not_everywhere() {
        let (key, authority) = (rsa(), rsa());
        let ecdsa = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let made =
            |key, authority| Made { key, authority, at: Wall(1_790_000_000), serial: [9; 20] };
        for name in Persona::names() {
            let mut shapes: Vec<Shape> = Vec::new();
            for number in 0..24_u8 {
                let persona = persona(name, number);
                let der = certificate(&made(&key, None), &persona).unwrap();
                assert_eq!(der, certificate(&made(&key, None), &persona).unwrap(), "{name}");
                let host = persona.host().as_bytes();
                assert!(der.windows(host.len()).any(|part| part == host), "{name}");
                for made in [made(&key, Some(&authority)), made(&ecdsa, None)] {
                    assert_ne!(certificate(&made, &persona).unwrap(), der, "{name}");
                }
                let shape = Shape::of(&persona, &made(&key, None));
                if !shapes.contains(&shape) {
                    shapes.push(shape);
                }
            }
            assert!(shapes.len() >= 2, "{name}: {shapes:?}");
        }
    }
}
